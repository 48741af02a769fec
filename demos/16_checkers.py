# %% [markdown]
# # Derivative checkers: what they can see, and what not
#
# **Claim.** Along a line `x + t v` an energy has the slope `-psi.v` and the curvature `-v'Jv`,
# where `psi = -grad E` and `J = d psi/dx`.
#
# - Central differences miss the slope by `h^2/6 |E'''| + eps |E| / h`: they cannot do much better
#   than `eps^(2/3)`, some 4e-11, at a step near `eps^(1/3)`. The complex step
#   `Im E(x + i h v) / h` subtracts nothing and is right to rounding for every small h.
# - A derivative checker sees when a score does not belong to its energy. A mistake made in both it
#   cannot see: the energy is then a right implementation of something else. Only a second way to
#   the same number sees it: here, the sum over all hidden states.
#
# It takes 2 seconds.

# %%
import numpy as np

import refsm

try:
    from demos._figure import figure_file, pyplot, save, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import figure_file, pyplot, save, table

FIGURE = figure_file("16_checkers", "What a derivative checker can see, and what not.")

# %% [markdown]
# ## An energy
#
# A Gaussian-Bernoulli machine: three visible units, five hidden ones that are summed out. `E(x) =
# -log sum_h exp(-E(x, h))` with h in {0, 1}^5.

# %%
rng = np.random.default_rng(1)
d, m = 3, 5
W, b, c = 1.5 * rng.standard_normal((m, d)), rng.standard_normal(m), rng.standard_normal(d)
sigma = 0.7
model = refsm.GaussianBernoulliRBM(W, b, c, np.full(d, np.log(sigma)))

# %% [markdown]
# ## Slope and curvature along a line
#
# Third derivatives are not in the library; differences of v'Jv do for the estimate.

# %%
x = c + np.array([[0.3, -0.8, 0.5]])
v = np.array([[0.6, 0.0, 0.8]])


def along(t):
    """E on the line, for real and complex t."""
    return model.energy(x + np.atleast_1d(t)[:, None] * v)


slope = -(model.score(x) * v).sum()
curvature = -model.score_curvature(x, v)[0]
nearby = x + np.array([[1e-4], [-1e-4]]) * v
third = -np.subtract(*model.score_curvature(nearby, v.repeat(2, axis=0))) / 2e-4
eps = np.finfo(float).eps

h = 10.0 ** np.arange(-14, 0.5, 0.5)
central = np.array([(along(t) - along(-t))[0] / (2 * t) for t in h])
complex_step = np.array([np.imag(along(1j * t))[0] / t for t in h])
error = {"central differences": abs(central / slope - 1),
         "complex step": abs(complex_step / slope - 1)}

print(f"slope {slope:.6f}, curvature {curvature:.6f}; relative error of the slope:")
table(["h", *error], [[f"{h[k]:.0e}", *(f"{errors[k]:.0e}" for errors in error.values())]
                      for k in range(0, len(h), 4)])
best = h[error["central differences"].argmin()]
optimum = (3 * eps * abs(along(0)[0]) / abs(third)) ** (1 / 3)
print(f"\ncentral differences are best at h = {best:.0e}; "
      f"(3 eps |E| / |E'''|)^(1/3) = {optimum:.0e}")


# %% [markdown]
# ## Seven mistakes
#
# Each pair (E, psi) below is somebody's implementation of the same energy. The checker gets both
# functions and compares psi with derivatives of E. The other side sums over the 32 hidden states
# and compares differences of E between points.

# %%
def softplus(a):
    return np.logaddexp(0, a) if np.isrealobj(a) else np.log1p(np.exp(a))


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def energy(x, variance=sigma**2, half=2, free=softplus):
    quadratic = ((x - c) ** 2).sum(axis=1) / (half * variance)
    return quadratic - free(b + x @ W.T / variance).sum(axis=1)


def score(x, variance=sigma**2, half=2, slope=sigmoid):
    return (slope(b + x @ W.T / variance) @ W + (c - x) * 2 / half) / variance


W_off = W.copy()
W_off[2, 1] *= 1.001

IMPLEMENTATIONS = {
    "right": (energy, score),
    "score halved": (energy, lambda x: score(x) / 2),
    "score with the sign of E": (energy, lambda x: -score(x)),
    "hidden units dropped from psi": (energy, lambda x: (c - x) / sigma**2),
    "one weight off by 0.1 % in psi": (
        energy, lambda x: (sigmoid(b + x @ W.T / sigma**2) @ W_off + c - x) / sigma**2),
    "sigma for sigma^2 in both": (lambda x: energy(x, variance=sigma),
                                  lambda x: score(x, variance=sigma)),
    "no 1/2 on |x - c|^2 in both": (lambda x: energy(x, half=1), lambda x: score(x, half=1)),
    "h in {-1, 1} in both": (lambda x: energy(x, free=lambda a: np.log(2 * np.cosh(a))),
                             lambda x: score(x, slope=np.tanh)),
}

points = c + rng.standard_normal((7, d))
hidden = refsm.enumeration.binary_points(m)                     # (32, 5)


def enumerated(x):
    """E(x) from the joint energy of x and h, all h listed."""
    quadratic = ((x - c) ** 2).sum(axis=1)[:, None] / (2 * sigma**2)
    joint = quadratic - hidden @ b - x @ W.T @ hidden.T / sigma**2          # (n, 32)
    low = joint.min(axis=1)
    return low - np.log(np.exp(low[:, None] - joint).sum(axis=1))


truth = enumerated(points) - enumerated(points)[0]
reports, seen = {}, {}
for name, (E, psi) in IMPLEMENTATIONS.items():
    reports[name] = refsm.check_gradient(lambda y, E=E: E(y).sum(), -psi(points), points)
    seen[name] = np.abs(E(points) - E(points)[0] - truth).max() / np.abs(truth).max()


def finding(report):
    """The checker's finding in a few words."""
    if report.holds:
        return ""
    if report.rest < report.accuracy:
        return f"{report.scalar:.4f} times"
    return f"off by {report.error:.0e}"


print("\nthe checker, and the sum over hidden states:")
table(["implementation", "checker", "it says", "hidden states", "off by"],
      [[name, report.verdict, finding(report), "agree" if seen[name] < 1e-12 else "disagree",
        f"{seen[name]:.0e}"] for name, report in reports.items()])

# %% [markdown]
# ## The picture
#
# Left, E along the line with the tangents and parabolas that psi and J predict. Middle, the error
# of the slope against the step. Right, who sees which mistake.

# %%
if plt := pyplot():
    figure, axes = plt.subplots(1, 3, figsize=(15, 5))
    t = np.linspace(-2.2, 2.2, 200)
    axes[0].plot(t, along(t), "k-", linewidth=1.5, label="$E(x + t\\,v)$")
    for at in (-1.5, -0.1, 1.4):
        near = at + np.linspace(-0.55, 0.55, 40)
        here = x + at * v
        E, first = model.energy(here)[0], -(model.score(here) * v).sum()
        second = -model.score_curvature(here, v)[0]
        tangent, parabola = axes[0].plot(
            near, E + first * (near - at), "--", near,
            E + first * (near - at) + second * (near - at) ** 2 / 2, "-.")
        tangent.set_color("#0b62a4")
        parabola.set_color("#c4501b")
        axes[0].plot(at, E, "ko", markersize=5)
    tangent.set_label("slope $-\\psi\\cdot v$")
    parabola.set_label("curvature $-v'Jv$")
    axes[0].set(xlabel="$t$  (units of $x$)", ylabel="$E$  (nats)",
                title="score and Jacobian give slope and curvature")
    axes[0].legend()
    axes[1].plot(h, error["central differences"], "ks-", markersize=4, linewidth=1,
                 label="central differences")
    exact = error["complex step"] == 0                          # has no place on the axis
    axes[1].plot(h[~exact], error["complex step"][~exact], "o--", color="#c4501b", markersize=4,
                 linewidth=1, label="complex step")
    law = (h**2 / 6 * abs(third) + eps * abs(along(0)[0]) / h) / abs(slope)
    axes[1].plot(h, law, "-", color="0.65", zorder=0, label=r"$h^2|E'''|/6 + \epsilon|E|/h$")
    axes[1].set(xscale="log", yscale="log", ylim=(1e-17, 1e4), xticks=[1e-13, 1e-9, 1e-5, 1e-1],
                xlabel="step $h$  (units of $x$)", ylabel="relative error of the slope",
                title="differences lose digits, complex steps do not")
    axes[1].legend(loc="upper center")
    names = list(reports)
    axes[2].hlines(range(len(names)), 1e-17, 10, color="0.9", linewidth=0.8)
    axes[2].plot([max(reports[name].error, 1e-17) for name in names], range(len(names)), "o",
                 color="k", label="derivative checker")
    axes[2].plot([max(seen[name], 1e-17) for name in names], range(len(names)), "D", markersize=7,
                 color="#c4501b", fillstyle="none", label="sum over hidden states")
    axes[2].set(xscale="log", xlim=(1e-17, 100), ylim=(len(names) - 0.4, -2.2),
                yticks=range(len(names)), yticklabels=names, xlabel="relative error that each sees",
                title="only the sum sees a mistake in both")
    axes[2].tick_params(axis="y", labelsize=9, length=0)
    axes[2].legend(loc="upper center", ncols=2, columnspacing=1)
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
assert error["complex step"][h < 1e-8].max() < 1e-14
assert 1e-13 < error["central differences"].min() < 1e-8
assert optimum / 30 < best < optimum * 30
constant = enumerated(points) - model.energy(points)
np.testing.assert_allclose(constant, constant[0], rtol=0, atol=1e-12)
np.testing.assert_allclose(score(points), model.score(points), rtol=1e-12)
for name, report in reports.items():
    assert report.holds == (name == "right" or name.endswith("in both")), name
    assert (seen[name] < 1e-12) == (not name.endswith("in both")), name
assert refsm.check_model(model, points).holds               # every quantity and every pullback
