"""Check a gradient or a Jacobian, given as code or as an array, against the function that it is claimed to belong to.

Symbols
    f            the function;  x where it is differentiated: an array, or a tuple (a NamedTuple, a dict) of arrays, the blocks
    u            a direction within one block: one entry, or a Gaussian one
    g            the claimed gradient
    H            the claimed Hessian
    t            a step
    r_1, r_2     Taylor remainders

Equations
    (1)  r_1(t) = f(x + t u) - f(x) - t g.u                        of order t^2
    (2)  r_2(t) = r_1(t) - t^2 u'H u / 2                           of order t^3
    (3)  order  = log( r(t) / r(t/4) ) / log 4

Derivation
    (1), (2)  Taylor's formula.  A wrong gradient leaves t (g' - g).u in (1): order 1.  A remainder that is zero to the noise of f at every step
              (a linear f, a quadratic one with its Hessian) has no order; it is reported as infinite.

Method
    Every entry where there are few parameters.  Otherwise, in EACH block, some Gaussian directions: an error e shows as u.e ~ N(0, |e|^2),
    compared with the size of that block's own derivatives, so a wrong block beside one 10^4 times larger is seen.  Where a block with
    many entries fails, its worst entry is looked for by halving.  What a verdict is: `refsm.checks.verdict`.
"""
from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Callable, NamedTuple

import numpy as np

from refsm import validation
from refsm.checks.differences import STEPS, Function, noise_level, norm
from refsm.checks.probe import Probe
from refsm.checks.verdict import Report, combined, judge
from refsm.typing import Array, ArrayLike

__all__ = ["check_gradient", "check_jacobian", "taylor_orders", "TaylorOrders", "Blocks", "function", "source"]

FEW = 24              # parameters that are all tried, one by one
DIRECTIONS = 5        # directions tried in each block otherwise
NOISY = 100           # a Taylor remainder counts where it is this many times the noise of f
REFUSALS = (ValueError, ArithmeticError, np.linalg.LinAlgError)    # what f may raise outside its domain


class Blocks:
    """Arrays as one vector, and back: an array is one block without a name."""

    def __init__(self, x: Any) -> None:
        self.like = x
        named = x if isinstance(x, dict) else dict(zip(getattr(x, "_fields", map(str, range(len(x)))), x)) if isinstance(x, tuple) else {"": x}
        parts = [_numbers(value, f"x {name}".strip()) for name, value in named.items()]
        if not parts:
            raise ValueError("x must have at least one block, but it has none")
        self.names, self.shapes = list(named), [part.shape for part in parts]
        self.vector = np.concatenate([part.ravel() for part in parts])
        ends = np.cumsum([part.size for part in parts]).tolist()
        self.slices = [slice(end - part.size, end) for end, part in zip(ends, parts)]

    def unravel(self, vector: Array) -> Any:
        """What the function under test takes."""
        parts = [vector[rows].reshape(shape) for rows, shape in zip(self.slices, self.shapes)]
        if isinstance(self.like, dict):
            return dict(zip(self.names, parts))
        if isinstance(self.like, tuple):
            return type(self.like)(*parts) if hasattr(self.like, "_fields") else tuple(parts)
        return parts[0]

    def ravel(self, claimed: Any, name: str) -> Array:
        """A claimed gradient as a vector; ValueError where its blocks are not shaped as those of x."""
        parts = list(claimed.values()) if isinstance(claimed, dict) else claimed if isinstance(self.like, (tuple, dict)) else [claimed]
        if len(parts) != len(self.names):
            raise ValueError(f"{name} must have {len(self.names)} blocks as x has, but it has {len(parts)}")
        return np.concatenate([validation.array(part, f"{name} {block}".strip(), shape).ravel() for part, block, shape in zip(parts, self.names, self.shapes)])

    def scales(self, scale: float | None) -> list[float]:
        """The size of a step in each block: the root mean square of its entries, or 1 where they are 0."""
        if scale is not None:
            return [validation.positive(scale, "scale")] * len(self.names)
        sizes = [float(abs(self.vector[rows]).max()) for rows in self.slices]
        return [size * float(np.sqrt(np.mean((self.vector[rows] / size) ** 2))) if size > 0 else 1.0 for size, rows in zip(sizes, self.slices)]


def check_gradient(f: Callable[[Any], Any], gradient: Any, x: Any, *, accuracy: float = 1e-6, rng: np.random.Generator | None = None,
                   complex_step: bool | None = None, scale: float | None = None) -> Report:
    """Whether `gradient` is the derivative of the number f(x) with respect to x.

    x is an array, or a tuple, NamedTuple or dict of arrays, whose blocks are judged one by one; f takes the same, and so does `gradient` where
    it is a function; as an array (or blocks of arrays) it is the claimed derivative at x.  `accuracy` is the relative error that is asked for.
    `complex_step` None takes it where it agrees with differences, True insists on it, False avoids it.  `scale` is the largest step; given
    none, the size of x, block by block.  x keeps its precision: with a float32 x, f is examined in float32.  Errors are relative to the norm of
    a block's derivative: entries far below it are seen only in a block of their own.

    ValueError where f or the gradient is not finite at x, or the gradient is not shaped as x.

    >>> check_gradient(lambda x: (x * x).sum() / 2, lambda x: x, np.array([1.0, 2.0, 3.0])).verdict
    'PASS'
    >>> print(check_gradient(lambda x: (x * x).sum() / 2, lambda x: x / 2, np.array([1.0, 2.0, 3.0])))
    FAIL: gradient, to 1e-06
      FAIL         gradient: relative error 5.0e-01, worst at [2]; you return 0.50000 times the derivative (complex step)
    """
    blocks = Blocks(x)
    accuracy = validation.positive(accuracy, "accuracy")
    claimed = blocks.ravel(gradient(x) if callable(gradient) else gradient, "gradient")
    groups = list(zip(blocks.slices, blocks.scales(scale)))
    probe = Probe(function(f, blocks, "a number"), blocks.vector, groups, complex_step, source(rng))
    every = len(blocks.vector) <= FEW
    parts = [_block(probe, claimed, k, every, accuracy, blocks.names[k], blocks.shapes[k]) for k in range(len(groups))]
    return combined("gradient", parts)


def check_jacobian(f: Callable[[Array], Any], jacobian: Any, x: ArrayLike, *, accuracy: float = 1e-6, rng: np.random.Generator | None = None,
                   complex_step: bool | None = None, scale: float | None = None) -> Report:
    """Whether `jacobian` is the derivative of the array f(x) with respect to the array x: its shape is that of f(x), then that of x.

    Arguments and errors as in `check_gradient`.  The error is relative to the norm of all entries.

    >>> check_jacobian(lambda x: x**2, lambda x: np.diag(2 * x), np.array([1.0, 2.0, 3.0])).holds
    True
    """
    blocks = Blocks(_numbers(x, "x"))
    accuracy = validation.positive(accuracy, "accuracy")
    flat = function(f, blocks, "an array")
    outputs, inputs = np.shape(f(blocks.unravel(blocks.vector))), blocks.shapes[0]
    claimed = validation.array(jacobian(x) if callable(jacobian) else jacobian, "jacobian", outputs + inputs).reshape(math.prod(outputs), len(blocks.vector))
    probe = Probe(flat, blocks.vector, [(blocks.slices[0], blocks.scales(scale)[0])], complex_step, source(rng))
    every = len(blocks.vector) <= FEW
    report, gap = _judged("jacobian", probe, claimed, 0, every, accuracy, "")
    if report.verdict == "FAIL" and every:
        column, row = np.unravel_index(gap.argmax(), gap.shape)
        report = replace(report, entry=_index(row, outputs) + _index(column, inputs))
    return combined("jacobian", [report])


def _block(probe: Probe, claimed: Array, k: int, every: bool, accuracy: float, name: str, shape: tuple[int, ...]) -> Report:
    """The report on one block of a gradient."""
    report, gap = _judged("gradient", probe, claimed[None, :], k, every, accuracy, name)
    if report.verdict != "FAIL":
        return report
    worst = gap.argmax() if every else _worst_entry(probe, claimed, k)
    return replace(report, entry=_index(worst, shape))


def _judged(subject: str, probe: Probe, claimed: Array, k: int, every: bool, accuracy: float, name: str) -> tuple[Report, Array]:
    """The report on the rows of `claimed` (M, N) within one block, and the gaps, one row a direction."""
    rows, scale = probe.groups[k]
    directions = scale * np.eye(len(probe.x))[rows] if every else [probe.random(rows, scale) for _ in range(DIRECTIONS)]
    found = [probe.along(u, k) for u in directions]
    value, error, slope, size, step = (np.stack(column) for column in zip(*found))                  # (directions, M)
    claims = np.stack([claimed @ u for u in directions])
    report = judge(subject, claims, value, error, norm(slope), norm(size), accuracy, method=probe.method, step=float(step.max()),
                   block=name, note=probe.why_not)
    return report, abs(claims - value)


def _worst_entry(probe: Probe, claimed: Array, k: int) -> int:
    """The entry of a block that is most to blame, found by halving: the half along which a random direction errs more."""
    rows, scale = probe.groups[k]
    while rows.stop - rows.start > 1:
        middle = (rows.start + rows.stop) // 2
        halves = slice(rows.start, middle), slice(middle, rows.stop)
        gaps = []
        for half in halves:
            u = probe.random(half, scale)
            gaps.append(abs(claimed @ u - probe.along(u, k).value[0]))
        rows = halves[int(gaps[1] > gaps[0])]
    return rows.start - probe.groups[k][0].start


class TaylorOrders(NamedTuple):
    """The orders of the Taylor remainders: 2 for a right gradient, 3 with a right Hessian; infinite where they vanish."""

    gradient: float
    hessian: float | None


def taylor_orders(f: Callable[[Array], Any], gradient: Any, x: ArrayLike, hessian: Any = None, *, rng: np.random.Generator | None = None,
                  scale: float | None = None) -> TaylorOrders:
    """The orders at which the remainders (1) and, given a Hessian of shape x.shape + x.shape, (2) vanish along a random direction.

    A right gradient gives 2 (more where the second derivative vanishes, infinity where f is linear), a wrong one 1; a right Hessian 3.

    >>> orders = taylor_orders(lambda x: np.exp(x).sum(), np.exp, np.array([0.1, 0.2, 0.3]), lambda x: np.diag(np.exp(x)))
    >>> round(orders.gradient, 1), round(orders.hessian, 1)
    (2.0, 3.0)
    """
    blocks = Blocks(_numbers(x, "x"))
    vector, flat = blocks.vector, function(f, blocks, "a number")
    u = blocks.scales(scale)[0] * source(rng).standard_normal(vector.shape)
    g = blocks.ravel(gradient(x) if callable(gradient) else gradient, "gradient")
    here = flat(vector)
    sigma = noise_level(flat, vector, u, here)
    t = STEPS
    f_t = np.array([flat(vector + step * u)[0] for step in t])
    noise = NOISY * np.maximum(sigma[0], np.finfo(here.dtype).eps * np.maximum(abs(f_t), abs(here[0])))
    r_1 = f_t - here[0] - t * (g @ u)                                    # (16,)  (1)
    first = _order(r_1, noise)
    if hessian is None:
        return TaylorOrders(first, None)
    H = validation.array(hessian(x) if callable(hessian) else hessian, "hessian", blocks.shapes[0] * 2).reshape(len(vector), len(vector))
    r_2 = r_1 - t**2 * (u @ H @ u) / 2                                   # (16,)  (2)
    return TaylorOrders(first, _order(r_2, noise))


def _order(r: Array, noise: Array) -> float:
    """The order at the smallest steps at which the remainder stands above the noise, or infinity where it nowhere does."""
    seen = np.flatnonzero(np.isfinite(r) & (abs(r) > noise))
    pairs = seen[np.isin(seen - 1, seen)]
    if len(pairs) == 0:
        return math.inf
    k = pairs[-1]
    return float(np.log(abs(r[k - 1] / r[k])) / math.log(4))             # ()  (3)


def function(f: Callable[[Any], Any], blocks: Blocks, kind: str) -> Function:
    """f as a function from vectors to vectors, NaN where it refuses; ValueError unless it answers finite real numbers at x."""
    here = np.asarray(f(blocks.unravel(blocks.vector)))
    if here.dtype.kind not in "fiub" or (kind == "a number" and here.ndim > 0) or here.size == 0:
        raise ValueError(f"f must return {kind} that is real, but it returned {here.dtype} of shape {here.shape}")
    if not np.isfinite(here).all():
        raise ValueError(f"f must be finite at x, but it is {here if here.ndim == 0 else 'not'}")

    def flat(vector: Array) -> Array:
        try:
            with np.errstate(all="ignore"):
                value = np.asarray(f(blocks.unravel(vector if vector.dtype.kind == "c" else vector.astype(blocks.vector.dtype, copy=False))))
        except REFUSALS:
            return np.full(here.size, np.nan)
        if value.shape != here.shape:
            raise ValueError(f"f must always return the same shape, but it returned {here.shape} at x and {value.shape} nearby")
        return value.ravel() if value.dtype.kind in "fc" else value.ravel().astype(np.float64)

    return flat


def _numbers(value: Any, name: str) -> Array:
    """A finite array of floats in its own precision; whole numbers become float64."""
    a = np.asarray(value) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else validation.widen(value, name)
    if a.size == 0 or a.dtype.kind != "f":
        raise ValueError(f"{name} must hold at least one real number, but it has dtype {a.dtype} and shape {a.shape}")
    return validation.array(a, name, a.shape) if a.dtype.itemsize >= 8 else a


def _index(flat: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(flat), shape))


def source(rng: np.random.Generator | None) -> np.random.Generator:
    """The generator that is given, or one that is the same for every check."""
    return np.random.default_rng(0) if rng is None else validation.generator(rng)
