"""Where a fit is: a point, the scales of the parameters there, and the bounds.

The state of one run of `minimize`: the search in rounds (`refsm.fit.rounds`) and the Newton steps
(`refsm.fit.newton`) move it, and the verdict is read from it.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from refsm.fit.barrier import Barrier, Point
from refsm.fit.descent import NOT_FINITE, REFUSALS, evaluated, finite
from refsm.fit.run_record import Progress, RunRecord
from refsm.fit.scaling import Scaling
from refsm.typing import Array

__all__ = ["FitState"]

LEVEL = 1e-13            # values that differ by less, relatively, agree to rounding


class FitState:
    """A fit `here`, and the `reach` of its last Newton step: its scaled length, in sizes."""

    def __init__(self, J: Any, record: RunRecord, box: tuple[Array, Array],
                 line: Progress) -> None:
        """The first evaluation, within the bounds; DescentError where it is not finite."""
        self.J, self.record, self.box, self.line = J, record, box, line
        model = record.model
        theta = np.clip(model.ravel(), *box)
        model = model if np.array_equal(theta, model.ravel()) else model.unravel(theta)
        value, gradient = evaluated(J, model)
        if not finite(value, gradient):
            raise record.error(NOT_FINITE)
        self.barrier = Barrier(J, model, value, gradient)
        self.start = self.here = self.barrier.last
        self.reach = 0.0
        self.rescale()

    def move(self, point: Point) -> None:
        """One iteration is done."""
        self.here = point
        self.record.add(point.model, point.value, [point.g])
        self.line.show(self.record.length - 1, point.value, f"scaled gradient {self.size():.1e}")

    def rescale(self) -> None:
        """The scales at this point."""
        self.scaling = Scaling(self.J, self.here.model, self.barrier.gradient)

    def free(self, point: Point) -> Array:
        """Whether each parameter may move downhill (N,): it may not where it meets a bound."""
        (theta, _, _, g), (least, greatest) = point, self.box
        return ~(((theta <= least) & (g > 0)) | ((theta >= greatest) & (g < 0)))

    def size(self, point: Point | None = None) -> float:
        """The scaled gradient of the free parameters."""
        point = self.here if point is None else point
        return self.scaling.gradient_size(point.g * self.free(point))

    def fall(self, point: Point | None) -> float:
        """The scaled gradient here relative to that at a point; 0 where the value is larger."""
        unit = self.scaling.h * self.scaling.size ** 2
        if point is None or point.value - self.here.value > LEVEL * (abs(self.here.value) + unit):
            return 0.0
        size = self.size(point)
        return self.size() / size if size else np.inf

    def value_at(self, theta: Array) -> float:
        """The value, NaN beyond the bounds and where the energy refuses the parameters."""
        if not np.array_equal(np.clip(theta, *self.box), theta):
            return np.nan
        try:
            return float(self.barrier.at(theta).value)
        except REFUSALS:
            return np.nan
