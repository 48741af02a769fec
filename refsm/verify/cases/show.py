"""One case in full: what is given, and every quantity on the way to its value.

The cases of the paper family have two dimensions, a few points and dyadic numbers, so that each
step can be done by hand and is exact.

Symbols
    x, x_noisy  (n, d)     points;  `at` is the one at which the objective reads the model
    a, s        (n, m)     activations and hidden units
    psi, J      (n, d), (n, d, d)   score and its Jacobian
    g           (n, d)     what the score is compared with
    v           (n, M, d)  directions
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator

import numpy as np

from refsm.quantities import QUANTITIES
from refsm.stable import sigmoid
from refsm.typing import Array
from refsm.verify.cases.case import Case
from refsm.verify.cases.families import cases
from refsm.verify.cases.quantities import Quantities
from refsm.verify.cases.reference import per_sample, value
from refsm.verify.objectives import OBJECTIVES, target

__all__ = ["Step", "find", "show", "steps"]

FORM = re.compile(r"(?P<family>\w+)/(?P<objective>\w+)(?:/(?P<model>[a-z]+))?"
                  r"(?:/seed(?P<seed>\d+))?/.*")


@dataclass(frozen=True, eq=False)
class Step:
    """One quantity: its symbol, how it is made from those before it, and its values."""

    symbol: str
    formula: str
    values: Array

    def __str__(self) -> str:
        head = f"{self.symbol} = {self.formula}" if self.formula else self.symbol
        shape = self.values.shape if self.values.ndim else ""
        return f"{head}    {shape}".rstrip() + "\n" + _table(self.values)


def find(identifier: str) -> Case:
    """The case with that identifier, of any family, model and seed.  ValueError if there is none.

    >>> find("prime/dsm/tanh/seed7/c3/t2").model
    'tanh'
    """
    form = FORM.fullmatch(identifier)
    if form is None:
        raise ValueError(f"there is no case {identifier!r}; one is prime/dsm/c0/t0")
    seed = int(form["seed"] or 0)
    kind = cases(form["objective"], form["family"], seed, form["model"])
    known = {case.id: case for case in kind}
    if identifier not in known:
        first, *_, last = known
        raise ValueError(f"there is no case {identifier!r}; the cases of its kind are {first} to "
                         f"{last}")
    return known[identifier]


def show(case: Case, with_steps: bool = False) -> str:
    """What is given in a case, and with `with_steps` everything that follows from it, as text."""
    numbers = "".join(f", {name} = {value:.10g}" for name, value in case.hyper.items())
    on = f"the {case.model} model" if case.model else "arrays"
    M = f", M = {case.M}" if "directions" in case.arrays else ""
    sizes = f"n = {case.n}, d = {case.d}{M}{numbers}"
    lines = [f"{case.id}: {case.objective} on {on}, {sizes}", "", "Given"]
    lines += [_indented(Step(name, "", a)) for name, a in case.all_arrays.items()]
    if with_steps:
        lines += ["", "Steps (one row per point)", *(_indented(step) for step in steps(case))]
    else:
        lines += ["", f"value = {value(case):.17g}"]
    return "\n".join(lines)


def steps(case: Case) -> list[Step]:
    """Every quantity between what is given and the value, in the order of computation.

    >>> [step.symbol for step in steps(cases("ratio", "paper")[1])]
    ['gap', 'sum_i sigmoid(-gap_i)^2', 'term', 'value']
    """
    q = Quantities(case)
    made = [*_model_steps(q), *_objective_steps(q)]
    terms = OBJECTIVES[case.objective].all_terms
    made += [Step(term.name, "", term.per_sample(q)) for term in terms]
    whole = per_sample(case)
    made += [Step("term", f"the sum of the {len(terms)}" if len(terms) > 1 else "the same", whole)]
    return [*made, Step("value", "the mean of term", np.asarray(whole.mean()))]


def _model_steps(q: Quantities) -> Iterator[Step]:
    """The model at the objective's points."""
    case, theta, at = q.case, q.case.theta, q.at
    if case.model is None:
        return
    if OBJECTIVES[case.objective].is_binary:
        energy = {"boltzmann": "-x' W x / 2 - b.x", "rbm": "-c.x - sum_j softplus(W x + b)_j"}
        yield Step("gap", f"{QUANTITIES['gap'].meaning}, E = {energy[case.model]}", q.gap())
        return
    if OBJECTIVES[case.objective].levels == "several":
        yield Step("psi", "the score of alpha x + sigma noise under the model, level by level",
                   q.psi())
        return
    point = q.point(at)
    formula = f"grad log sum_j weights_j N({at}; means_j, scales_j^2 I)"
    if case.model == "autoencoder":
        a = point @ theta["W"].T + theta["b"]
        yield Step("a", f"W {at} + b", a)
        yield Step("s", "sigmoid(a)", sigmoid(a))
        yield Step("y", "W' s + c", q.reconstruction())
        formula = f"(y - {at}) / sigma^2"
    elif case.model == "tanh":
        a = point @ theta["B"].T + theta["b"]
        yield Step("a", f"B {at} + b", a)
        yield Step("s", "tanh(a)", np.tanh(a))
        formula = "A s + c"
    elif case.model == "gaussian":
        yield Step("u", f"{at} - mean", point - theta["mean"])
        formula = "-precision u"
    if OBJECTIVES[case.objective].learned != "reconstruction":
        yield Step("psi", formula, q.psi())


TARGETS = {"levels": "(alpha x - x_noisy) / sigma^2", "noise": "noise", "clean": "x",
           "velocity": "alpha noise - sigma x", "flow": "noise - x",
           "edm": "(x - c_skip x_noisy) / c_out", "esm": "data_score",
           "dsm": "(x - x_noisy) / sigma^2",
           "parzen_esm": "sum_k share_k (x_k - x_noisy) / sigma^2, "
                         "share_k ~ exp(-|x_noisy - x_k|^2 / (2 sigma^2))"}


def _objective_steps(q: Quantities) -> Iterator[Step]:
    """What the objective makes of it."""
    about = OBJECTIVES[q.case.objective]
    if about.target is not None:
        g = target(q)
        yield Step("g", TARGETS.get(about.predicts or q.case.objective, TARGETS["levels"]), g)
        if about.predicts and q.case.model is not None:
            yield Step("f", "A x_noisy + B psi, the prediction", q.prediction())
        f, name = (q.prediction(), "f") if about.predicts else (q.psi(), "psi")
        yield Step(f"{name} - g", "", f - g)
    if q.case.model is not None and any(term.role == "divergence" for term in about.terms):
        yield Step("J", f"d psi_i / d {q.at}_k", np.array(q.J()))
    if about.random == "directions":
        if q.case.model is not None:
            yield Step("v' J v", "", q.curvature())
        if "v" in about.terms[0].name:
            yield Step("v.psi", "", q.along())


def _table(values: Array) -> str:
    """Numbers in columns, at most ten digits each; a row for each point."""
    if values.ndim < 2:
        return "    " + "  ".join(f"{number:.10g}" for number in np.atleast_1d(values))
    if values.ndim == 3:
        return "\n".join(f"  [{k}]\n{_table(block)}" for k, block in enumerate(values))
    rows = [[f"{number:.10g}" for number in row] for row in values]
    width = max(len(text) for row in rows for text in row)
    return "\n".join("    " + "  ".join(text.rjust(width) for text in row) for row in rows)


def _indented(step: Step) -> str:
    return "\n".join("  " + line for line in str(step).splitlines())
