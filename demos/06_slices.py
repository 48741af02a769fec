# %% [markdown]
# # Slices: how many directions, and of which kind
#
# **Claim.** Sliced score matching replaces a trace by the mean over M directions v with `E[v v'] =
# I`:
#
#     term = 1/M sum_r v_r' A v_r,    E_v term = tr A,
#
# where `A = J + 1/2 psi psi'` for the plain form and `A = J` for the variance-reduced form, which
# adds `1/2 |psi|^2` without a slice. Its variance at one point is, for a symmetric A in d
# dimensions,
#
#     Gaussian    2 |A|^2 / M
#     signs       2 (|A|^2 - sum_i A_ii^2) / M
#     sphere      2 d/(d+2) (|A|^2 - (tr A)^2 / d) / M          vectors of length sqrt(d)
#     frame       the sphere's times (d - M)/(d - 1)            M vectors of a frame times sqrt(d)
#
# so a whole frame, M = d, is exact: sliced = implicit score matching. (|A|^2 is the sum of all
# squared entries.)
#
# It takes 2 seconds.

# %%
import numpy as np

import refsm

try:
    from demos._figure import Progress, figure_file, pyplot, save, stop_if, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import Progress, figure_file, pyplot, save, stop_if, table

FIGURE = figure_file("06_slices",
                     "Sliced score matching: the variance by number and kind of directions.")

# %% [markdown]
# ## The setting
#
# Sixteen handwritten digits, d = 64, and Vincent's energy with some of the other digits as its
# weights. What slices must estimate is a trace, whatever the energy. J is far from diagonal here,
# because neighbouring pixels are correlated.

# %%
rng = np.random.default_rng(6)
digits = refsm.data.digits()
x, others = digits[:16], digits[16:64]
n, d = x.shape
W = others - others.mean(axis=0)
b = -np.einsum("mi,mi->m", W, others) / 2
model = refsm.AutoencoderEnergy(W=W, b=b, c=others.mean(axis=0), sigma=0.3)

psi, J = model.score(x), model.score_jacobian(x)
A_OF = {"plain": J + psi[:, :, None] * psi[:, None, :] / 2, "variance-reduced": J}
implicit = refsm.ImplicitScoreMatching(x).value(model)


# %% [markdown]
# ## Four kinds of directions
#
# All have `E[v v'] = I`. Scaled to length 1 they have `E[v v'] = I/d`: the plain loss comes out d
# times too small, and the variance-reduced one is another loss.

# %%
KINDS = {
    "Gaussian": lambda M: refsm.directions.gaussian(n, M, d, rng),
    "signs": lambda M: refsm.directions.signs(n, M, d, rng),
    "sphere": lambda M: refsm.directions.sphere(n, M, d, rng),
    "frame": lambda M: refsm.directions.frames(n, d, rng)[:, :M],
}


def variance_at_one(kind, A):
    """The variance of the mean over points of v'Av, with one direction per point."""
    square, trace = (A * A).sum(axis=(1, 2)), np.trace(A, axis1=1, axis2=2)
    diagonal = (np.diagonal(A, axis1=1, axis2=2) ** 2).sum(axis=1)
    each = {"Gaussian": 2 * square, "signs": 2 * (square - diagonal)}
    on_sphere = 2 * d / (d + 2) * (square - trace**2 / d)
    return each.get(kind, on_sphere).sum() / n**2


def predicted(kind, form, M):
    """The standard deviation of the loss with M directions per point."""
    left_out = (d - M) / (d - 1) if kind == "frame" else 1
    return np.sqrt(variance_at_one(kind, A_OF[form]) / M * left_out)


# %% [markdown]
# ## The measurement
#
# Draw 64 directions per point many times; the first M of them are a draw of M directions.

# %%
MANY = np.array([1, 2, 4, 8, 16, 32, 64])
REPEATS = 100

losses = {(kind, form): [] for kind in KINDS for form in A_OF}
with Progress("draws of directions", of=REPEATS) as progress:
    for _ in range(REPEATS):
        for kind, draw in KINDS.items():
            v = draw(d)
            curvature = model.score_curvature(x, v)                              # (n, M)
            along = np.einsum("nri,ni->nr", v, psi)                              # (n, M)
            running = [(values.cumsum(axis=1) / np.arange(1, d + 1)).mean(axis=0)[MANY - 1]
                       for values in (curvature + along**2 / 2, curvature)]
            losses[kind, "plain"].append(running[0])
            losses[kind, "variance-reduced"].append(running[1] + (psi**2).sum(axis=1).mean() / 2)
        progress()
losses = {key: np.reshape(values, (-1, len(MANY))) for key, values in losses.items()}
spread = {key: np.sqrt(((values - implicit) ** 2).mean(axis=0)) if len(values)
          else np.full(len(MANY), np.nan) for key, values in losses.items()}

print(f"implicit score matching on {n} digits, d = {d}: {implicit:.1f}")
print("standard deviation of the sliced loss around it, measured (and predicted):")
table(["directions", "form", *(f"M = {M}" for M in MANY[::3])],
      [[kind, form, *(f"{spread[kind, form][k]:.1f} ({predicted(kind, form, MANY[k]):.1f})"
                      for k in range(0, len(MANY), 3))] for kind, form in losses])

# %% [markdown]
# ## The picture
#
# Lines are the closed forms, marks the measurements. All fall as `1 / sqrt(M)` except the frame,
# whose directions are not independent.

# %%
if plt := pyplot():
    figure, axes = plt.subplots(1, 2, figsize=(12.5, 5), sharey=True)
    fine = d - np.geomspace(1e-5, d - 1, 400)
    for axis, form in zip(axes, A_OF):
        for kind, mark, dash in zip(KINDS, "os^D", ["-", "--", ":", "-"]):
            line, = axis.plot(fine, [predicted(kind, form, M) for M in fine], linestyle=dash)
            shown = spread[kind, form] > 1e-6
            axis.plot(MANY[shown], spread[kind, form][shown], mark, color=line.get_color(),
                      markersize=6, label=kind)
        axis.set(xscale="log", yscale="log", xlabel="number of directions $M$ per point",
                 xticks=MANY, xticklabels=MANY, ylim=(0.1, 1000))
        axis.minorticks_off()
        axis.axvline(d, color="0.8", linewidth=0.8, zorder=0)
    ratio = predicted("signs", "plain", 1) / predicted("signs", "variance-reduced", 1)
    axes[0].set(ylabel="standard deviation of the loss  (1 / pixel$^2$)",
                title="plain: falls as $1/\\sqrt{M}$")
    axes[1].set(title=f"variance-reduced: {ratio:.1f} times smaller here (signs)")
    axes[0].plot([], [], "-", color="0.4", label="lines: closed forms")
    axes[0].plot([], [], "o", color="0.4", label="marks: measured")
    axes[0].legend(title="directions")
    axes[1].annotate("a whole frame,\n$M = d$, is exact", (d, 0.1), (7, 0.2),
                     arrowprops={"arrowstyle": "->", "color": "0.4"})
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked
#
# The objective itself on whole frames, both forms, is implicit score matching to rounding.
# Measured standard deviations lie within a quarter of the closed forms: with 100 draws, that is
# more than three of their own standard deviations.

# %%
stop_if(not progress.finished)
for reduced in (False, True):
    sliced = refsm.SlicedScoreMatching(x, KINDS["frame"](d), variance_reduced=reduced)
    assert abs(sliced.value(model) - implicit) < 1e-12 * abs(implicit)
    exact = refsm.ImplicitScoreMatching(x).gradient(model).W
    np.testing.assert_allclose(sliced.gradient(model).W, exact, rtol=0, atol=1e-9)
for (kind, form), measured in spread.items():
    for M, s in zip(MANY[:-1], measured):
        assert abs(s / predicted(kind, form, M) - 1) < 0.25, (kind, form, M)
assert spread["frame", "plain"][-1] < 1e-9 > spread["frame", "variance-reduced"][-1]
