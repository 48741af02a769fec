"""Immutable data: how a frozen dataclass sets its fields once, and how it is pickled.  Energies and objectives are such data."""
from __future__ import annotations

import dataclasses
from typing import Any

__all__ = ["Frozen"]


class Frozen:
    """The base of frozen dataclasses whose constructor checks what it is given."""

    def _hold(self, **values: Any) -> None:
        """Set the fields of the frozen dataclass, once, in its constructor."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple:
        """Pickle as the constructor's arguments, so that what comes back is checked and read-only again."""
        names = [f.name for f in dataclasses.fields(self)]                 # type: ignore[arg-type]
        return _rebuilt, (type(self), {name: getattr(self, name) for name in names})


def _rebuilt(kind: type, fields: dict[str, Any]) -> Any:
    return kind(**fields)
