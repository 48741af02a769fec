"""What a network may predict in the place of a score: linear in the score and the noisy point.

Symbols
    n points of d dimensions: clean points x and standard normal noise eps, (n, d) each.
    x_noisy    (n, d)   noisy points
    alpha      number   what a clean point is scaled by
    sigma      number   standard deviation of the noise
    data_sd    number   standard deviation of a coordinate of the clean points, for "edm"
    psi        (n, d)   score
    A, B       numbers  a prediction is A x_noisy + B psi
    factor     number   the loss of a prediction divided by the denoising loss of the score
    c_skip, c_out  numbers   of the preconditioning "edm"

Equations
    (1)  x_noisy = alpha x + sigma eps                                                 [definition]
    (2)  prediction = A x_noisy + B psi                                                [definition]
    (3)  "score"     A = 0                   B = 1
    (4)  "noise"     A = 0                   B = -sigma
    (5)  "clean"     A = 1 / alpha           B = sigma^2 / alpha
    (6)  "velocity"  A = -sigma / alpha      B = -sigma (alpha^2 + sigma^2) / alpha
    (7)  "flow"      A = -1 / alpha          B = -sigma (alpha + sigma) / alpha
    (8)  "edm"       A = c_out / data_sd^2   B = sigma^2 / c_out,   alpha = 1
    (9)  c_skip = data_sd^2 / (sigma^2 + data_sd^2)
    (10) c_out  = sigma data_sd / sqrt(sigma^2 + data_sd^2)
    (11) of another kind:  B_target ( value - A_source x_noisy ) / B_source + A_target x_noisy
    (12) factor = 2 B^2

Derivation
    (1) -> (3)   given x and x_noisy, the target of the score is t = -eps / sigma.
    -> (4) to (8)   each kind names a combination of x and eps; the prediction is the same
                 combination of their estimates
                     eps_hat = -sigma psi,   x_hat = (x_noisy + sigma^2 psi) / alpha:
                 noise eps;  clean x;  velocity alpha eps - sigma x;  flow eps - x;
                 edm (x - c_skip x_noisy) / c_out.
                 In the velocity psi has the factor -alpha sigma - sigma^3 / alpha, in the flow
                 -sigma - sigma^2 / alpha.  In edm x_noisy has the factor (1 - c_skip) / c_out,
                 which is c_out / data_sd^2 by (9) and (10), without the cancellation.
    (2) -> (11)  psi = (value - A x_noisy) / B, and no B is 0.
    (2) -> (12)  with psi = t (2) is the target of the prediction, so the difference of prediction
                 and target is B (psi - t): |B (psi - t)|^2 = 2 B^2 times 1/2 |psi - t|^2.

Conventions
    Network outputs in the literature: "epsilon" is noise, "x0" or "sample" is clean, "v" is
    velocity.  The flow is the velocity of the straight path x_noisy = (1 - t) x + t eps, from data
    at t = 0 to noise at t = 1; flow matching with noise at t = 0 has the opposite sign.  "edm" is
    the raw network of Karras et al. (2022), before skip and output scaling; their denoiser
    D = c_skip x_noisy + c_out prediction is the kind "clean" at alpha = 1.  With their weight
    1 / c_out^2 on |D - x|^2 the loss is |prediction - target|^2.
    Exact rationals stay exact; "edm" too, where sqrt(sigma^2 + data_sd^2) is rational.

Sources
    Ho, Jain & Abbeel, Denoising diffusion probabilistic models, NeurIPS 2020: noise.
    Salimans & Ho, Progressive distillation, ICLR 2022: velocity.
    Lipman et al., Flow matching, ICLR 2023, and Liu, Gong & Liu, Flow straight and fast, ICLR 2023:
    flow.
    Karras et al., Elucidating the design space of diffusion-based generative models, NeurIPS 2022:
    (8) to (10).
"""
from __future__ import annotations

import math
from fractions import Fraction
from numbers import Real
from typing import Any, NamedTuple

from refsm import validation
from refsm.corruption import Corruption
from refsm.corruption import corruption as process
from refsm.typing import Array, ArrayLike

__all__ = ["KINDS", "LinearMap", "convert", "factor", "linear_map", "preconditioning", "scales"]

KINDS = ("score", "noise", "clean", "velocity", "flow", "edm")


class LinearMap(NamedTuple):
    """A prediction as a function of the score: A x_noisy + B psi, equation (2)."""

    A: Any
    B: Any


def convert(value: ArrayLike, x_noisy: ArrayLike, corruption: Corruption | float, *, source: str,
            target: str, data_sd: float | None = None) -> Array:
    """The prediction `value` (n, d) of kind `source`, as one of kind `target`, equation (11).

    Kinds are "score", "noise", "clean", "velocity", "flow" and "edm"; corruption: a number sigma, a
    GaussianCorruption or a ScaledCorruption; data_sd > 0 for "edm" only.  ValueError or TypeError,
    in one sentence, for anything else.  Source: Ho et al. (2020) and the others above.

    At x_noisy = 3 with alpha = 1, sigma = 2, a predicted noise of 1 is a clean point at 1:

    >>> convert([[1.0]], [[3.0]], 2.0, source="noise", target="clean")
    array([[1.]])
    """
    noise = process(corruption)
    x_noisy = validation.points(x_noisy, "x_noisy")
    value = validation.array(value, "value", x_noisy.shape)
    A_source, B_source = linear_map(source, noise, data_sd)
    A_target, B_target = linear_map(target, noise, data_sd)
    psi = (value - A_source * x_noisy) / B_source                        # (n, d)
    return B_target * psi + A_target * x_noisy                           # (n, d)  (11)


def factor(kind: str, corruption: Corruption | float, data_sd: float | None = None) -> Any:
    """The squared error of a prediction divided by the denoising loss of its score, 2 B^2.

    >>> factor("noise", 0.5)                 # 2 sigma^2
    0.5
    """
    _, B = linear_map(kind, corruption, data_sd)
    return 2 * B**2                                                      # ()  (12)


def linear_map(kind: str, corruption: Corruption | float,
               data_sd: float | None = None) -> LinearMap:
    """A and B of equation (2) for one kind of prediction.

    >>> linear_map("clean", 0.5)             # x_noisy + sigma^2 psi: Tweedie's formula
    LinearMap(A=1.0, B=0.25)
    """
    alpha, sigma = scales(corruption)
    if kind == "score":
        return LinearMap(0, 1)                                           # (3)
    if kind == "noise":
        return LinearMap(0, -sigma)                                      # (4)
    if kind == "clean":
        return LinearMap(1 / alpha, sigma**2 / alpha)                    # (5)
    if kind == "velocity":
        return LinearMap(-sigma / alpha, -sigma * (alpha**2 + sigma**2) / alpha)     # (6)
    if kind == "flow":
        return LinearMap(-1 / alpha, -sigma * (alpha + sigma) / alpha)   # (7)
    if kind == "edm":
        _, c_out = preconditioning(corruption, data_sd)
        return LinearMap(c_out / data_sd**2, sigma**2 / c_out)       # type: ignore[operator]  # (8)
    raise ValueError(f"a prediction must be one of {', '.join(KINDS)}, but it is "
                     f"{validation.brief(kind)}")


def preconditioning(corruption: Corruption | float, data_sd: float | None) -> tuple[Any, Any]:
    """c_skip and c_out of Karras et al. (2022), for noise without scaling.

    >>> preconditioning(3.0, 4.0)
    (0.64, 2.4)
    """
    alpha, sigma = scales(corruption)
    if alpha != 1:
        raise ValueError(f"corruption must not scale the points for edm, but alpha is {alpha}")
    if data_sd is None:
        raise TypeError("data_sd must be given for edm: the standard deviation of the clean points")
    s = validation.scale(data_sd, "data_sd")
    variance = sigma**2 + s**2
    c_skip = s**2 / variance                                             # ()  (9)
    c_out = sigma * s / _sqrt(variance)                                  # ()  (10)
    return c_skip, c_out


def scales(corruption: Corruption | float) -> tuple[Any, Any]:
    """alpha and sigma of isotropic noise.  TypeError for noise of another covariance.

    >>> scales(0.5)
    (1.0, 0.5)
    """
    noise = process(corruption)
    sigma = getattr(noise, "sigma", None)
    if not isinstance(sigma, Real):
        raise TypeError("corruption must be isotropic for a prediction (a number sigma, a "
                        "GaussianCorruption or a ScaledCorruption), but it is of type "
                        f"{type(noise).__name__}")
    return sigma / sigma * noise.alpha, sigma                           # alpha of sigma's kind


def _sqrt(value: Any) -> Any:
    """The square root: exact where it is rational."""
    if isinstance(value, Fraction):
        root = Fraction(math.isqrt(value.numerator), math.isqrt(value.denominator))
        if root**2 == value:
            return root
    return math.sqrt(value)
