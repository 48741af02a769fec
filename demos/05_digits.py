# %% [markdown]
# # Denoising digits: one step along a learned score
#
# **Claim.** Let `q_sigma` be the density of noisy digits `x_noisy = x + sigma eps`. The best
# denoiser of all is the posterior mean, and it is one step along the score (Tweedie):
#
#     E[x | x_noisy] = x_noisy + sigma^2 grad log q_sigma(x_noisy)
#
# so an energy trained by denoising score matching removes noise by `x_noisy + sigma^2
# psi(x_noisy)`. Its squared error is bounded from below: on the digits it was trained on, no
# denoiser does better in expectation than the Parzen density of these digits. On digits that were
# held out, the energy removes most of the noise too, nearly as much as that density does.
#
# It takes 30 seconds.

# %%
import numpy as np

import refsm

try:
    from demos._figure import figure_file, kept, pyplot, save, stop_if, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import figure_file, kept, pyplot, save, stop_if, table

FIGURE = figure_file("05_digits", "Denoising digits: one Tweedie step, ten steps along the score, "
                                  "the best affine denoiser, and the Parzen optimum.")

# %% [markdown]
# ## Digits, clean and noisy
#
# 1,497 digits to train on, 300 held out. A pixel lies between 0 and 1; the noise has standard
# deviation 0.3.

# %%
rng = np.random.default_rng(5)
digits = refsm.data.digits()
order = rng.permutation(len(digits))
held_out, train = digits[order[:300]], digits[order[300:]]
sigma, m = 0.3, 96
noise = refsm.GaussianCorruption(sigma)
held_out_noisy = noise.sample(held_out, rng)

# %% [markdown]
# ## Training
#
# The hidden units start as prototypes: the weights of each are a training digit minus the mean, and
# its activation at the mean is -3. Two rounds of L-BFGS follow on the denoising objective,
# each with four fresh noises for each digit. Ctrl-C ends the training and keeps what is learned.

# %%
mean = train.mean(axis=0)
W = train[rng.choice(len(train), m, replace=False)] - mean
model = refsm.AutoencoderEnergy(W=W, b=-3 - W @ mean, c=mean, sigma=sigma)
runs = []
for _ in range(2):
    x = np.tile(train, (4, 1))
    J = refsm.DenoisingScoreMatching(x, noise.sample(x, rng), sigma)
    runs.append(kept(lambda: refsm.minimize(J, model, maxiter=80)))
    model = runs[-1].model
    if runs[-1].interrupted:
        print("interrupted: what is learned so far follows, without a check")
        break
learned = np.concatenate([run.history.value for run in runs])

# %% [markdown]
# ## Four denoisers
#
# The energy's step; ten steps of sigma^2 / 5 along the same score, 2 sigma^2 in all, which end
# nearer to where the density is highest and farther from the mean that has the least error; the
# best affine denoiser, that of a Gaussian with the mean and covariance of the training digits
# plus the noise's; and the Parzen density of the training digits, whose step is a mean of digits
# weighted by their probability given the noisy one. On held-out digits the affine denoiser has
# less error than the ten steps: Tweedie's step is the mean, and every further step leaves it.

# %%
parzen = refsm.Parzen(train, sigma)
covariance = np.cov(train.T) + sigma**2 * np.eye(digits.shape[1])
gaussian = refsm.Gaussian(mean, np.linalg.inv(covariance))
DENOISERS = {
    "nothing": lambda x_noisy: x_noisy,
    "ten steps": lambda x_noisy: refsm.ascend_score(model, x_noisy, step=sigma**2 / 5, steps=10),
    "best affine": lambda x_noisy: refsm.tweedie(gaussian, x_noisy, noise),
    "trained energy": lambda x_noisy: refsm.tweedie(model, x_noisy, noise),
    "Parzen optimum": lambda x_noisy: refsm.tweedie(parzen, x_noisy, noise),
}
train_noisy = noise.sample(train, rng)
denoised = {name: denoise(held_out_noisy) for name, denoise in DENOISERS.items()}
error = {name: ((estimate - held_out) ** 2).mean() for name, estimate in denoised.items()}
error_train = {name: ((denoise(train_noisy) - train) ** 2).mean()
               for name, denoise in DENOISERS.items()}

if len(learned):                                 # not interrupted before the first step
    print(f"J_DSM from {learned[0]:.1f} to {learned[-1]:.1f} in {sum(run.steps for run in runs)} "
          f"steps of L-BFGS, m = {m}, sigma = {sigma}")
print("mean squared error of a pixel against the clean digit:")
table(["denoised by", "training digits", "held-out digits", "of the noise removed"],
      [[name, f"{error_train[name]:.5f}", f"{value:.5f}", f"{1 - value / error['nothing']:.1%}"]
       for name, value in error.items()])

# %% [markdown]
# ## The picture
#
# Ten held-out digits, one of each kind, in columns.

# %%
if plt := pyplot():
    labels = refsm.data.digits_labels()[order[:300]]
    shown = [int(np.flatnonzero(labels == k)[0]) for k in range(10)]
    rows = {"clean": held_out, "noisy": held_out_noisy,
            "ten steps along\nthe score": denoised["ten steps"],
            "best affine\ndenoiser": denoised["best affine"],
            "Parzen density of\nthe training digits": denoised["Parzen optimum"],
            "one step of the\ntrained energy": denoised["trained energy"]}
    figure, axes = plt.subplots(len(rows), len(shown), figsize=(11, 6.6))
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.01, wspace=0, hspace=0)
    for (name, images), line in zip(rows.items(), axes):
        for k, axis in zip(shown, line):
            axis.imshow(images[k].reshape(8, 8), vmin=-0.2, vmax=1.2, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        if name != "clean":
            name += f"\n{((images - held_out) ** 2).mean():.4f}"
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    removed = {name: f"{1 - value / error['nothing']:.0%}" for name, value in error.items()}
    figure.suptitle(f"One step along the learned score removes {removed['trained energy']} of the "
                    f"noise on digits never seen,\nthe best affine denoiser "
                    f"{removed['best affine']} (mean squared errors on the left)", fontsize=13)
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
stop_if(any(run.interrupted for run in runs))
assert error["trained energy"] < 0.25 * error["nothing"]          # most of the noise is gone
assert error["trained energy"] < error["best affine"] < error["ten steps"]
assert error["trained energy"] < 1.05 * error["Parzen optimum"]
assert error_train["Parzen optimum"] < error_train["trained energy"]     # the optimum there
# Tweedie's step is the posterior mean: a mean of training digits, weighted by
# exp(-|x_noisy - x|^2 / (2 sigma^2))
distance = ((held_out_noisy[:, None] - train) ** 2).sum(axis=-1)
weights = np.exp(-(distance - distance.min(axis=1, keepdims=True)) / (2 * sigma**2))
posterior_mean = weights @ train / weights.sum(axis=1, keepdims=True)
np.testing.assert_allclose(denoised["Parzen optimum"], posterior_mean, rtol=0, atol=1e-12)
