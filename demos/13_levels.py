# %% [markdown]
# # Digits from noise: a tied autoencoder at each of eight noise levels
#
# **Claim.** A tied denoising autoencoder trained at noise sigma gives the score of an energy,
# `psi = (reconstruction - x) / sigma^2`. With one at each of several levels, chains that
# follow the scores from the noisiest level to the least,
#
#     x <- x + step_l psi_l(x) + sqrt(2 step_l) xi,    step_l proportional to sigma_l^2
#
# turn noise into digits; and the median of the energy, which is in no loss, orders
# images: clean digits below noisy ones, noisy ones below digits whose pixels are scrambled.
#
# It takes 10 seconds.

# %%
import numpy as np

import refsm
from refsm.annealed import annealed_steps

try:
    from demos._figure import Progress, figure_file, pyplot, save, stop_if, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import Progress, figure_file, pyplot, save, stop_if, table

FIGURE = figure_file("13_levels", "A tied autoencoder at each noise level; digits from noise.")

# %% [markdown]
# ## Digits and levels
#
# 1,497 digits to train on, 300 held out; a pixel lies between 0 and 1. Eight levels of constant
# ratio, from 1, where hardly a digit is seen, to 0.15.

# %%
rng = np.random.default_rng(13)
digits = refsm.data.digits()
order = rng.permutation(len(digits))
held_out, train = digits[order[:300]], digits[order[300:]]
d, m = digits.shape[1], 96
levels = refsm.schedules.variance_exploding(0.15, 1.0, levels=8)[::-1]       # from most noise
sigma = np.array([level.sigma for level in levels])
mean = train.mean(axis=0)

# %% [markdown]
# ## Training
#
# Gradient descent with momentum on the reconstruction loss `J_DAE = 2 sigma^4 J_DSM`, in batches of
# 40 digits, each level from where the one before has ended. The hidden units start as prototypes,
# off at the mean digit.

# %%
W = train[rng.choice(len(train), m, replace=False)] - mean
theta = (W, -3 - W @ mean, mean)
x = np.tile(train, (6, 1))
batches = rng.permutation(len(x))[:224 * 40].reshape(224, 40)
steps = 1600
models, path = [], []
with Progress("levels", of=len(levels)) as progress:
    for level, s in zip(levels, sigma):
        J = refsm.DenoisingAutoencoderLoss(x, level.sample(x, rng))
        start = refsm.AutoencoderEnergy(*theta, sigma=s)
        try:
            run = refsm.gradient_descent(J, start, steps=steps, batches=list(batches),
                                         rate=lambda k: 0.012 * (1 - k / steps), momentum=0.9)
        except refsm.DescentInterrupted as stop:
            run = stop.result
        theta = run.model.theta
        models.append(run.model)
        path.append((J.value(start), J.value(run.model)))
        if run.interrupted:
            raise KeyboardInterrupt
        progress(f"sigma = {s:.2f}, J_DAE = {path[-1][1]:.2f}")
sigma, levels = sigma[:len(models)], levels[:len(models)]
finished = progress.finished

# %% [markdown]
# ## How well each level denoises
#
# The squared error of a pixel on held-out digits, beside the noise's own, that of the best affine
# denoiser and that of the Parzen density of the training digits.

# %%
rows, errors = [], []
covariance = np.cov(train.T) + 1e-9 * np.eye(d)
gaussian = refsm.Gaussian(mean, np.linalg.inv(covariance))
for level, s, model in zip(levels, sigma, models):
    x_noisy = level.sample(np.tile(held_out, (3, 1)), rng)
    denoisers = [model, gaussian.corrupted(level), refsm.Parzen(train, 1e-3).corrupted(level)]
    errors.append([((refsm.tweedie(q, x_noisy, level) - np.tile(held_out, (3, 1)))**2).mean()
                   for q in denoisers])
    rows.append([f"{s:.3f}", f"{s**2:.4f}", *(f"{error:.5f}" for error in errors[-1])])
print(f"{len(levels)} levels, m = {m} hidden units each; squared error per pixel, held-out digits")
table(["sigma", "of the noise", "autoencoder", "best affine", "Parzen"], rows)

# %% [markdown]
# ## Digits from noise
#
# Annealed Langevin from pure noise, 20 steps at each level, then one Tweedie step that takes the
# last noise away. (With many more steps some chains leave the digits for good: at little noise an
# energy is trained close to digits only, and it need not rise elsewhere.)

# %%
chains, k_last, snapshots = 40, 20, []


def keep(level, k, x):
    if k == k_last:
        snapshots.append(x[:8])


noise = mean + sigma[0] * rng.standard_normal((chains, d))
x = refsm.annealed_langevin(models, noise, annealed_steps(sigma, 0.05 * sigma[-1]**2),
                            k_last, rng, callback=keep)
samples = refsm.tweedie(models[-1], x, levels[-1])

# %% [markdown]
# ## The energy of an image
#
# At the level of least noise: held-out digits, the same in noise, and the same with their pixels in
# a random order (which keeps every pixel's value, and so all sums over pixels).

# %%
scrambled = rng.permuted(held_out, axis=1)
kinds = {"clean": held_out, "noisy, 0.1": held_out + 0.1 * rng.standard_normal(held_out.shape),
         "noisy, 0.3": held_out + 0.3 * rng.standard_normal(held_out.shape), "scrambled": scrambled}
model = models[-1]
E = {name: model.energy(images) for name, images in kinds.items()}
base = E["clean"].mean()
print(f"\nenergy at sigma = {sigma[-1]:.2g}, from the mean of the clean digits")
below = {name: (E["clean"] < E[name]).mean() for name in E if name != "clean"}
table(["images", "mean", "standard deviation", "clean one is below"],
      [[name, f"{values.mean() - base:.1f}", f"{values.std():.1f}",
        f"{below[name]:.1%}" if name in below else ""] for name, values in E.items()])

near = [np.sqrt(((images[:, None] - train) ** 2).sum(axis=-1).min(axis=1)).mean()
        for images in (samples, scrambled, held_out)]
print(f"\nmean distance to the nearest training digit: {near[0]:.2f} from samples,\n"
      f"{near[1]:.2f} from scrambled digits, {near[2]:.2f} from held-out digits")

# %% [markdown]
# ## The picture

# %%
if plt := pyplot():
    figure = plt.figure(figsize=(15, 5.6))
    left, right = figure.subfigures(1, 2, width_ratios=[1.35, 1])
    shown = [*snapshots, samples[:8]]
    axes = left.subplots(8, len(shown))
    for k, images in enumerate(shown):
        for image, axis in zip(images, axes[:, k]):
            axis.imshow(image.reshape(8, 8), vmin=-0.1, vmax=1.1, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        axes[0, k].set_title(rf"$\sigma$ = {sigma[k]:.2f}" if k < len(sigma) else "Tweedie",
                             fontsize=11)
    left.suptitle("digits from noise: one chain per row, after each level")
    axis = right.subplots()
    bins = np.linspace(min(map(np.min, E.values())), max(map(np.max, E.values())), 70) - base
    for k, (name, values) in enumerate(E.items()):
        axis.hist(values - base, bins=bins, histtype="stepfilled", alpha=0.55, label=name,
                  color=["#000000", "#0b62a4", "#7fa23c", "#c4501b"][k])
    axis.set(xlabel="energy of the image, from the mean of the clean digits", yticks=[],
             title="the median energy rises: clean, noisy, scrambled")
    axis.legend()
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
stop_if(not finished)
assert all(after < before for before, after in path)
assert all(error[0] < 1.25 * error[1] for error in errors)    # beside the best affine one
medians = [np.median(values) for values in E.values()]
assert medians == sorted(medians)                             # clean, noisy, noisier, scrambled
assert min(below.values()) > 0.95
assert near[0] < 0.75 * near[1]                               # samples are nearer to digits
