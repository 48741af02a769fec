"""Exercises: a line of a room with one mistake planted; which checks fail?

The verdicts are computed when the book is built: the changed room is compiled in memory, and the
checkers of `refsm.checks` are run on the model of its worked example.
"""
from __future__ import annotations

import html
import sys
import types
from typing import Any, Callable, NamedTuple

import numpy as np

import refsm
from refsm.study.examples import BITS, B, C, P, SIGMA, W, X
from refsm.study.heads import Room, room
from refsm.study.rooms import page_name, shell
from refsm.verify.api import verify

__all__ = ["EXERCISES", "Exercise", "LOSSES", "changed", "exercises_page", "seen"]


class Exercise(NamedTuple):
    """A mistake: the room, the number of the line, what is written and what in its place.

    `answer` answers the question of the `hint`.
    """

    room: str
    number: int
    right: str
    wrong: str
    hint: str
    answer: str
    make: Callable[[Any], Any]          # a model from the module


def _autoencoder(module: Any) -> Any:
    return module.AutoencoderEnergy(W, B, C, sigma=SIGMA)


EXERCISES = (
    Exercise("energies/autoencoder", 4, "(s @ W + (c - x)) / sigma**2", "(s @ W + (c - x)) / sigma",
             "Would you see it with sigma = 1?",
             "No: sigma and sigma**2 are then the same. The lines of the Jacobian are right and "
             "fail too, because each quantity is compared with the derivative of the one before "
             "it.",
             _autoencoder),
    Exercise("energies/autoencoder", 6, "(s1 @ q - d) / sigma**2", "(s1 @ q - 1) / sigma**2",
             "Would you see it with d = 1?",
             "No. With d > 1 the divergence is too large by the constant (d - 1) / sigma**2: the "
             "value of an implicit loss is wrong, but its gradients and its minimiser are right.",
             _autoencoder),
    Exercise("energies/autoencoder", 13, "- column(e) * s", "+ column(e) * s",
             "Which objectives read the energy itself?",
             "None of refsm.objectives: they read the score, its derivatives, or gaps. The "
             "gradient of a likelihood, as in refsm.enumeration, needs the pullback of the energy.",
             _autoencoder),
    Exercise("energies/autoencoder", 14, "2 * (column(weighted_sum(t, s1))",
             "(column(weighted_sum(t, s1))",
             "The value and the score stay right. What changes in a training run?",
             "The gradient for W of each loss that reads the divergence or the diagonal: descent "
             "goes astray although the values it prints are right. Denoising reads the score alone "
             "and does not change.",
             _autoencoder),
    Exercise("energies/gaussian_bernoulli_rbm", 10, "s1 @ q - tau.sum()", "s1**2 @ q - tau.sum()",
             "Is the sign of the divergence affected?",
             "It can be. s1 is at most 1/4, so that s1**2 @ q is at most a quarter of s1 @ q: the "
             "divergence is too small, and negative also where s1 @ q > tau.sum() > s1**2 @ q.",
             lambda module: module.GaussianBernoulliRBM(W, B, C, np.array([-0.5, 0.25]))),
    Exercise("energies/boltzmann_machine", 3, "2 * self.x - 1", "1 - 2 * self.x",
             "Is the gap E(flipped) - E or its opposite?",
             "E(flipped) - E. The pullbacks pass because they contain the same sign: they are "
             "right for the wrong gap. With it a loss makes the data improbable.",
             lambda module: module.BoltzmannMachine([[0.0, 0.5], [0.5, 0.0]], C)),
    Exercise("energies/gaussian", 10, "dP = symmetric_part(G)", "dP = G",
             "Is the gradient for a symmetric matrix unique?",
             "No: where P moves among symmetric matrices, G and its symmetric part change the loss "
             "by the same amount. Here the symmetric one is the gradient; a step along G would "
             "leave the symmetric matrices. Only the cotangent on the score makes G asymmetric.",
             lambda module: module.Gaussian(C, P)),
)


def changed(exercise: Exercise) -> types.ModuleType | None:
    """The room with the mistake in it, as a module; None where its line is written differently."""
    of = room(exercise.room)
    line = _line(of, exercise)
    if line is None:
        return None
    lines = of.source.splitlines()
    lines[line - 1] = lines[line - 1].replace(exercise.right, exercise.wrong)
    name = f"{of.module}_with_a_mistake"
    module = types.ModuleType(name)
    module.__package__ = of.module.rpartition(".")[0]
    sys.modules[name] = module                  # dataclasses look their module up
    try:
        exec(compile("\n".join(lines), str(of.path), "exec"), module.__dict__)
    finally:
        del sys.modules[name]
    return module


def _line(of: Room, exercise: Exercise) -> int | None:
    lines = of.source.splitlines()
    found = [k for k, line in enumerate(lines, 1) if k >= of.code_starts and exercise.right in line]
    return found[0] if found else None


def seen(exercise: Exercise) -> list[tuple[str, str]] | None:
    """[(what was checked, verdict)] for the changed room."""
    module = changed(exercise)
    if module is None:
        return None
    model = exercise.make(module)
    points = BITS if isinstance(model, refsm.BinaryEnergy) else X
    try:
        report = refsm.check_model(model, points, rng=np.random.default_rng(0))
    except (ValueError, ArithmeticError) as error:
        return [(f"the checker refuses the model: {error}", "REFUSED")]
    return [(f"{part.subject} {part.block}".strip(), part.verdict) for part in report.parts]


def _residual(case: Any) -> Any:
    return case.score(case.x_noisy) - (case.x - case.x_noisy) / case.sigma**2


LOSSES: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("r = score(x_noisy) - (x - x_noisy) / sigma**2\nloss = (r**2).sum(axis=1).mean()",
     "The residual is right.", lambda case: (_residual(case)**2).sum(axis=1).mean()),
    ("r = score(x_noisy) - (x - x_noisy) / sigma\nloss = (r**2).sum(axis=1).mean() / 2",
     "Compare the units of the two terms.",
     lambda case: ((case.score(case.x_noisy) - (case.x - case.x_noisy) / case.sigma)**2
                   ).sum(axis=1).mean() / 2),
    ("r = score(x_noisy) - (x_noisy - x) / sigma**2\nloss = (r**2).sum(axis=1).mean() / 2",
     "To which point does the target point?",
     lambda case: ((case.score(case.x_noisy) + (case.x - case.x_noisy) / case.sigma**2)**2
                   ).sum(axis=1).mean() / 2),
    ("r = score(x_noisy) - (x - x_noisy) / sigma**2\nloss = (r**2).mean() / 2",
     "Which mean is it?", lambda case: (_residual(case)**2).mean() / 2),
)


def exercises_page() -> str:
    """The page: each mistake and each loss, with its answer folded."""
    out = ["<h1>Break this line: which checks fail?</h1><p>Each exercise plants one mistake. Think "
           "first; the answer has what the checkers of <code>refsm.checks</code> found when "
           "this book was built.</p>"]
    for k, one in enumerate(EXERCISES, 1):
        found = seen(one)
        if found is None:
            continue
        parts = "".join(f"<li>{html.escape(what)}: {verdict}</li>" for what, verdict in found
                        if verdict != "PASS")
        right = sum(verdict == "PASS" for _, verdict in found)
        out.append(f'<div class="box"><h2>{k}. <a href="{page_name(one.room)}#e{one.number}">'
                   f"{one.room}, equation ({one.number})</a></h2><p>Instead of <code>"
                   f"{html.escape(one.right)}</code> write <code>{html.escape(one.wrong)}"
                   f"</code>. {html.escape(one.hint)}</p><details><summary>The answer"
                   f"</summary><p>{html.escape(one.answer)}</p>"
                   f"<ul>{parts or '<li>nothing</li>'}</ul><p>{right} other checks "
                   "pass.</p></details></div>")
    out.append("<h1>Which loss is this?</h1><p>Four denoising losses; the answers are the "
               "reports of <code>refsm.verify</code>.</p>")
    for text, hint, loss in LOSSES:
        report = verify(loss, "dsm")
        out.append(f'<div class="box"><pre>{html.escape(text)}</pre><p>{html.escape(hint)}</p>'
                   "<details><summary>The report</summary><pre>"
                   f"{html.escape(str(report))}</pre></details></div>")
    return shell("refsm: exercises", f"<main>{''.join(out)}</main>")
