# %% [markdown]
# # Many machines: an objective is a sum over points, so Dask can distribute it
#
# **Claim.** With weights 1/N for all N points, the values and gradients of the blocks add up to
# those of the whole:
#
#     J = sum_blocks J_block,    dJ/dtheta = sum_blocks dJ_block/dtheta,
#
# to rounding, in whatever order and on whatever machine each block is computed. Models and
# objectives pickle, so a task is a block and a model: one task per block makes the objective, one
# evaluates it, and their sums come back.
#
# Dask is neither a dependency of refsm nor imported by it: `pip install 'dask[array]'` brings it.
# The same ten lines serve joblib, Ray, MPI or a pool of processes. It takes 5 seconds.

# %%
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

import refsm

try:
    from demos._figure import figure_file, kept, pyplot, save, stop_if, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import figure_file, kept, pyplot, save, stop_if, table

FIGURE = figure_file("11_dask", "An objective over Dask blocks has the numbers of one machine.")
try:
    import dask
    import dask.array
    from dask.diagnostics import Profiler
except ImportError:
    print("This demo needs Dask, which is not installed: pip install 'dask[array]' brings it.")
    sys.exit()

# %% [markdown]
# ## The data as Dask sees them
#
# A Dask array is a grid of blocks that exist only while a task needs them. Here each is cut from
# the digits; it could as well be read from a file.

# %%
digits = refsm.data.digits()
N, d = digits.shape
x_noisy = digits + 0.3 * np.random.default_rng(11).standard_normal(digits.shape)
blocks = [dask.array.from_array(a, chunks=(400, d)).to_delayed().ravel() for a in (digits, x_noisy)]


@dask.delayed
def objective(x, x_noisy):
    """One block's share of the whole: its points weigh 1/N, not 1/n."""
    return refsm.DenoisingScoreMatching(x, x_noisy, 0.3, weights=np.full(len(x), 1 / N))


@dataclass
class Distributed:
    """The sum of objectives that Dask tasks hold; it can be used wherever an objective can."""

    parts: list

    def value_and_gradient(self, model: Any) -> tuple[float, Any]:
        """The value and gradient of each block in a task of its own, and their sums."""
        tasks = [dask.delayed(evaluate)(part, model) for part in self.parts]
        values, gradients = zip(*dask.compute(*tasks))
        return sum(values), type(model.theta)(*map(sum, zip(*gradients)))


def evaluate(J, model):
    return J.value_and_gradient(model)


# %% [markdown]
# ## One evaluation, and a descent
#
# The same descent twice: over tasks, and over one array in this process.

# %%
rng = np.random.default_rng(12)
W = rng.standard_normal((32, d)) / 8
model = refsm.AutoencoderEnergy(W=W, b=np.zeros(32), c=digits.mean(axis=0), sigma=0.3)
many = Distributed([objective(*pair) for pair in zip(*blocks)])
one = refsm.DenoisingScoreMatching(digits, x_noisy, 0.3)

with Profiler() as profile:
    value_many, gradient_many = many.value_and_gradient(model)
value_one, gradient_one = one.value_and_gradient(model)
gap = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(gradient_many, gradient_one))


def descend(J):
    return kept(lambda: refsm.gradient_descent(J, model, steps=20, rate=2e-4, momentum=0.9))


runs = {name: descend(J) for name, J in (("Dask blocks", many), ("one array", one))}
paths = {name: run.history.value for name, run in runs.items()}
ends = [run.model.ravel() for run in runs.values()]
distance = float(np.abs(ends[0] - ends[1]).max())

table(["", "J at the start", "J after 20 steps"],
      [[name, f"{path[0]:.12f}", f"{path[-1]:.12f}"] for name, path in paths.items()])
print(f"\n{len(many.parts)} blocks; relative gap of the value "
      f"{abs(value_many / value_one - 1):.1e},\nof the gradient {gap:.1e}; "
      f"of theta after the descent {distance:.1e}")

# %% [markdown]
# ## The picture
#
# Left, what Dask does in one evaluation: which task ran on which thread, and when. Right, the two
# descents.

# %%
if plt := pyplot():
    figure, axes = plt.subplots(1, 2, figsize=(12.5, 4.8), gridspec_kw={"width_ratios": [3, 2]})
    kinds = {"make the objective of a block": "#7fa23c", "evaluate it": "#0b62a4"}
    begin = min(task.start_time for task in profile.results)
    workers = sorted({str(task.worker_id) for task in profile.results})
    for task in profile.results:
        key = str(task.key)
        kind = list(kinds)["evaluate" in key]
        axes[0].barh(workers.index(str(task.worker_id)), 1e3 * (task.end_time - task.start_time),
                     left=1e3 * (task.start_time - begin), height=0.7, color=kinds[kind],
                     edgecolor="white", linewidth=0.5)
    for kind, color in kinds.items():
        axes[0].barh(0, 0, color=color, label=kind)
    axes[0].set(yticks=range(len(workers)), ylim=(-0.6, len(workers) + 0.3), xlabel="time  (ms)",
                yticklabels=[f"thread {k + 1}" for k in range(len(workers))],
                title=f"{len(many.parts)} blocks, each a chain of tasks, side by side")
    axes[0].legend(loc="upper left", ncols=2)
    for (name, path), width in zip(paths.items(), (6, 1.8)):
        axes[1].plot(path, label=name, linewidth=width, alpha=0.5 if width > 2 else 1.0)
    axes[1].set(xticks=range(0, 21, 5), xlabel="step of the descent",
                ylabel=r"loss  (1 / pixel$^2$)", title="the same descent, blocks or not")
    axes[1].legend()
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
assert abs(value_many / value_one - 1) < 1e-13
assert gap < 1e-12
stop_if(any(run.interrupted for run in runs.values()))
assert distance < 1e-11
assert paths["one array"][-1] < 0.9 * paths["one array"][0]
