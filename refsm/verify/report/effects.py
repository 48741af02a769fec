"""What the differences of a loss do to training.

A loss a |psi|^2 / 2 - b psi.s has the minimiser (b / a) s where a > 0, and none where a <= 0 and b
is not 0; implicit score matching is this form too, by parts.  A mistake brings its own effect.
"""
from __future__ import annotations

from typing import Sequence

from refsm.verify.diagnosis.explanation import Change
from refsm.verify.diagnosis.scaling import ONE, ZERO, Scaling, scaling_in_words
from refsm.verify.mistakes import Mistake
from refsm.verify.mistakes.mistake import WEIGHTED
from refsm.verify.objectives import OBJECTIVES
from refsm.verify.report.known import listed

__all__ = ["another_function", "consequences", "training"]

SQUARES, LINEAR = ("norm", "output"), ("cross", "divergence", "product")         # terms by role
LEVELS = "the levels weigh differently"
MAXIMISES = "descent maximises what should be minimised"
ASCENT = "with its sign changed, descent maximises the loss that has this mistake"


def consequences(objective: str, factor: Scaling, changes: Sequence[Change],
                 mistakes: Sequence[Mistake], constant: str) -> tuple[str, ...]:
    """What the differences do to training, one sentence each."""
    learned = OBJECTIVES[objective].learned
    ids, zero = [m.id for m in mistakes], [c.what for c in changes if c.scaling.is_zero]
    without_cross = list(changes) == [Change("cross", ZERO)]
    changes = tuple(change for change in changes if change.what != "extra")
    out: list[str] = []
    if ids == ["extra.tr J"] and without_cross:
        out.append("it is implicit score matching at the same points: the same loss in "
                   "expectation, up to a constant")
    elif any(m.role == "extra" for m in mistakes) and zero:
        missing = "the one that is" if len(zero) == 1 else "those that are"
        out.append(f"another term stands in for {missing} missing: what is learned is not the "
                   f"{learned}")
    elif any(change.what == "loss" for change in changes):           # of no minimiser can be spoken
        out.append(ASCENT if another_function(mistakes) else MAXIMISES)
    else:
        out += _effects(learned, changes, mistakes)
        if all(m.same for m in mistakes):
            out += _together(objective, changes)
    if not factor.is_one:
        out.append(_of_a_factor(factor, bool(changes or mistakes)))
    if constant in ("dropped", "added", "other") and not changes and not mistakes:
        out.append("a constant has no gradient: training is the same, the loss curve is shifted")
    return tuple(dict.fromkeys(out))


def _effects(learned: str, changes: Sequence[Change], mistakes: Sequence[Mistake]) -> list[str]:
    """What each mistake does; said to be alone where it is not."""
    unknown = f"the loss has other minimisers: what is learned is not the {learned}"
    together = len(mistakes) > 1 or any(change.what != "loss" for change in changes)
    out = []
    for m in mistakes:
        alone = f"{m.words}, taken alone: " if m.effect and together and not m.same else ""
        out.append(LEVELS if together and m.effect == WEIGHTED else alone + (m.effect or unknown))
    return out


def _of_a_factor(factor: Scaling, beside: bool) -> str:
    words = scaling_in_words(factor)
    names = [name for name in ("sigma", "alpha")
             if any(name in base for base, _ in factor.powers)]
    what = (f"apart from that, a common factor {words}:" if beside else
            f"the minimiser is the same; gradients are {words} times the reference's, so")
    vary = f"{listed(names)} {'varies' if len(names) == 1 else 'vary'}"
    levels = f", and where {vary} its levels weigh differently" if names else ""
    return f"{what} a learning rate means something else{levels}"


def another_function(mistakes: Sequence[Mistake]) -> bool:
    """Whether a mistake puts another function in the place of the square or of the link, of which a
    sign says nothing."""
    return any(m.role in ("square", "link", "gap") for m in mistakes)


def _together(objective: str, changes: Sequence[Change]) -> list[str]:
    """A squared term times a and a linear term times b have the minimiser of b / a."""
    found = {change.what: change.scaling for change in changes if change.what != "constant"}
    if objective == "generalized" and found:
        return ["the loss has other minimisers: what is learned is not the score"]
    penalized = objective == "regularized" and not found.get("penalty", ONE).is_zero
    square = next((name for name in SQUARES if name in found), None)
    linear = next((name for name in LINEAR if name in found), None)
    if "penalty" in found and (square or linear) and penalized:
        del found["penalty"]                         # how strong it is depends on the others
    if square and linear and found[square].prefactor > 0 and not found[linear].is_zero:
        found[linear] = found[linear] * found.pop(square).inverse()
        if found[linear].is_one:
            del found[linear]
    elif square and linear:
        del found[linear if found[square].prefactor <= 0 else square]
    if not found:
        return [training(objective, change) for change in changes if change.what == "constant"]
    return [training(objective, Change(name, scaling), penalized)
            for name, scaling in found.items()]


def training(objective: str, change: Change, penalized: bool = False) -> str:
    """What one change does: the minimiser of the changed loss, beside a penalty or without one."""
    what, scaling = change.what, change.scaling
    learned = OBJECTIVES[objective].learned
    if what == "loss":
        return MAXIMISES
    if what == "penalty":
        if scaling.prefactor < 0:
            return "the penalty rewards what it should punish: the loss can be unbounded below"
        return ("without the penalty the estimate is not smoothed" if scaling.is_zero else
                f"the penalty acts with {scaling} times the strength that was asked for")
    if what == "variate":
        return "its expectation is 0, so this changes the variance alone"
    if what == "constant":
        return "a constant has no gradient: training is the same"
    if what in SQUARES and scaling.prefactor <= 0:
        if scaling.is_zero and penalized:
            return "only the penalty holds the score back: the minimiser is not the score"
        return f"the loss is unbounded below: the {learned} grows without end"
    if scaling.is_zero:
        return f"the best {learned} is 0 everywhere: nothing is learned from the data"
    ratio = scaling.inverse() if what in (*SQUARES, "score") else scaling
    if str(ratio) == "-1" and learned == "score" and not penalized:
        return ("the energy is learned upside down: the score points away from the data, and "
                "samples move away from them")
    times = "minus" if str(ratio) == "-1" else f"{scaling_in_words(ratio)} times"
    penalty = ", but for the penalty" if penalized else ""
    return f"what is learned is {times} the right {learned}{penalty}"
