# %% [markdown]
# # Many machines: an objective is a sum over points, so an existing engine does the distribution
#
# **Claim.** With weights 1/N for all N points, the blocks' values and gradients add up to the
# whole:
#
#     J = sum_blocks J_block,    dJ/dtheta = sum_blocks dJ_block/dtheta,
#
# to rounding, whoever computes the blocks and in whatever order. Models and objectives pickle, so
# a task is a block and a model.
#
# Dask is neither a dependency of refsm nor imported by it: `pip install 'dask[array]'` brings it.
# The same eight lines serve joblib, Ray, MPI or a pool of processes. It takes 5 seconds.

# %%
import functools
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

import refsm

try:
    from demos._figure import figure_file, pyplot, save, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import figure_file, pyplot, save, table

FIGURE = figure_file("11_dask", "An objective and a descent over Dask blocks, with the numbers of a single machine.")
try:
    import dask
    import dask.array
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
    """An objective whose blocks live in Dask tasks; it goes where an objective goes."""

    parts: list

    def value_and_gradient(self, model: Any) -> tuple[float, Any]:
        """Each block's value and gradient as a task, and their sum."""
        answers = dask.compute(*(dask.delayed(lambda J: J.value_and_gradient(model))(part) for part in self.parts))
        add = functools.partial(functools.reduce, lambda left, right: left + right)
        return add([value for value, _ in answers]), type(model.theta)(*map(add, zip(*(gradient for _, gradient in answers))))


# %% [markdown]
# ## One evaluation, and a descent
#
# The same descent twice: over tasks, and over one array in this process.

# %%
rng = np.random.default_rng(12)
model = refsm.AutoencoderEnergy(W=rng.standard_normal((32, d)) / 8, b=np.zeros(32), c=digits.mean(axis=0), sigma=0.3)
many = Distributed([objective(*pair) for pair in zip(*blocks)])
one = refsm.DenoisingScoreMatching(digits, x_noisy, 0.3)

(value_many, gradient_many), (value_one, gradient_one) = many.value_and_gradient(model), one.value_and_gradient(model)
gap = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(gradient_many, gradient_one))
runs = {name: refsm.gradient_descent(J, model, steps=20, rate=2e-4, momentum=0.9) for name, J in (("Dask blocks", many), ("one array", one))}
paths = {name: run.history.value for name, run in runs.items()}
distance = float(np.abs(runs["Dask blocks"].model.ravel() - runs["one array"].model.ravel()).max())

table(["", "J at the start", "J after 20 steps"], [[name, f"{path[0]:.12f}", f"{path[-1]:.12f}"] for name, path in paths.items()])
print(f"\n{len(many.parts)} blocks; relative gap of the value {abs(value_many / value_one - 1):.1e}, of the gradient {gap:.1e};\n"
      f"of theta after the descent {distance:.1e}")

# %%
plt = pyplot()
if plt:
    figure, axis = plt.subplots(figsize=(4.6, 3.0))
    for (name, path), width in zip(paths.items(), (4, 1.2)):
        axis.plot(path, label=name, linewidth=width, alpha=0.5 if width > 2 else 1.0)
    axis.set_xticks(range(0, 21, 5))
    axis.set_xlabel("step of the descent")
    axis.set_ylabel(r"$J_{DSM}$ (units of $1/x^2$)")
    axis.legend()
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
assert abs(value_many / value_one - 1) < 1e-13 and gap < 1e-12
if any(run.interrupted for run in runs.values()):
    print("\ninterrupted: the descents are not compared")
else:
    assert distance < 1e-11
    assert paths["one array"][-1] < 0.9 * paths["one array"][0]
