"""Immutable data: read-only arrays, frozen dataclasses that check their fields, cached values."""
from __future__ import annotations

import copyreg
import dataclasses
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

import numpy as np

from refsm.typing import Array

__all__ = ["Immutable", "cached_property", "fields_of", "rebuilt", "readonly_copy", "common_dtype"]


class Immutable:
    """The base of frozen dataclasses whose constructor checks what it is given."""

    def _set(self, **values: Any) -> None:
        """Set fields of the frozen dataclass, in its constructor."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple:
        """Pickle as the constructor's arguments, so that a copy is checked and read-only again."""
        if not dataclasses.is_dataclass(self):
            return copyreg.__newobj__, (type(self),), vars(self)       # type: ignore[attr-defined]
        return rebuilt, (type(self), fields_of(self))


Value = TypeVar("Value")


class cached_property(Generic[Value]):
    """A value that is computed when it is first read, and kept in the object.

    Up to Python 3.11 `functools.cached_property` computes under one lock for all objects of a
    class: threads that evaluate blocks side by side would wait for each other.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, of: None, owner: type) -> cached_property[Value]: ...

    @overload
    def __get__(self, of: object, owner: type) -> Value: ...

    def __get__(self, of: Any, owner: type) -> Any:
        if of is None:
            return self
        value = vars(of)[self.name] = self.compute(of)
        return value


def fields_of(of: Any) -> dict[str, Any]:
    """The fields of a dataclass by name; none for an object of another class."""
    fields = dataclasses.fields(of) if dataclasses.is_dataclass(of) else ()
    return {field.name: getattr(of, field.name) for field in fields}


def rebuilt(kind: type, fields: dict[str, Any]) -> Any:
    """An object from the fields of another of its class: checked, read-only, the same last bits.

    A constructor may round what it is given (weights divided by their sum); what it has rounded
    once is not rounded again.
    """
    new = kind(**fields)
    for name, value in fields.items():
        made = getattr(new, name)
        if (isinstance(value, np.ndarray) and isinstance(made, np.ndarray)
                and value.dtype == made.dtype):
            new._set(**{name: readonly_copy(value)})
    return new


def readonly_copy(a: Array) -> Array:
    """A read-only copy."""
    a = np.array(a, order="C")
    a.flags.writeable = False
    return a


def common_dtype(**named: Array) -> dict[str, Array]:
    """Read-only copies in one common precision, so that a sum of any two of them fits in either.

    >>> copies = common_dtype(W=np.zeros((3, 2)), b=np.zeros(3, dtype=complex))
    >>> {name: a.dtype.name for name, a in copies.items()}
    {'W': 'complex128', 'b': 'complex128'}
    """
    dtype = np.result_type(*named.values())
    return {name: readonly_copy(a.astype(dtype, copy=False)) for name, a in named.items()}
