# %% [markdown]
# # A sample is not its expectation: explicit and implicit losses
#
# **Claim.** Point by point, explicit and implicit score matching differ by a term that depends on
# theta,
#
#     J_ESM - J_ISM = 1/2 |grad log q|^2 - S,
#     S(x; theta) = psi.grad log q + div psi = div(q psi) / q,
#
# and only the expectation of S is 0 (integrate by parts). So on n points the gap between the two
# losses is a term without theta plus noise of size `sd(S) / sqrt(n)`, a different noise for each
# theta: their minimisers differ on a sample and agree in expectation. And if `q psi` does not
# vanish at the boundary, even the expectation of S need not be 0.
#
# It takes 2 seconds.

# %%
import numpy as np

import refsm

try:
    from demos._figure import Progress, figure_file, pyplot, save, stop_if, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import Progress, figure_file, pyplot, save, stop_if, table

FIGURE = figure_file("10_sample",
                     "Explicit and implicit losses differ on a sample, not in expectation.")

# %% [markdown]
# ## A density, and energies that differ from it
#
# q has two modes in the plane. The energies are Gaussians with the mean of q and t times the
# inverse of its covariance: t = 1 is the Gaussian of maximum likelihood. In expectation both
# losses are smallest at the same t.

# %%
q = refsm.GaussianMixture([0.35, 0.65], [[-1.0, 0.5], [0.8, -0.4]],
                          [[[0.6, 0.2], [0.2, 0.5]], [[0.5, -0.3], [-0.3, 0.7]]])
P = np.linalg.inv(q.covariance)


def energy(t):
    return refsm.Gaussian(q.mean, t * P)


def losses(x, model, weights=None):
    return (refsm.ExplicitScoreMatching(x, q, weights=weights).per_sample(model),
            refsm.ImplicitScoreMatching(x, weights=weights).per_sample(model))


def stein(x, model):
    """S(x) = psi.grad log q + div psi."""
    return (model.score(x) * q.score(x)).sum(axis=1) + model.score_divergence(x)


# %% [markdown]
# ## In expectation
#
# Nodes and weights of the trapezoid rule; `spread` is the standard deviation of S.

# %%
nodes, weights = refsm.expectations.trapezoid(q, size=101)
constant = weights @ (q.score(nodes) ** 2).sum(axis=1) / 2
T = {"t = 0.5": 0.5, "t = 1": 1.0, "t = 2": 2.0}
expected, spread = {}, {}
for name, t in T.items():
    explicit, implicit = losses(nodes, energy(t), weights)
    expected[name] = (weights @ explicit, weights @ implicit)
    spread[name] = np.sqrt(weights @ stein(nodes, energy(t)) ** 2)

print(f"in expectation: 1/2 E|grad log q|^2 = {constant:.12f}")
table(["energy", "E J_ESM", "E J_ISM", "gap - constant", "E S", "sd(S)"],
      [[name, f"{a:.9f}", f"{b:.9f}", f"{a - b - constant:.0e}",
        f"{weights @ stein(nodes, energy(T[name])):.0e}", f"{spread[name]:.4f}"]
       for name, (a, b) in expected.items()])

# %% [markdown]
# ## On samples
#
# 300 samples of each size: the root mean square of (J_ESM - J_ISM - its expectation), with 1/2
# |grad log q|^2 averaged over the same sample, so that only S is left; it must be sd(S) / sqrt(n).

# %%
rng = np.random.default_rng(10)
SIZES = [10, 30, 100, 300, 1000]
REPEATS = 300
gap = {name: [] for name in T}
with Progress("sample sizes", of=len(SIZES)) as progress:
    for n in SIZES:
        x = q.sample(REPEATS * n, rng)
        own = (q.score(x) ** 2).sum(axis=1) / 2
        for name, t in T.items():
            explicit, implicit = losses(x, energy(t))
            gaps = (explicit - implicit - own).reshape(REPEATS, n).mean(axis=1)
            gap[name].append(np.sqrt((gaps**2).mean()))
        progress()

if progress.finished:
    print(f"\non {REPEATS} samples of n points: root mean square of the gap (and sd(S) / sqrt(n))")
    table(["energy", *(f"n = {n}" for n in SIZES[::2])],
          [[name, *(f"{value:.4f} ({spread[name] / np.sqrt(n):.4f})"
                    for n, value in list(zip(SIZES, gap[name]))[::2])] for name in T])


# %% [markdown]
# ## The minimisers
#
# Both losses are quadratic in t: J_ESM(t) = a t^2 / 2 - b t + constant with a = mean |P(x - m)|^2
# and b = -mean P(x - m).grad log q; for J_ISM, b = tr P. On a sample t = b/a differs between the
# two. (The explicit loss needs grad log q, which is unknown for real data.)

# %%
def best(x, weights):
    u = (x - q.mean) @ P
    a = weights @ (u * u).sum(axis=1)
    return -(weights @ (u * q.score(x)).sum(axis=1)) / a, np.trace(P) / a


few = q.sample(6 * 20, rng).reshape(6, 20, 2)
best_of = [best(x, np.full(20, 1 / 20)) for x in few]
best_expected = best(nodes, weights)
print("\nthe best t:")
table(["data", "explicit", "implicit"],
      [["expectation", *(f"{t:.9f}" for t in best_expected)],
       *([f"20 points, sample {k + 1}", *(f"{t:.4f}" for t in both)]
         for k, both in enumerate(best_of))])

# %% [markdown]
# ## Where the boundary counts
#
# The exponential density q = exp(-x) on x > 0 stops at 0 with height 1. With psi = -t (x - 1), by
# parts, E S = -q(0) psi(0) = -t: a function of theta, so there implicit score matching has another
# minimiser, in expectation too.

# %%
z, z_weights = np.polynomial.laguerre.laggauss(8)           # exact for polynomials under exp(-x)
boundary = {t: z_weights @ (-t * (z - 1) * -1 + -t) for t in (0.5, 1.0, 2.0)}
print("\nunder q = exp(-x), x > 0:")
table(["t", "E S", "by parts"],
      [[f"{t}", f"{value:.12f}", f"{-t}"] for t, value in boundary.items()])

# %% [markdown]
# ## The picture
#
# Left, each loss minus its constant along t: the expectation of both is one curve; three samples
# of 20 points give a pair of curves each. Right, the gap against n.

# %%
if plt := pyplot():
    figure, axes = plt.subplots(1, 2, figsize=(12.5, 5))
    t = np.linspace(0.2, 2.2, 41)
    curve = np.array([weights @ losses(nodes, energy(each), weights)[1] for each in t])
    for x, color, mark in zip(few, ["#0b62a4", "#c4501b", "#7fa23c"], "osD"):
        means = [[part.mean() for part in losses(x, energy(each))] for each in t]
        explicit, implicit = np.array(means).T
        explicit -= (q.score(x) ** 2).sum(axis=1).mean() / 2
        for values, dash in ((explicit, "-"), (implicit, "--")):
            axes[0].plot(t, values, linestyle=dash, color=color, linewidth=1.2, marker=mark,
                         markersize=6, markevery=[values.argmin()])
    axes[0].plot(t, curve, "k-", linewidth=2.5)
    axes[0].plot([], [], "k-", linewidth=2.5, label="both, in expectation")
    axes[0].plot(1, curve[np.abs(t - 1).argmin()], "k*", markersize=11,
                 label="the minimum of both, in expectation")
    axes[0].plot([], [], "-", color="0.4", linewidth=1, label="explicit, 20 points")
    axes[0].plot([], [], "--", color="0.4", linewidth=1, label="implicit, same points")
    axes[0].legend(loc="upper left")
    axes[0].set(xlabel="$t$, the scale of the precision", ylabel=r"$J$ - constant  (1 / $x^2$)",
                title="on 20 points the two losses have different minima (marks)")
    for (name, values), mark, dash in zip(gap.items(), "osD", ["-", "--", ":"]):
        line, = axes[1].plot(SIZES, spread[name] / np.sqrt(SIZES), linestyle=dash)
        axes[1].plot(SIZES[:len(values)], values, mark, color=line.get_color(), label=f"${name}$")
    axes[1].plot([], [], "-", color="0.4", label=r"lines: sd$(S)\,/\,\sqrt{n}$")
    axes[1].set(xscale="log", yscale="log", xlabel="number of points $n$",
                ylabel=r"size of $J_{ESM} - J_{ISM}$ - constant  (1 / $x^2$)",
                title=r"the gap falls as $1/\sqrt{n}$")
    axes[1].legend()
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
for name, (explicit, implicit) in expected.items():
    assert abs(explicit - implicit - constant) < 1e-12 * constant, name
assert abs(best_expected[0] - best_expected[1]) < 1e-12
assert min(abs(a - b) for a, b in best_of) > 1e-3
for t, value in boundary.items():
    assert abs(value + t) < 1e-12
stop_if(not progress.finished)
for name in T:
    for n, value in zip(SIZES, gap[name]):
        # 300 samples: six standard deviations of the estimate
        assert abs(value * np.sqrt(n) / spread[name] - 1) < 0.25, (name, n)
