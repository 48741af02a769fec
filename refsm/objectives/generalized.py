"""Generalised score matching for positive or bounded data (Hyvarinen 2007; Yu et al. 2019).

Symbols
    n points, i dimensions (d); x_rest is x without x_i.
    x         (n, d)   points, drawn from a density q on a domain with a boundary
    h         (n, d)   h_i(x) >= 0, how much coordinate i counts at x
    h_slope   (n, d)   dh_i/dx_i
    psi       (n, d)   the model's score at x; `score` where it is an argument
    s                  grad log q at x; the loss does not need it
    diagonal  (n, d)   d psi_i / d x_i
    weights   (n,)     w_n, 1/n unless given
    term      (n,)     the loss at one point; value = sum_n weights_n term_n

Equations
    (1)  term = sum_i ( h_slope_i psi_i + h_i diagonal_i + 1/2 h_i psi_i^2 )
    (2)  d value / d psi_i = weights (h_slope_i + h_i psi_i)
    (3)  d value / d diagonal_i = weights h_i
    what it estimates
    (4)  E_q 1/2 sum_i h_i (psi_i - s_i)^2
         = E_q (1) + 1/2 E_q sum_i h_i s_i^2 - sum_i integral [ h_i psi_i q ] dx_rest
                                                                                      [statement 44]
    (5)  [ h_i psi_i q ] = its value at the upper end of x_i minus that at the lower one
                                                                                        [definition]

Derivation
    -> (4)      Expand the square:
                1/2 E_q h_i psi_i^2 - E_q h_i psi_i s_i + 1/2 E_q h_i s_i^2.
                The cross term is  -integral h_i psi_i d_i q dx,  because q s_i = d_i q.  Integrate
                by parts along x_i, with x_rest fixed, from one end of the domain to the other:
                -integral h_i psi_i d_i q dx_i = -[ h_i psi_i q ] + integral q d_i (h_i psi_i) dx_i,
                and d_i (h_i psi_i) = h_slope_i psi_i + h_i diagonal_i by the product rule: its mean
                under q, with 1/2 h_i psi_i^2, is (1).
    (4), (5)    The boundary term may depend on theta.  Where it is 0 the two sides differ by a
                constant, and (1) and the weighted distance have one minimiser: h_i psi_i q has to
                vanish at both ends of x_i.  On x > 0, with h_i(x) = x_i (or x_i^2, log(1 + x_i),
                min(x_i, 1)), it vanishes at 0 wherever psi_i q is bounded there.  With h = 1 the
                loss is the implicit one, and the term stays unless psi_i q itself vanishes at the
                boundary: for q = lambda exp(-lambda x) and psi = -theta it is
                [ -theta lambda exp(-lambda x) ] from 0 to inf = lambda theta.
                Besides this, q and h_i psi_i must be absolutely continuous along x_i (kinks are
                allowed, as that of min(x_i, 1): the slope there is either one-sided value), and the
                expectations must be finite.
    -> (2), (3) elementwise derivatives of the term, times weights_n.

Conventions
    h and h_slope come in as arrays, the values at x: any function of x will do, also one of all
    coordinates, as long as h_slope_i is its derivative along x_i.  h >= 0 is required, since a
    negative weight would reward a distance; h = 0 is allowed anywhere.  A point outside the domain
    is refused where h is negative at it (h = x at x < 0), and not otherwise (h = x^2).  With h = 1
    and h_slope = 0, (1) is implicit score matching.  Hyvarinen (2007) has h_i = x_i^2 for positive
    data.  Yu, Drton & Shojaie write (1) with 1/2 before the square, as here, and choose h bounded,
    min(log(1 + x), c), say.

Sources
    Hyvarinen, Some extensions of score matching, CSDA 51 (2007): non-negative data, h = x^2.  Yu,
    Drton & Shojaie, Generalized score matching for non-negative data, JMLR 20 (2019): (1) and (4)
    for any h that vanishes at 0.
"""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from refsm.objectives.objective import LocalLoss, Objective
from refsm.rows import release_pages, row_blocks
from refsm.sums import column, row_dot
from refsm.typing import Array, Given

__all__ = ["GeneralizedScoreMatching"]


@dataclass(frozen=True, eq=False, repr=False)
class GeneralizedScoreMatching(Objective):
    """sum_n weights_n sum_i ( h_slope_i psi_i + h_i d_i psi_i + 1/2 h_i psi_i^2 ), equation (1).

    x, h and h_slope (n, d): points, h_i(x) >= 0 and dh_i/dx_i there.  h must vanish where the data
    end, at x_i = 0 for positive data; `x` itself is not restricted.  The value is in the units of
    h / x^2.  ValueError for shapes that disagree or a negative h, by its place.  Sources: Hyvarinen
    (2007), Yu et al. (2019).

    The exponential density with rate 3, E = 3 x, at x = 2 with h = x: -3 + 0 + 1/2 * 2 * 9.

    >>> J = GeneralizedScoreMatching([[2.0]], h=[[2.0]], h_slope=[[1.0]])
    >>> J.evaluate(score=[[-3.0]], diagonal=[[0.0]])[0]
    array([6.])
    """

    x: Given
    h: Given
    h_slope: Given
    weights: Given = field(default=None, kw_only=True)

    reads = ("score", "diagonal")
    per_point = ("x", "h", "h_slope", "weights")

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_not_negative(self.h)

    def local_loss(self, score: Array, diagonal: Array) -> LocalLoss:   # type: ignore[override]
        """Terms and cotangents from the score (n, d) and the diagonal of its Jacobian (n, d)."""
        psi, h, h_slope, weights = score, self.h, self.h_slope, column(self.weights)
        term = row_dot(h_slope + h * psi / 2, psi) + row_dot(h, diagonal)            # (n,)    (1)
        return term, {"score": weights * (h_slope + h * psi),                        # (n, d)  (2)
                      "diagonal": weights * h}                                       # (n, d)  (3)


def _check_not_negative(h: Array) -> None:
    """ValueError for the first entry below 0; read block by block, since h may be a memory map."""
    for rows in row_blocks(*h.shape):
        if (h[rows] < 0).any():
            row, i = np.argwhere(h[rows] < 0)[0]
            raise ValueError("h must be >= 0, because it weighs a squared distance, "
                             f"but entry ({row + rows.start}, {i}) is {h[rows][row, i]}")
        release_pages(h)
