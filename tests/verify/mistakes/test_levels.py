"""The mistakes of several levels: each row is the loss that its words say, written here apart."""
import numpy as np
import pytest

from refsm.verify.api import verify
from refsm.verify.cases import cases
from refsm.verify.cases.quantities import Quantities
from refsm.verify.mistakes import formulas


def losses(c, sigma=None, alpha=None, at=None):
    """|psi_l - target_l|^2 / 2 of every level, (L, n)."""
    sigma, alpha = c.sigma if sigma is None else sigma, c.alpha if alpha is None else alpha
    at = range(len(sigma)) if at is None else at
    return np.array([((c.score(y, k) - (a * c.x - y) / s**2)**2).sum(axis=1) / 2
                     for y, k, a, s in zip(c.x_noisy, at, alpha, sigma)])


def weighted(w, each):
    return (np.asarray(w)[:, None] * np.asarray(each)).sum(axis=0)


def other(a, name):
    return {"next": lambda: np.concatenate([a[1:], a[:1]]),
            "before": lambda: np.concatenate([a[-1:], a[:-1]]),
            "reversed": lambda: np.array(list(a)[::-1]), "first": lambda: a[[0] * len(a)],
            "last": lambda: a[[-1] * len(a)],
            "next-clipped": lambda: a[[min(k + 1, len(a) - 1) for k in range(len(a))]],
            "before-clipped": lambda: a[[max(k - 1, 0) for k in range(len(a))]]}[name]()


# what a person would write: identity, loss, and what the report says
PLANTED = {
    "own-weight.none": (lambda c: losses(c).sum(axis=0), "1: its own weight is left out"),
    "own-weight.root": (lambda c: weighted(np.sqrt(c.level_weights), losses(c)), "square root"),
    "own-weight.square": (lambda c: weighted(c.level_weights * c.level_weights, losses(c)),
                          "square"),
    "own-weight.inverse": (lambda c: weighted(1 / c.level_weights, losses(c)),
                           "1 / its own weight"),
    "weight.normalised": (lambda c: np.average(losses(c), axis=0, weights=c.level_weights),
                          "over the sum of the weights"),
    "own-weight.reversed": (lambda c: weighted(c.level_weights[::-1], losses(c)), "reverse order"),
    "own-weight.next": (lambda c: weighted(other(c.level_weights, "next"), losses(c)),
                    "the weight of the next level"),
    "own-weight.before": (lambda c: weighted(other(c.level_weights, "before"), losses(c)),
                          "the weight of the level before"),
    **{f"own-weight.{name}-clipped": (lambda c, name=name: weighted(
        other(c.level_weights, f"{name}-clipped"), losses(c)), f"{words} keeps its own)")
       for name, words in (("next", "level (the last"), ("before", "level before (the first"))},
    **{f"noise.{name}": (lambda c, name=name: weighted(c.level_weights, [
        ((c.score(y, k) + other(c.noise, name)[k] / s)**2).sum(axis=1) / 2
        for k, (y, s) in enumerate(zip(c.x_noisy, c.sigma))]), "the target has the noise of the ")
       for name in ("next", "before", "reversed", "first", "last", "next-clipped",
                    "before-clipped")},
    "own-weight.first": (lambda c: c.level_weights[0] * losses(c).sum(axis=0),
                     "the weight of the first level"),
    "own-weight.variance": (lambda c: weighted(c.sigma**2, losses(c)), "sigma^2 in place of"),
    "own-weight.sigma": (lambda c: weighted(c.sigma, losses(c)), "sigma in place of"),
    "own-weight.inverse-variance": (lambda c: weighted(c.sigma**-2.0, losses(c)),
                                    "1 / sigma^2 in place of"),
    "own-weight.inverse-sigma": (lambda c: weighted(1 / c.sigma, losses(c)),
                                 "1 / sigma in place of"),
    "weight.variance": (lambda c: weighted(c.level_weights * c.sigma**2, losses(c)),
                        "weighted by sigma^2"),
    "point.x": (lambda c: weighted(c.level_weights, [
        ((c.score(c.x, k) + e / s)**2).sum(axis=1) / 2
        for k, (e, s) in enumerate(zip(c.noise, c.sigma))]), "the score is read at x"),
    "levels.first": (lambda c: c.level_weights[0] * losses(c)[0], "only the first level"),
    "levels.last": (lambda c: c.level_weights[-1] * losses(c)[-1], "only the last level"),
    "levels.not-first": (lambda c: weighted(c.level_weights[1:], losses(c)[1:]),
                         "the first level is left out"),
    "levels.not-last": (lambda c: weighted(c.level_weights[:-1], losses(c)[:-1]),
                        "the last level is left out"),
    **{f"level.sigma-{name}": (lambda c, name=name: weighted(
        c.level_weights, losses(c, sigma=other(c.sigma, name))), f"the sigma of the {name}")
       for name in ("next", "first", "last")},
    "level.sigma-before": (lambda c: weighted(c.level_weights, losses(
        c, sigma=other(c.sigma, "before"))), "the sigma of the level before"),
    "level.sigma-reversed": (lambda c: weighted(c.level_weights, losses(
        c, sigma=other(c.sigma, "reversed"))), "the sigma of the levels in reverse order"),
    "level.alpha-next": (lambda c: weighted(c.level_weights, losses(
        c, alpha=other(c.alpha, "next"))), "the alpha of the next level"),
    "level.alpha-first": (lambda c: weighted(c.level_weights, losses(
        c, alpha=other(c.alpha, "first"))), "the alpha of the first level"),
    **{f"{identity}{name}-clipped": (lambda c, loss=loss, name=name: weighted(
        c.level_weights, loss(c, lambda a: other(a, f"{name}-clipped"))), "keeps its own")
       for name in ("next", "before") for identity, loss in (
           ("level.", lambda c, f: losses(c, f(c.sigma), f(c.alpha))),
           ("level.sigma-", lambda c, f: losses(c, sigma=f(c.sigma))),
           ("level.alpha-", lambda c, f: losses(c, alpha=f(c.alpha))),
           ("sigma.", lambda c, f: [((c.score(y, k) + e / s)**2).sum(axis=1) / 2 for k, (y, e, s)
                                    in enumerate(zip(c.x_noisy, c.noise, f(c.sigma)))]))},
    "level.next": (lambda c: weighted(c.level_weights, losses(
        c, other(c.sigma, "next"), other(c.alpha, "next"))), "the target is that of the next"),
    **{f"model.{name}": (lambda c, name=name: weighted(c.level_weights, losses(
        c, at=other(np.arange(len(c.sigma)), name))), "the score is that of")
       for name in ("next", "before", "reversed", "first", "last", "next-clipped",
                    "before-clipped")}}


@pytest.mark.parametrize("identity", PLANTED)
def test_a_row_of_several_levels_is_the_loss_that_its_words_say(identity):
    case = cases("multi_level", "prime")[16]                    # d = 3, n = 7, five levels
    (row,) = [formula for formula in formulas("multi_level", "gaussian")
              if [mistake.id for mistake in formula.mistakes] == [identity]]
    q = Quantities(case)
    sums = sum(term.per_sample(q) for term in (*row.terms, row.constant))
    assert PLANTED[identity][1] in row.mistakes[0].words
    np.testing.assert_allclose(sums, PLANTED[identity][0](case), rtol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("identity", PLANTED)
def test_a_mistake_of_several_levels_is_named(identity):
    loss, words = PLANTED[identity]
    report = verify(loss, "multi_level")
    assert words in report.name, report
    # one factor for all levels of a group, or a weight by the level beside the given ones
    convention = identity in ("weight.normalised", "weight.variance")
    assert report.verdict == ("CONVENTION" if convention else "MISMATCH")
    assert verify(loss, "multi_level", convention=report.convention).exit_status == 0


@pytest.mark.slow
def test_the_square_of_a_sum_is_named_at_several_levels_too():
    def loss(c):
        of = [w * (c.score(y, k) - (a * c.x - y) / s**2).sum(axis=1)**2 for k, (y, a, s, w)
              in enumerate(zip(c.x_noisy, c.alpha, c.sigma, c.level_weights))]
        return np.sum(of, axis=0)

    report = verify(loss, "multi_level")
    assert report.name == "the sum over dimensions is squared, not its entries"
