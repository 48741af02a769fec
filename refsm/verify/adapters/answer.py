"""What an implementation returned, as an `Answer`, or one line on why it cannot be used.

In NumPy, torch, JAX or anything else that turns into a NumPy array: nothing is imported to find
out.  Tensors are detached, brought to the CPU, and widened (bfloat16 too).  A gradient block that
is None is taken as zero, which is what torch means by it.
"""
from __future__ import annotations

import dataclasses
from numbers import Number
from typing import Any, Mapping

import numpy as np

from refsm.typing import Array
from refsm.verify.adapters.failures import AdapterError
from refsm.verify.cases.case import Answer, Case

__all__ = ["described", "plain", "same"]

REPEATS_TO = 1e-4        # relative: two equal calls may differ by this; sums on a GPU do, by less
KEYS = ("value", "per_sample", "gradient")
NARROW = ("bfloat16", "float16", "float32")      # the least precise first; all else is float64
FORMS = "a number, an array of one number per point, or a dict with value, per_sample and gradient"


def plain(returned: Any, case: Case) -> Answer:
    """What an implementation returned, as an `Answer` of float64 arrays.  AdapterError, in one
    line, if it is none.

    >>> from refsm.verify.cases import cases
    >>> plain({"value": np.float32(0.5)}, cases("esm", "paper")[0]).dtype
    'float32'
    """
    if isinstance(returned, Answer):
        returned = {key: getattr(returned, key) for key in KEYS}
    if not isinstance(returned, Mapping):
        shape = _numbers(returned, "", FORMS)[0].shape
        if shape not in ((), (case.n,)):
            raise AdapterError(f"the implementation returned an array of shape {shape}; it must "
                               f"return {FORMS} (here n = {case.n})")
        returned = {"value": returned} if shape == () else {"per_sample": returned}
    unknown = [key for key in returned if key not in KEYS]
    if unknown:
        raise AdapterError(f"the implementation returned a dict with {unknown[0]!r}; "
                           f"its keys must be {', '.join(KEYS)}")
    value, per_sample, gradient = (returned.get(key) for key in KEYS)
    if value is None and per_sample is None:
        raise AdapterError("the implementation returned a dict without value and without "
                           "per_sample; it must have one of them")
    kinds = ["float64"]
    if per_sample is not None:
        per_sample = _checked(per_sample, "per_sample", (case.n,), kinds)
    value = per_sample.mean() if value is None else _checked(value, "value", (), kinds)
    notes: list[str] = []
    if gradient is not None:
        gradient = _gradient(gradient, case, kinds, notes)
    narrowest = min(kinds, key=[*NARROW, "float64"].index)
    return Answer(float(value), per_sample, gradient, narrowest, tuple(notes))


def _gradient(gradient: Any, case: Case, kinds: list[str], notes: list[str]) -> dict[str, Array]:
    """The blocks of a gradient, which are named and shaped as the parameters."""
    gradient = gradient._asdict() if hasattr(gradient, "_asdict") else gradient
    if not isinstance(gradient, Mapping):
        raise AdapterError("gradient must be a dict of arrays by block, but it is "
                           f"{described(gradient)}")
    blocks: dict[str, Array] = {}
    for name, block in gradient.items():
        if name not in case.theta:
            raise AdapterError(f"gradient has a block {name!r}; the parameters of this case are "
                               f"{', '.join(case.theta) or 'none'}")
        if block is None:
            notes.append(f"gradient[{name!r}] is None, taken as zero")
            blocks[name] = np.zeros(case.theta[name].shape)
        else:
            blocks[name] = _checked(block, f"gradient[{name!r}]", case.theta[name].shape, kinds)
    return blocks


def _checked(value: Any, name: str, shape: tuple[int, ...], kinds: list[str]) -> Array:
    """A finite float64 array of that shape; its own type is added to `kinds`."""
    a, kind = _numbers(value, name, "a number" if shape == () else f"an array of shape {shape}")
    if a.shape != shape:
        raise AdapterError(f"{name} must have shape {shape}, but its shape is {a.shape}")
    if a.dtype.kind == "c":
        raise AdapterError(f"{name} must be real, but it is complex ({a.dtype})")
    kinds.append(kind if kind in NARROW else "float64")
    wide = a.astype(np.float64)
    if not np.isfinite(wide).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(wide))[0])
        has = f"has {wide[where]} at {where}" if where else f"is {wide[where]}"
        raise AdapterError(f"{name} must be finite, but it {has}")
    return wide


def _numbers(value: Any, name: str, wanted: str) -> tuple[Array, str]:
    """Any framework's numbers as a NumPy array, and the name of their type, which NumPy may not
    have."""
    what = f"{name} is" if name else "the implementation returned"
    must = f"{'it must be' if name else 'it must return'} {wanted}"
    if value is None or isinstance(value, (str, bytes, bool, Mapping)):
        raise AdapterError(f"{what} {described(value)}; {must}")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise AdapterError(f"{what} masked: a masked entry is no number; {must}")
    try:
        if hasattr(value, "detach"):                    # torch: off the graph and off the device
            kind = str(value.dtype).rpartition(".")[2]       # "torch.bfloat16"
            value = value.detach().cpu()
            a = np.asarray((value.float() if kind == "bfloat16" else value).numpy())
        else:
            a = np.asarray(value)
            kind = a.dtype.name
            if a.dtype == object:                            # fractions, decimals
                a = np.array([float(entry) for entry in a.ravel()]).reshape(a.shape)
    except Exception as error:
        raise AdapterError(f"{what} {described(value)} that is no array of numbers "
                           f"({type(error).__name__}); {must}") from None
    if a.dtype.kind not in "iufc" and kind != "bfloat16":    # JAX's bfloat16 has a kind of its own
        raise AdapterError(f"{what} {described(value)} of dtype {a.dtype}; {must}")
    return a, kind


def same(first: Answer, second: Answer) -> Answer:
    """The first of two answers to the same question, with their gap; AdapterError where it is
    more than that of parallel hardware."""
    pairs = [("value", np.asarray(first.value), np.asarray(second.value))]
    if first.per_sample is not None and second.per_sample is not None:
        pairs.append(("per_sample", first.per_sample, second.per_sample))
    if first.gradient is not None and second.gradient is not None:
        pairs += [(f"gradient[{name!r}]", a, second.gradient[name])
                  for name, a in first.gradient.items() if name in second.gradient]
    for name, a, b in pairs:
        gap = np.abs(a - b).max()
        if gap > REPEATS_TO * np.abs(a).max():
            raise AdapterError(f"two equal calls gave {name} {a.flat[0]:.6g} and {b.flat[0]:.6g}: "
                               "does it draw its own noise? Use the noise in the case, or hand "
                               "it over with the template's `handing`", 3)
    return dataclasses.replace(first, repeat_gap=abs(first.value - second.value))


def described(value: Any) -> str:
    """What a value is, for a sentence."""
    if value is None:
        return "None"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, (bool, Number)):
        return f"the {type(value).__name__} {value}"
    return f"an object of type {type(value).__name__}"
