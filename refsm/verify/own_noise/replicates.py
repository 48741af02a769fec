"""Replicates of an implementation that draws its own noise, against each hypothesis.

Symbols
    mu       (K,)        what a hypothesis expects of K cases
    mean     (K,)        the mean of R replicates of each case;  error its standard error
    t        (K,)        their distance, as of Student's t with R - 1 degrees of freedom, T
    z        (K,)        the same as of a standard normal number Z

Equations
    (1)  t = |mean - mu| / error,   P(Z > |z|) = P(T > t)
    (2)  p = P( chi^2_K > sum_k z_k^2 )

Derivation
    (1)  the mean of R replicates is normal up to terms of order 1 / sqrt(R); each replicate is
         already a mean over points.

Conventions
    The number R of replicates is fixed before the first call.  A hypothesis is GOOD where
    p >= 1e-4 and BAD where p <= 1e-9.  One is declared only if it is good and every other with
    another expectation is bad; but slight mistakes, which only many replicates show, are listed as
    not told apart where the right loss is good.  So a right implementation with draws at every
    point is not good in at most three of 10^4 runs, and another hypothesis of the list is declared
    in its place once in 10^9, as far as the normal approximation goes.  Good ones beside each
    other: inconclusive.  Replicates at one point alone (`one_point`) tell other noise from draws
    that points share, which a right loss may have; one draw for the whole batch is a mistake.  They
    are asked where the variance (`moments`) is not that of a right law, and with 200 replicates or
    more.

Sources
    Ours.
"""
from __future__ import annotations

import dataclasses
import inspect
from typing import Any, Callable

import numpy as np
from scipy import special

from refsm import validation
from refsm.typing import Array
from refsm.verify.adapters.answer import plain
from refsm.verify.adapters.ask import TIME_LIMIT, lent, load, within
from refsm.verify.adapters.failures import AdapterError
from refsm.verify.cases.case import Case
from refsm.verify.cases.families import cases, check_family, whole_seed
from refsm.verify.cases.levels import SCHEDULES, levels_of_family
from refsm.verify.convention import agree, normal
from refsm.verify.diagnosis.scaling import ONE, Scaling, parse_scaling
from refsm.verify.objectives import OBJECTIVES, objective_name, predicting
from refsm.verify.own_noise.hypotheses import (CONSTANT, DRAWING, DROPPED, SLIGHT, Hypothesis,
                                               hypotheses, sizes_of, weights_of)
from refsm.verify.own_noise.moments import BAD, GOOD, compared, resolution
from refsm.verify.own_noise.one_point import at_one_point
from refsm.verify.report.report import Report
from refsm.verify.reproduce import command_of, named

__all__ = ["REPLICATES", "verify_own_noise"]

REPLICATES = 200
FEWEST = 30
LEVELS = np.array([(15, 4), (10, 10), (6, 14)]) / 16       # (alpha, sigma), of points or several
SAME = 1e-6                    # relative: expectations as close as this are one and the same
HANDED = ("rng", "generator", "seed", "key")
NO_EXPECTATION = ("own noise is not for parzen_esm: the score of the Parzen density is no "
                  "polynomial of the noise, so that no closed form of the expectation is known; "
                  "hand the noise of the case over, or verify dsm, which has the same gradient in "
                  "expectation")
UNKNOWN = "laws of the randomness with the same expectation, and draws that the points share"
UNSEEN = {
    "": ("gradients",),
    "ssm": ("the variance-reduced form, which has the same expectation",),
    "ssm_vr": ("the form that is not variance-reduced, which has the same expectation",)}


def verify_own_noise(implementation: Callable[..., Any] | str, objective: str,
                     replicates: int | None = None, seed: int = 0, convention: str | None = None,
                     time_limit: float = TIME_LIMIT, predicts: str | None = None,
                     family: str = "prime") -> Report:
    """Which expectation the values of an implementation have, from replicates.

    The implementation is called as implementation(case, rng) with a `numpy.random.Generator`; or
    (case, seed) with an integer that differs each time, where that argument is called seed or key;
    or (case), where it takes one.  The argument is the first one after the case that has no
    default, or that is called rng, generator, seed or key.  The case has no noise, noisy points or
    directions; `case.n_directions` is the number of directions per point.  `convention` is the
    factor that is meant, such as "sigma^2", a weight of the levels, such as weight.variance, and
    "constant dropped".
    `family` is prime, or vp, flow, ve or subvp, whose levels are on a schedule.  Where each point
    has a level, the implementation may take that one, or draw one of `case.alpha` and `case.sigma`
    for it: `case.prediction(x_noisy, sigma)` is the network's output there.
    `time_limit` is in seconds for all replicates of one case.  An implementation that fails is a
    report, not an exception; ValueError for an objective whose expectation is not known, or fewer
    than 30 replicates (200 for None).
    """
    called = objective_name(objective)
    name = predicting(called, predicts)
    if name not in DRAWING:
        raise ValueError(NO_EXPECTATION)
    R = REPLICATES if replicates is None else validation.count(replicates, "replicates")
    if R < FEWEST:
        raise ValueError(f"replicates must be >= {FEWEST}, but it is {R}")
    meant, weight = _meant(convention)
    if weight and weight not in weights_of(name):
        raise ValueError(f"convention must be a factor, or a weight of levels by alpha and sigma, "
                         f"but it is {convention!r} for {name}")
    check_family(family, name, ("prime", *SCHEDULES), " with own_noise")
    asked = _cases(name, family)
    rng = np.random.default_rng(whole_seed(seed))
    reproduce = command_of(named(implementation), called, {
        "predicts": predicts, "own_noise": True, "seed": seed, "convention": convention,
        "replicates": None if R == REPLICATES else R, "time_limit": time_limit,
        "family": None if family == "prime" else family})

    def replicate(asked: list[Case], R: int) -> Array:
        return np.array([_replicates(function, case, R, rng, time_limit) for case in asked])

    try:
        function = load(implementation) if isinstance(implementation, str) else implementation
        values = replicate(asked, R)
    except AdapterError as error:
        return Report("BROKEN", name, str(error), reproduce=reproduce)
    return _report(asked, values, meant, convention, reproduce, weight, replicate)


def _meant(convention: str | None) -> tuple[Scaling, str]:
    """The factor and the weight of the levels that are declared, but for a constant."""
    pieces = [] if convention is None else normal(convention).split("; ")
    weights = [piece for piece in pieces if piece.startswith(("weight.", "own-weight."))]
    factors = [piece for piece in pieces if piece not in (*weights, DROPPED)] or ["1"]
    if len(weights) > 1 or len(factors) > 1:
        raise ValueError("convention must be one factor and one weight of the levels at most where "
                         f"the noise is the implementation's own, but it is {convention!r}")
    return parse_scaling(factors[0]), "".join(weights)


def _report(asked: list[Case], values: Array, meant: Scaling, declared: str | None,
            reproduce: str = "", weight: str = "",
            replicate: Callable[[list[Case], int], Array] | None = None) -> Report:
    """The verdict on replicates (K, R); `replicate` has more of them, of other cases."""
    objective, R = asked[0].objective, values.shape[1]
    mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(R)
    tried = hypotheses(asked, meant, weight)
    probable = _p(mean, error, np.array([h.expected for h in tried]), R)
    ranked = sorted(zip(probable.tolist(), tried), key=lambda pair: -pair[0])
    p, first = next((row for row in ranked if row[0] >= GOOD and row[1].mistake not in SLIGHT),
                    ranked[0])
    same = [h for _, h in ranked if np.allclose(h.expected, first.expected, SAME, 0)]
    best, *equals = sorted(same, key=lambda h: (bool(h.mistake), h.drawn, bool(h.weight),
                                                h.factor.complexity))
    twins = [h for q, h in ranked if h not in same and q > BAD          # but for how levels come
             and (h.mistake, h.factor, h.weight) == (best.mistake, best.factor, best.weight)]
    right_ones = {(h.factor, h.weight, h.drawn) for h in (*same, *twins) if not best.mistake}
    slight = [(q, h) for q, h in ranked
              if h.mistake in SLIGHT and (h.factor, h.weight, h.drawn) in right_ones]
    next_p, other = next((q, h) for q, h in ranked if h not in (*same, *twins)
                         and (q, h) not in slight)
    unseen = [f"{h}, which is seen with about {N:.1g} replicates" for q, h in slight if q > BAD
              for N in [R * resolution((h.expected - best.expected) / error)**2]]
    cannot_tell = (*map(str, (*equals, *twins)), *unseen, *UNSEEN.get(objective, ()), *UNSEEN[""])
    note = (f"{len(ranked)} hypotheses; the best has p = {p:.2g}. One is declared only if its "
            f"p >= {GOOD:g} and every other's <= {BAD:g}; the number of replicates was fixed in "
            "advance. A right loss with draws at every point has a smaller p, of its expectation, "
            "its variance or its values at one point, in at most three of 10^4 runs.")
    notes = [note]

    def report(verdict: str, name: str, **more: Any) -> Report:
        return Report(verdict, objective, name, cases=len(asked), model=asked[0].model,
                      precision=f"{R} replicates each", declared=declared, notes=tuple(notes),
                      runner_up=f"next: p = {next_p:.2g} for {other}" if p > BAD else "",
                      cannot_tell=cannot_tell, reproduce=reproduce, **more)

    if p <= BAD:
        cannot_tell = ()
        return report("UNEXPLAINED", "no hypothesis of the list has the expectations of its values")
    if p < GOOD:
        return report("INCONCLUSIVE", f"the best hypothesis, {best}, is neither good nor bad: "
                      f"repeat with {4 * R} replicates and another seed")
    if next_p > BAD:
        return report("INCONCLUSIVE", f"it may be {best}, or {other}: repeat with {4 * R} "
                      "replicates")
    right = [h for h in (best, *equals) if not h.mistake
             and (h.weight == weight or not h.weight.startswith("own-weight."))]
    if best.without_constant and best.factor.prefactor > 0:
        cannot_tell = (*cannot_tell, UNKNOWN)
        conforms = declared is not None and agree(normal(declared), best.convention)
        return report("CONVENTION" if conforms or declared is None else "MISMATCH",
                      f"its expectation is {best}", factor=str(best.factor), conforms=conforms,
                      convention=best.convention)
    drops = DROPPED in (declared or "")
    canonical = Hypothesis(CONSTANT * drops, meant, best.expected, weight, best.drawn)
    as_meant = not drops and (meant, weight) in {(h.factor, h.weight) for h in right}
    chosen, found = canonical if as_meant else best, f"its expectation is {best}"
    factor, upside_down = str(chosen.factor), best.factor.prefactor < 0
    if not right or upside_down:
        found += f", not {canonical} as declared" if declared else ""
        meant_so = "" if best.mistake or upside_down else best.convention
        return report("MISMATCH", found, factor=factor, convention=meant_so)
    scale = np.array([chosen.factor(sizes_of(case)) for case in asked])
    variance = compared(asked, scale, values, chosen.weight, chosen.drawn)
    cannot_tell = (*cannot_tell, "expectations that are this one times a number within "
                   f"{resolution(mean / error):.2g} of 1")
    fine, p_alone = variance is None or variance.p >= GOOD or bool(variance.right), np.nan
    if variance and (R >= REPLICATES or not fine):
        p_alone, noise, failed = at_one_point(asked, chosen, replicate, R)
        notes += [f"asked for one point alone: {failed}"] if failed else []
        if noise:
            return report("MISMATCH", f"{found}, but at one point alone its noise is like "
                          f"{' or '.join(noise)} in place of normal noise", factor=factor)
    if variance is None:
        cannot_tell = (*cannot_tell, UNKNOWN)
    elif variance.p >= GOOD > p_alone:
        return report("INCONCLUSIVE", f"{found}, but at one point alone its values are those of "
                      f"normal noise with p = {p_alone:.2g}: another law of the noise, near to it "
                      "or skewed, or another loss with this expectation", factor=factor)
    elif fine:
        cannot_tell = (*cannot_tell, "laws of the randomness with the same expectation, and shared "
                       "draws, that change the variance by less than "
                       f"{resolution(np.full(len(asked), np.sqrt((R - 1) / 2))):.0%}")
        if variance.p < GOOD:
            notes.append(f"the variance is that of {variance.right}")
    elif variance.p > BAD:
        return report("INCONCLUSIVE", f"{found}, and its variance is neither good nor bad: "
                      f"repeat with {4 * R} replicates and another seed")
    else:
        found += f", but its variance is {variance.ratio:.3g} times that of independent draws: "
        if variance.wrong:
            return report("MISMATCH", found + " or ".join(variance.wrong), factor=factor)
        levels = " (as levels in antithetic pairs or strata)" if chosen.drawn else ""
        shared = f"draws that points share{levels}, or points chosen at random"
        law = (f"another law of the {OBJECTIVES[objective].random}, draws of a point in strata, "
               f"{shared}, or another loss with this expectation")
        near = f"{shared}; at one point alone it is normal noise, or near to it"
        found += near if p_alone >= GOOD else law
        return report("INCONCLUSIVE", f"{found}; with independent draws it can be verified",
                      factor=factor)
    if as_meant:
        reference = meant == ONE and not weight
        return report("PASS" if reference else "CONVENTION", found, factor=factor, conforms=True)
    if declared is not None:
        return report("MISMATCH", f"{found}, not {canonical} as declared", factor=factor)
    return report("CONVENTION", found, factor=factor, convention=best.convention)


def _p(mean: Array, error: Array, mu: Array, R: int) -> Array:
    """How probable distances like these are for each hypothesis: mu (H, K) gives (H,)."""
    t = np.abs(mean - mu) / error                                                   # (H, K)  (1)
    z = special.ndtri(special.stdtr(R - 1, -t))                                     # (H, K)  (1)
    return special.chdtrc(len(mean), (z * z).sum(axis=1))                           # (H,)  (2)


def _cases(objective: str, family: str = "prime") -> list[Case]:
    """Two thetas of every group, or six where points have levels, without their noise."""
    about, made = OBJECTIVES[objective], []
    levels = levels_of_family(family, LEVELS[:, 0] - (family == "subvp") / 16, LEVELS)
    model = "gaussian" if about.random == "noise" and objective != "dae" else None
    thetas = tuple(f"/t{k}" for k in range(6 if about.levels == "points" else 2))
    for case in cases(objective, family, model=model):
        if not case.id.endswith(thetas) or (objective == "dae" and case.d != 3):
            continue
        arrays = {name: a for name, a in case.arrays.items() if name in ("x", *about.given)}
        for k, name in enumerate(("alpha", "sigma")):            # no level outweighs the others
            if name in arrays:
                arrays[name] = levels[np.arange(len(arrays[name])) % len(levels), k]
        drawn = {"n_directions": case.M} if about.random == "directions" else {}
        made.append(dataclasses.replace(case, arrays=arrays, hyper={**case.hyper, **drawn}))
    return made


def _replicates(implementation: Callable[..., Any], case: Case, R: int, rng: np.random.Generator,
                time_limit: float) -> Array:
    """R values of one case, (R,)."""
    name, by_name = _argument(implementation)

    def once(given: Case) -> Any:
        if not name:
            return implementation(given)
        handed = int(rng.integers(2**31)) if name in ("seed", "key") else rng
        return implementation(given, **{name: handed}) if by_name else implementation(given, handed)

    def all_values() -> Array:
        return np.array([plain(once(given), case).value for _ in range(R)])

    with lent(case) as given:
        values = within(time_limit, all_values)
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        raise AdapterError(f"the implementation gave {values[0]:.6g} for {case.id} in all {R} "
                           "replicates: it draws nothing, or the same each time; an argument "
                           "called rng or seed is handed new randomness at every call")
    return values


def _argument(implementation: Callable[..., Any]) -> tuple[str, bool]:
    """The name of the argument that brings the randomness ("" if none), and whether it goes by
    name."""
    try:
        _, *others = inspect.signature(implementation).parameters.values()
    except (TypeError, ValueError):                  # no signature, or one without arguments
        return "rng", False
    for p in others:
        variable = p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        if not variable and (p.default is p.empty or p.name in HANDED):
            return p.name, p.kind is not p.POSITIONAL_ONLY
    return "", False
