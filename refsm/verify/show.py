"""One case laid open: what is given, and every quantity on the way to its value, to follow with a pencil.

The cases of the paper family have two dimensions, a few points and dyadic numbers, so that each step can be done by hand and is exact.

Symbols
    x, x_noisy  (n, d)     points;  `at` is the one of the two at which the objective reads the model
    a, s        (n, m)     activations and hidden units
    psi, J      (n, d), (n, d, d)   score and its Jacobian
    g           (n, d)     what the score is compared with
    v           (n, M, d)  directions

The steps are made from `refsm.verify.models` and `refsm.verify.quantities`; the terms are those of `refsm.verify.terms`.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator

import numpy as np

from refsm.stable import sigmoid
from refsm.typing import Array
from refsm.verify import terms
from refsm.verify.cases import Case, cases
from refsm.verify.quantities import Quantities

__all__ = ["Step", "find", "show", "steps"]

FORM = re.compile(r"(?P<family>\w+)/(?P<objective>\w+)(?:/(?P<model>[a-z]+))?(?:/seed(?P<seed>\d+))?/.*")


@dataclass(frozen=True, eq=False)
class Step:
    """One quantity: its symbol, how it is made from those before it, and its values."""

    symbol: str
    formula: str
    values: Array

    def __str__(self) -> str:
        head = f"{self.symbol} = {self.formula}" if self.formula else self.symbol
        return f"{head}    {self.values.shape if self.values.ndim else ''}".rstrip() + "\n" + _table(self.values)


def find(identifier: str) -> Case:
    """The case with that identifier, of any family, model and seed.  ValueError if there is none.

    >>> find("prime/dsm/tanh/seed7/c3/t2").model
    'tanh'
    """
    form = FORM.fullmatch(identifier)
    if form is None:
        raise ValueError(f"there is no case {identifier!r}; one is prime/dsm/c0/t0")
    known = {case.id: case for case in cases(form["objective"], form["family"], int(form["seed"] or 0), form["model"])}
    if identifier not in known:
        raise ValueError(f"there is no case {identifier!r}; the cases of its kind are {', '.join(known) or 'none'}")
    return known[identifier]


def show(case: Case, with_steps: bool = False) -> str:
    """What is given in a case, and with `with_steps` everything that follows from it, as text."""
    numbers = "".join(f", {name} = {value:.10g}" for name, value in case.hyper.items())
    on = f"the {case.model} model" if case.model else "arrays"
    lines = [f"{case.id}: {case.objective} on {on}, n = {case.n}, d = {case.d}, M = {case.M}{numbers}", "", "Given"]
    lines += [_indented(Step(name, "", a)) for name, a in {**case.theta, **case.arrays}.items()]
    if with_steps:
        lines += ["", "Steps (one row a point)"] + [_indented(step) for step in steps(case)]
    else:
        lines += ["", f"value = {terms.value(case):.17g}"]
    return "\n".join(lines)


def steps(case: Case) -> list[Step]:
    """Every quantity between what is given and the value, in the order in which each can be computed.

    >>> [step.symbol for step in steps(cases("ratio", "paper")[1])]
    ['gap', 'sum_i sigmoid(-gap_i)^2', 'term', 'value']
    """
    q = Quantities(case)
    made = [*_model_steps(q), *_objective_steps(q)]
    parts = [*terms.TERMS[case.objective], *([terms.CONSTANT[case.objective]] if case.objective in terms.CONSTANT else [])]
    made += [Step(part.name, "", part.per_sample(q)) for part in parts]
    per_sample = terms.per_sample(case)
    made += [Step("term", "the sum of the " + str(len(parts)) if len(parts) > 1 else "the same", per_sample)]
    return [*made, Step("value", "the mean of term", np.asarray(per_sample.mean()))]


def _model_steps(q: Quantities) -> Iterator[Step]:
    """The model at the objective's points."""
    case, theta, at = q.case, q.case.theta, q.at
    if case.model is None:
        return
    if case.objective in ("ratio", "pseudo"):
        energy = "-x' W x / 2 - b.x" if case.model == "boltzmann" else "-c.x - sum_j softplus(W x + b)_j"
        yield Step("gap", f"E(x with bit i flipped) - E(x), E = {energy}", q.gap())
        return
    point = q.point(at)
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
    else:
        formula = f"grad log sum_j weights_j N({at}; means_j, scales_j^2 I)"
    if case.objective != "dae":
        yield Step("psi", formula, q.psi())


def _objective_steps(q: Quantities) -> Iterator[Step]:
    """What the objective makes of it."""
    objective, at = q.case.objective, q.at
    if objective in ("esm", "parzen_esm", "dsm"):
        formula = {"esm": "data_score", "dsm": "(x - x_noisy) / sigma^2",
                   "parzen_esm": "sum_k share_k (x_k - x_noisy) / sigma^2, share_k ~ exp(-|x_noisy - x_k|^2 / (2 sigma^2))"}[objective]
        g = terms.target(q)
        yield Step("g", formula, g)
        yield Step("psi - g", "", q.psi() - g)
    if objective in ("ism", "regularized", "parzen_ism", "ssm", "ssm_vr") and q.case.model is not None:
        yield Step("J", f"d psi_i / d {at}_k", np.array(q.J()))
    if objective in ("ssm", "ssm_vr"):
        v = q.v()
        if q.case.model is not None:
            yield Step("v' J v", "", np.einsum("nri,nik,nrk->nr", v, q.J(), v))
        if objective == "ssm":
            yield Step("v.psi", "", np.einsum("nri,ni->nr", v, q.psi()))


def _table(values: Array) -> str:
    """Numbers in columns, at most ten digits each; a row for each point."""
    if values.ndim < 2:
        return "    " + "  ".join(f"{number:.10g}" for number in np.atleast_1d(values))
    if values.ndim == 3:
        return "\n".join(f"  [{k}]\n{_table(block)}" for k, block in enumerate(values))
    cells = [[f"{number:.10g}" for number in row] for row in values]
    width = max(len(cell) for row in cells for cell in row)
    return "\n".join("    " + "  ".join(cell.rjust(width) for cell in row) for row in cells)


def _indented(step: Step) -> str:
    return "\n".join("  " + line for line in str(step).splitlines())
