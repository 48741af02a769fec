"""The exact minimiser of score matching for energies that are linear in their parameters.

Symbols
    n points, k and l parameters (K); a dot sums over the entries of a local quantity at one point.
    theta       (K,)       parameters of the energy E = -sum_k theta_k F_k(x)
    J                      an objective;  weights (n,) its weights, not negative
    c           (K,)       gradient of J at theta = 0
    A           (K, K)     the Hessian of J: one matrix for all theta
    phi                    local quantities of the energy -F_k, for each k, as rows (K, ...)
    cotangent              derivative of J with respect to each local quantity
    u           (n, K)     weights times the gradient of each term, at the minimiser
    total       number     sum_n weights_n
    B           (K, K)     second moment of the gradient of a term
    V           (K, K)     asymptotic variance;  covariance (K, K) of the estimate
    p           (n,)       probabilities of the nodes of a quadrature rule, under the model
    F           (n, K)     the functions that theta multiplies
    information (K, K)     Fisher information of one point

Equations
    (1)  J(theta) = J(0) + c.theta + 1/2 theta'A theta                                 [definition]
    (2)  c_k   = sum_n cotangent_n(0) . phi_nk
    (3)  A_kl  = sum_n ( cotangent_n(phi_k) - cotangent_n(0) ) . phi_nl
    (4)  A theta = -c
    (5)  u_nk  = cotangent_n(theta) . phi_nk
    (6)  covariance = A^-1 ( sum_n u_n u_n' ) A^-1
    (7)  B     = sum_n u_n u_n' / (weights_n total), over the points with weights_n > 0
    (8)  V     = total^2 A^-1 B A^-1
    (9)  p_n   = volumes_n exp(-E(x_n)) / sum of these
    (10) information = sum_n p_n (F_n - mean) (F_n - mean)',  mean = sum_n p_n F_n
    what (2) and (3) are, E for the weighted sum and F_k,i for dF_k/dx_i
    (11) implicit      A = E sum_i F_k,i F_l,i             c = E sum_i F_k,ii              [result]
    (12) explicit      A as (11)                           c = -E sum_i F_k,i data_score_i [result]
    (13) denoising     A as (11), at x_noisy               c = -E sum_i F_k,i target_i     [result]
    (14) regularised   A = (11) + 2 strength E sum_i F_k,ii F_l,ii         c as (11)       [result]
    (15) generalised   A = E sum_i h_i F_k,i F_l,i
                       c = E sum_i (h_slope_i F_k,i + h_i F_k,ii)                          [result]
    (16) sliced        A = E mean_r (v_r.grad F_k)(v_r.grad F_l); variance-reduced, A as (11)
                       c = E mean_r v_r'(Hessian of F_k) v_r                               [result]

Derivation
    (1)          every local quantity is linear in theta: sum_k theta_k phi_k.  The terms of these
                 objectives are at most quadratic in score, divergence, diagonal and curvature.
    (1) -> (2)   the chain rule at theta = 0: the pullback of a cotangent onto theta_k is its
                 product with phi_k.
    (1) -> (3)   a cotangent is affine in the local quantities.  Without its constant part it is
                 linear, and sum_l theta_l times (3) is the gradient without c.  Any multiple of
                 phi_k, divided out again, gives the same; with one as long as STEP the constant
                 part is below rounding, and its subtraction costs no digits.
    (1) -> (4)   the gradient c + A theta is 0.  Where A is positive definite there is no other
                 minimiser.
    (4) -> (6)   an estimating equation: sum_n u_n(theta) = 0 at the estimate.  Expand about the
                 theta of the expected loss:  estimate - theta = -A^-1 sum_n u_n, to first order.
                 The u_n are independent where the points are, and have mean 0 at that theta, so
                 that sum_n u_n u_n' estimates the covariance of their sum.
    (5) -> (7)   u_n / weights_n is the gradient of the term; its square has the mean (7) under
                 weights / total.
    (7) -> (8)   for weights 1/n, (6) is V / n.  With the weights of a quadrature rule (8) is the
                 limit, for large n, of n times the covariance of the estimate from n points drawn
                 from its density.
    (9) -> (10)  the gradient of log p for theta_k is F_k - E_p F_k; (10) is its covariance.  No
                 unbiased estimate from n points has a smaller covariance than the inverse of
                 n times (10).
    -> (11)-(16) (2) and (3) for psi_i = sum_k theta_k F_k,i and J_ii = sum_k theta_k F_k,ii.

Conventions
    Which energies: those that say `linear = True` and have phi, as PolynomialEnergy does with
    `at(x).basis(name)`.  A Gaussian is linear in (P mean, P), not in the (mean, P) that
    refsm.Gaussian learns: write it as a PolynomialEnergy of degree 2.  The estimate need not have
    a density: nothing keeps exp(-E) integrable when points are few.  (6) takes the points for
    independent; several noisy copies of one x are not.  Where theta and the points are exact
    rationals, so is the minimiser with its covariance.

Sources
    Hyvarinen, Some extensions of score matching, CSDA 51 (2007), the section on exponential
    families: (4) with (11).  Huber, The behavior of maximum likelihood estimates under nonstandard
    conditions, Berkeley Symposium 5 (1967): (6).  Yu, Drton & Shojaie, Generalized score matching
    for non-negative data, JMLR 20 (2019): (4) with (15).
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refsm import validation
from refsm.objectives.objective import Objective
from refsm.rows import row_blocks
from refsm.typing import Array, ArrayLike

__all__ = ["ClosedForm", "closed_form", "fisher_information"]

SHARE = 16               # arrays of phi count as one in the size of a block: it takes some 20 MB
STEP = 2.0**100          # exact, and so long that what theta = 0 gives is below rounding
QUADRATIC = 1e-9         # of the sizes of its terms: a larger gradient is no effect of rounding
NO_SINGLE_MINIMISER = ("J must have a single minimiser, but its Hessian is not positive definite: "
                       "terms must not repeat or be constant, and points must outnumber them")
SINGULAR = 16            # roundings per parameter: a smaller eigenvalue, at unit diagonal, is 0


@dataclass(frozen=True, eq=False)
class ClosedForm:
    """A minimiser in closed form, and what its accuracy follows from.

    Parameters are in the order of `model.ravel()`.
    """

    model: Any                   # the minimiser
    covariance: Array            # (K, K), equation (6): of the estimate, for independent points
    asymptotic_variance: Array   # (K, K), equation (8): n times that of an estimate from n points
    hessian: Array               # (K, K), A of equation (3)
    gradient_moment: Array       # (K, K), B of equation (7)


def closed_form(J: Objective, model: Any) -> ClosedForm:
    """The parameters that minimise J, for a model that is linear in them, equation (4).

    J is an objective that is quadratic in theta: implicit, explicit, regularised, generalised,
    denoising, sliced or Parzen score matching.  Of `model` only the terms count, not its theta.
    The work grows as n K^2.  TypeError for another objective or model, ValueError where J has no
    single minimiser or negative weights.

    A Gaussian of mean 0 on the points 1 and 3: E = -theta x^2, theta = -1 / (2 * mean of x^2).

    >>> from refsm import ImplicitScoreMatching, PolynomialEnergy
    >>> found = closed_form(ImplicitScoreMatching([[1.0], [3.0]]), PolynomialEnergy([0.0], [[2]]))
    >>> found.model.theta.coefficients
    array([-0.1])
    """
    if not isinstance(J, Objective):
        raise TypeError(f"J must be an objective, but it is of type {type(J).__name__}")
    _check_linear(model)
    J.check_model(model)
    if not set(J.reads) <= model.quantities:
        raise TypeError(f"J must be a function of local quantities, but {type(J).__name__} reads "
                        f"the {', '.join(set(J.reads) - model.quantities)}")
    if (J.weights < 0).any():
        raise ValueError(f"weights of J must be >= 0, but the smallest is {J.weights.min()}")
    A, c = _normal_equations(J, model)
    theta = -_solve(A, c)                                                # (K,)  (4)
    with np.errstate(all="ignore"):                   # of a loss that is not quadratic
        gradient = model.ravel(J.gradient(model.unravel(theta)))
    if not (abs(gradient) <= QUADRATIC * (abs(A) @ abs(theta))).all():
        raise TypeError(f"J must be quadratic in theta, but {type(J).__name__} is not: "
                        "its gradient is not 0 where A theta = -c")
    model = model.unravel(theta)
    outer, B, total = _moments(J, model)
    covariance = _sandwich(A, outer)                                     # (K, K)  (6)
    V = total**2 * _sandwich(A, B)                                       # (K, K)  (8)
    return ClosedForm(model, covariance, V, A, B)


def fisher_information(model: Any, nodes: ArrayLike, volumes: ArrayLike) -> Array:
    """The Fisher information of one point about theta, (K, K), equation (10), by quadrature.

    nodes (n, d) and volumes (n,) integrate over the domain of the density, as those of
    `refsm.expectations.box` do.

    N(0, 1) as E = x^2 / 2, theta = -1/2: F = x^2 has the variance 2.

    >>> from refsm import PolynomialEnergy, expectations
    >>> model = PolynomialEnergy([-0.5], [[2]])
    >>> fisher_information(model, *expectations.box([-9.0], [9.0], 81)).round(9)
    array([[2.]])
    """
    _check_linear(model)
    x = model.points(nodes, "nodes")
    volumes = validation.array(volumes, "volumes", (len(x),))
    F = -model.at(x).basis("energy").T                                   # (n, K)
    energy = model.energy(x)
    p = volumes * np.exp(energy.min() - energy)
    p /= p.sum()                                                         # (n,)    (9)
    F = F - p @ F
    information = (p[:, None] * F).T @ F                                 # (K, K)  (10)
    return information


def _check_linear(model: Any) -> None:
    if not getattr(model, "linear", False):
        raise TypeError("model must be linear in its parameters, as a PolynomialEnergy is, "
                        f"but it is of type {type(model).__name__}")


def _blocks(J: Objective, model: Any) -> Any:
    """Parts of J, each with the energy at its points and phi: {name: (K, n, ...)}."""
    n, d = J.points.shape
    for rows in row_blocks(n, d, -(-len(model.ravel()) // SHARE) * J.arrays_per_point):
        part = J.take(rows)
        at = part.at(model)
        yield part, at, {name: at.basis(name) for name in J.reads}


def _normal_equations(J: Objective, model: Any) -> tuple[Array, Array]:
    """A and c of equation (1)."""
    A: Any = 0
    c: Any = 0
    for part, _, phi in _blocks(J, model):
        _, at_zero = part.local_loss(**{name: 0 * rows[0] for name, rows in phi.items()})
        step = int(STEP) if J.points.dtype == object else STEP
        with np.errstate(all="ignore"):               # of a loss that is not quadratic
            far = [part.local_loss(**{name: step * rows[k] for name, rows in phi.items()})[1]
                   for k in range(len(model.ravel()))]
        for name, rows in phi.items():
            flat = rows.reshape(len(rows), -1)
            c = c + flat @ at_zero[name].reshape(-1)                     # (K,)    (2)
            slopes = np.stack([(cotangent[name] - at_zero[name]) / step for cotangent in far])
            A = A + slopes.reshape(flat.shape) @ flat.T                  # (K, K)  (3)
    return validation.symmetric_part(A), c


def _moments(J: Objective, model: Any) -> tuple[Array, Array, Any]:
    """sum_n u_n u_n', B, and the sum of the weights, at the minimiser."""
    outer: Any = 0
    B: Any = 0
    total = J.weights.sum()
    for part, at, phi in _blocks(J, model):
        _, cotangent = part.local_loss(**part.read(at))
        products = [(rows * cotangent[name]).reshape(*rows.shape[:2], -1).sum(axis=2)
                    for name, rows in phi.items()]
        u = sum(products[1:], products[0]).T                             # (n, K)  (5)
        seen = part.weights != 0
        u, weights = u[seen], part.weights[seen]
        outer = outer + u.T @ u
        B = B + (u / (weights * total)[:, None]).T @ u                   # (K, K)  (7)
    return outer, B, total


def _sandwich(A: Array, middle: Array) -> Array:
    """A^-1 middle A^-1, for symmetric matrices."""
    out = _solve(A, _solve(A, middle).T)
    return validation.symmetric_part(out)


def _solve(A: Array, right: Array) -> Array:
    """A^-1 right for a symmetric positive definite A; ValueError where it is not."""
    if A.dtype == object:
        return _solve_exactly(A, right)
    K = len(A)
    scale = np.sqrt(np.where(np.diag(A) > 0, np.diag(A), 1))
    scaled = A / scale[:, None] / scale
    if np.linalg.eigvalsh(scaled)[0] <= SINGULAR * K * np.finfo(A.dtype).eps:
        raise ValueError(NO_SINGLE_MINIMISER)
    return (np.linalg.solve(scaled, (right.T / scale).T).T / scale).T


def _solve_exactly(A: Array, right: Array) -> Array:
    """The same in rationals, by elimination: a pivot of a positive definite matrix is never 0."""
    K = len(A)
    rows = np.concatenate([A, right.reshape(K, -1)], axis=1)
    for k in range(K):
        if rows[k, k] <= 0:
            raise ValueError(NO_SINGLE_MINIMISER)
        rows[k] = rows[k] / rows[k, k]
        for other in range(K):
            if other != k:
                rows[other] = rows[other] - rows[other, k] * rows[k]
    return rows[:, K:].reshape(right.shape)
