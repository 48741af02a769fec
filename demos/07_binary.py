# %% [markdown]
# # Binary digits: three losses of energy gaps, and exact likelihood
#
# **Claim.** For x in {0, 1}^d there is no score, but the energy gaps `gap_i = E(flip_i x) - E(x) =
# log(p(x)/p(flip_i x))` contain no Z either:
#
#     ratio matching            J_RM  = mean sum_i sigmoid(-gap_i)^2
#     pseudo-likelihood         J_PL  = mean sum_i log(1 + exp(-gap_i))
#     minimum probability flow  J_MPF = mean sum_i exp(-gap_i / 2)
#     exact likelihood          J_ML  = mean E(x) + log Z          Z a sum over 2^d points
#
# All four are consistent: on data from a machine in the model, with all 2^d points weighted by
# their probability, each has its minimum at that machine; on n points each misses it by a
# divergence that falls as 1/n, that of exact likelihood as `K / (2 n)` for K parameters. On real
# digits, which come from no machine, they differ, and each fit is the best by its own measure.
#
# It takes 40 seconds.

# %%
import numpy as np

import refsm

try:
    from demos._figure import Progress, figure_file, pyplot, save, stop_if, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import Progress, figure_file, pyplot, save, stop_if, table

FIGURE = figure_file("07_binary",
                     "Binary digits: three losses of energy gaps, and exact likelihood.")

# %% [markdown]
# ## Twelve pixels
#
# The six middle columns of each digit, averaged over blocks of 2x2, and black where the average is
# above one half: 12 bits, so that all 4,096 pictures can be listed and Z computed. The model is a
# Boltzmann machine: an offset for each pixel, a coupling for each pair.

# %%
digits = refsm.data.digits()
blocks = digits.reshape(-1, 8, 8)[:, :, 1:7].reshape(-1, 4, 2, 3, 2).mean(axis=(2, 4))
bits = (blocks > 0.5).reshape(len(digits), -1).astype(float)         # blocks (1797, 4, 3), 12 bits
d = bits.shape[1]
order = np.random.default_rng(7).permutation(len(bits))
train, held_out = bits[order[:1297]], bits[order[1297:]]
every = refsm.enumeration.binary_points(d)                           # (4096, 12)


class ExactLikelihood:
    """Minus the mean log likelihood, by listing all points: what the others avoid."""

    def __init__(self, x, weights=None):
        self.x = x
        self.weights = np.full(len(x), 1 / len(x)) if weights is None else weights

    def value(self, model):
        return -float(self.weights @ refsm.enumeration.log_likelihood(model, self.x))

    def value_and_gradient(self, model):
        gradient = refsm.enumeration.log_likelihood_gradient(model, self.x, self.weights)
        return self.value(model), type(gradient)(*(-leaf for leaf in gradient))


MEASURES = {"ratio matching": refsm.RatioMatching, "pseudo-likelihood": refsm.PseudoLikelihood,
            "minimum probability flow": refsm.MinimumProbabilityFlow,
            "exact likelihood": ExactLikelihood}
nothing = refsm.BoltzmannMachine(W=np.zeros((d, d)), b=np.zeros(d))


def fit(measure, x, weights=None, start=nothing):
    J = MEASURES[measure](x, weights=weights)
    return refsm.minimize(J, start, maxiter=500, ftol=1e-11, gtol=1e-6).model


# %% [markdown]
# ## Real digits
#
# Each row is a fit, each column a measure of it on the 1,297 digits of the training set; the last
# column is the likelihood of 500 other digits. The smallest of each of the first four columns
# stands on the diagonal.

# %%
fits = {}
with Progress("fits", of=len(MEASURES)) as fitting:
    for measure in MEASURES:
        fits[measure] = fit(measure, train)
        fitting()
losses = [*(MEASURES[measure](train) for measure in MEASURES), ExactLikelihood(held_out)]
measured = {name: [J.value(model) for J in losses] for name, model in fits.items()}

print(f"Boltzmann machines on {len(train)} digits of {d} bits, "
      f"{len(np.unique(train, axis=0))} of {2**d} pictures seen")
table(["fitted by", "J_RM", "J_PL", "J_MPF", "J_ML", "J_ML, held out"],
      [[name, *(f"{value:.5f}" for value in values)] for name, values in measured.items()])

# %% [markdown]
# ## Data from a machine
#
# Now let the last of these machines, p, be the truth, and draw n pictures from it (exactly: all
# probabilities are known). The error of a fit p' is the Kullback-Leibler divergence, sum p
# log(p/p'). For exact likelihood and large n it is half a chi-square variable of 78 degrees of
# freedom over n.
# The last column has all 4,096 pictures with their probabilities for weights: the minimum of each
# measure in expectation. (Fits to samples start at the truth, which saves some time; those to all
# pictures start from nothing.)

# %%
truth = fits.get("exact likelihood", nothing)
p = refsm.enumeration.probabilities(truth)
SIZES = [4000, 16000, 64000]
DRAWS = 2
K = d * (d + 1) // 2


def divergence(model):
    return p @ (np.log(p) - refsm.enumeration.log_likelihood(model, every))


rng = np.random.default_rng(70)
error = {measure: [] for measure in MEASURES}
with Progress("sample sizes", of=len(SIZES) + 1) as progress:
    for n in [*SIZES, None]:
        divergences = {measure: [] for measure in MEASURES}
        for draw in range(1 if n is None else DRAWS):
            weights = p if n is None else rng.multinomial(n, p) / n
            seen = weights > 0
            for measure in MEASURES:
                start = nothing if n is None else truth
                model = fit(measure, every[seen], weights[seen], start)
                divergences[measure].append(divergence(model))
        for measure in MEASURES:
            error[measure].append(np.mean(divergences[measure]))
        progress()

if progress.finished:
    print(f"\ndivergence of the fit from the true machine in nats, mean of {DRAWS} draws")
    table(["fitted by", *(f"n = {n}" for n in SIZES), "all, with p"],
          [[name, *(f"{e:.6f}" for e in errors[:-1]), f"{errors[-1]:.0e}"]
           for name, errors in error.items()]
          + [["K / (2 n)", *(f"{K / (2 * n):.6f}" for n in SIZES), "0"]])

# %% [markdown]
# ## The picture

# %%
if (plt := pyplot()) and len(fits) == len(MEASURES):
    figure = plt.figure(figsize=(14, 4.8))
    left, middle, right = figure.subfigures(1, 3, width_ratios=[2.2, 3, 3.3])
    axes = left.subplots(4, 2)
    for k, (above, below) in zip([3, 5, 6, 8], axes):
        above.imshow(digits[k].reshape(8, 8)[:, 1:7], vmin=0, vmax=1)
        below.imshow(bits[k].reshape(4, 3), vmin=0, vmax=1)
    for axis in axes.ravel():
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(True)
    axes[0, 0].set_title("6 x 8 pixels")
    axes[0, 1].set_title("12 bits")
    axis = middle.subplots()
    upper = np.triu_indices(d, 1)
    theta = {name: np.concatenate([model.W[upper], model.b]) for name, model in fits.items()}
    exact = theta.pop("exact likelihood")
    axis.axline((0, 0), slope=1, color="0.7", linewidth=1, label="equal")
    for (name, values), mark in zip(theta.items(), "ox^"):
        axis.plot(exact, values, mark, markersize=5, label=name, fillstyle="none")
    axis.set(xlabel="parameter by exact likelihood", ylabel="the same parameter by ...",
             title="on real digits the four fits differ")
    axis.legend()
    axis = right.subplots()
    for (name, errors), mark, dash in zip(error.items(), "ox^s", ["-", "--", "-.", ":"]):
        axis.plot(SIZES[:len(errors)], errors[:len(SIZES)], marker=mark, linestyle=dash,
                  fillstyle="none", label=name)
    axis.plot(SIZES, K / (2 * np.array(SIZES)), color="0.6", linestyle="-", linewidth=3, zorder=0,
              label="$K / (2n)$, $K = 78$")
    axis.set(xscale="log", yscale="log", xlabel="number of pictures $n$",
             ylabel="divergence of the fit  (nats)",
             title="on data of the model all converge as $1/n$",
             xticks=SIZES, xticklabels=[f"{n:,}" for n in SIZES])
    axis.minorticks_off()
    axis.legend()
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
stop_if(not (fitting.finished and progress.finished))
values = np.array(list(measured.values()))[:, :4]
assert (values.argmin(axis=0) == np.arange(4)).all()
for name, errors in error.items():
    assert errors[-1] < 1e-6, name         # in expectation: the truth, where the fit stops
loss = {name: np.mean(errors[:-1] * np.array(SIZES)) * 2 / K for name, errors in error.items()}
# four standard deviations of the mean of six chi-squares
assert 0.7 < loss["exact likelihood"] < 1.3
# little is lost by doing without Z
assert loss["exact likelihood"] < 1.05 * loss["pseudo-likelihood"]
assert loss["pseudo-likelihood"] < loss["ratio matching"]
assert loss["pseudo-likelihood"] < loss["minimum probability flow"]
