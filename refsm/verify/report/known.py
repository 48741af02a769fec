"""Factors and changes of terms in words, and where each was seen before."""
from __future__ import annotations

from typing import Sequence

from refsm.verify.diagnosis.explanation import Change
from refsm.verify.diagnosis.scaling import Scaling, saturating, scaling_in_words
from refsm.verify.mistakes import Mistake
from refsm.verify.objectives import OBJECTIVES

__all__ = ["TERM_NAMES", "change_in_words", "factor_in_words", "listed", "seen"]

TERM_NAMES = {
    "norm": "half the squared norm of the score", "cross": "the product of score and target",
    "divergence": "the divergence", "slope": "the term of the slope h'", "penalty": "the penalty",
    "variate": "the control variate",
    "output": "the squared reconstruction", "product": "the product of reconstruction and target",
    "extra": "the extra term", "constant": "the constant", "whole": "the loss",
    "loss": "the loss", "target": "the target", "score": "the score"}

# -- factors that are conventions -----------------------------------------------------------------

_SEEN_FACTORS: dict[tuple[str, str], str] = {
    ("dsm", "sigma^2"): "annealed denoising of ncsn and ncsnv2; "
                        "yang-song/score_sde with reduce_mean=False",
    ("dsm", "2 sigma^2 / d"): "yang-song/score_sde with reduce_mean=True",
    ("dsm", "sigma^4"): "ermongroup/sliced_score_matching dsm(energy, sigma); toy_gradlogp deen",
    ("dsm", "2 sigma^2"): "AlexandreAdam/score_models; the VELoss of NVlabs/edm, summed over "
                          "dimensions; sbi with the weight sigma^2, without its control variate",
    ("dsm", "2 / d"): "pylearn2 SMD; a mean over all entries, as torch.nn.MSELoss has it",
    ("dsm", "2"): "the squared error without its 1/2; sbi with the weight 1, without its control "
                  "variate",
    ("dsm", "2 sigma^4"): "the autoencoder's loss J_DAE of Vincent (2011), which is "
                          "2 sigma^4 J_DSM",
    ("ism", "1 / d"): "pylearn2 SM",
    ("ssm", "1 / d"): "ermongroup/sliced_score_matching scales its directions to unit length: "
                      "this factor, where they are sign vectors",
    ("dae", "1 / 2"): "PyDeep's squared error",
    ("dae", "1 / d"): "a mean over all entries, as torch.nn.MSELoss has it",
    ("dae", "1 / (2 sigma^4)"): "denoising score matching: J_DSM = J_DAE / (2 sigma^4), "
                                "Vincent (2011)",
    ("ratio", "4 / d"): "wavengampruetikorn/SpinModels.jl",
    ("pseudo", "1.4427"): "logarithms to base 2",
}
_SEEN_CHANGES = {
    ("target", "-1", ("dsm",)): "torchebm before its pull request 333 (issue 318: the energy "
                                "learned is upside down); acids-ircam/diffusion_models, pull "
                                "request 7 and issue 11, on a tutorial's formula",
    ("target", "sigma", ("dsm",)): "users suspect it: score_sde_pytorch issue 26 and cdvae issue "
                                   "7, both false alarms",
    ("target", "-sigma", ("dsm",)): "losses that predict the noise: score_sde's DDPM loss calls "
                                    "the predicted noise a score",
    ("score", "-1", ("dsm", "esm", "ism", "ssm", "ssm_vr")): "torchebm's compute_score returns "
                                                             "grad E, minus the score",
    ("divergence", "-1", ("ism", "regularized", "ssm", "ssm_vr")): "the Hessian of E in place of "
                                                                   "the Jacobian of the score",
    ("loss", "-1", ("pseudo",)): "scikit-learn's score_samples returns the log pseudo-likelihood, "
                                 "which is to be maximised"}
_SIMILAR = {"parzen_esm": "esm", "parzen_ism": "ism"}

_PIECES = {("d", -1.0): "mean over dimensions in place of their sum",
           ("n", 1.0): "sum over points in place of their mean",
           ("n", -1.0): "divided by the number of points once more",
           ("M", 1.0): "sum over directions in place of their mean",
           ("M", -1.0): "divided by the number of directions once more",
           ("L", -1.0): "mean over levels in place of their sum",
           ("d", 1.0): "multiplied by the number of dimensions"}


def factor_in_words(objective: str, factor: Scaling) -> str:
    """What a common factor is: which 1/2, mean, sum or weight.

    >>> factor_in_words("dsm", Scaling(2.0, (("sigma", 2.0), ("d", -1.0))))
    'without the 1/2, weighted by sigma^2, mean over dimensions in place of their sum'
    """
    factor, unbiased = _unbiased(factor)
    half = {"score": (2, "without the 1/2"), "model": (1, "")}.get(
        OBJECTIVES[objective].learned, (0.5, "with a 1/2"))
    known = [_PIECES[power] for power in factor.powers if power in _PIECES]
    rest = [power for power in factor.powers if power not in _PIECES]
    weight = Scaling(1.0, tuple(p for p in rest if p[0][0] not in "dnML"))
    number = Scaling(1.0 if factor.prefactor == half[0] else factor.prefactor,
                     tuple(p for p in rest if p[0][0] in "dnML"))
    words = [half[1] if factor.prefactor == half[0] else "",
             "" if number.is_one else f"multiplied by {number}",
             "" if weight.is_one else f"weighted by {scaling_in_words(weight)}"]
    return ", ".join(filter(None, [*words, *known, *unbiased]))


def _unbiased(factor: Scaling) -> tuple[Scaling, list[str]]:
    """A factor without its n / (n - 1), and that in words."""
    for name, power in factor.sums:
        pair = {(name, power), (name[0], -power)}
        if name.endswith("- 1") and pair <= set(factor.powers):
            over, under = (name[0], name) if power > 0 else (name, name[0])
            powers = tuple(p for p in factor.powers if p not in pair)
            return Scaling(factor.prefactor, powers), [f"divided by {over} in place of {under}"]
    return factor, []


def listed(words: Sequence[str]) -> str:
    """One, two and three as "one, two and three"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def seen(objective: str, factor: Scaling, changes: Sequence[Change],
         mistakes: Sequence[Mistake]) -> tuple[str, ...]:
    """Where this was seen before: the whole difference, not a piece of it.

    A factor beside one mistake or one change does not count.
    """
    group = _SIMILAR.get(objective, objective)
    if not changes and not mistakes:
        known = _SEEN_FACTORS.get((group, str(factor))) or _edm(objective, factor)
        return (known,) if known else ()
    if len(changes) == 1 and not mistakes:
        (change,) = changes
        return tuple(text for (what, scaling, groups), text in _SEEN_CHANGES.items()
                     if change.what == what and str(change.scaling) == scaling and group in groups)
    if len(mistakes) == 1 and all(change.what == "loss" for change in changes):
        return (mistakes[0].seen,) if mistakes[0].seen else ()
    return ()


def _edm(objective: str, factor: Scaling) -> str:
    """EDM's weight, with its constant, where that is what the factor is."""
    front, power, square = saturating(factor)
    if objective != "dsm" or power != 1 or ("sigma", 2.0) not in front.powers:
        return ""
    over = " divided by d" if ("d", -1.0) in front.powers else ""
    return (f"the weighting of EDM (Karras){over}, sigma_data = {square**0.5:.4g}; "
            "k-diffusion, 2 sigma^2 (sigma^2 + s_d^2) / (s_d^2 d)")


# -- a change in words ----------------------------------------------------------------------------

_TARGETS = {
    "sigma": "sigma for sigma^2 in the target",
    "sigma^2": "the target is not divided by sigma^2",
    "-sigma": "the noise, as predicted-noise losses have it, in place of the target: its sign, "
              "and 1/sigma",
    "-sigma^2": "the target is not divided by sigma^2, and its sign",
    "-1 / sigma": "the sign of the target, and sigma^3 for sigma^2"}


def change_in_words(objective: str, change: Change) -> str:
    """A change as a person would say it."""
    what, scaling, learned = change.what, change.scaling, OBJECTIVES[objective].learned
    name, words = TERM_NAMES[what].replace("reconstruction", learned), scaling_in_words(scaling)
    if what == "score" and learned != "score":
        name = "the output"
    if scaling.is_zero:
        return f"{name} is missing"
    if what == "loss":
        return "the sign of the loss: it is to be maximised"
    if what == "target":
        times = f"the target is multiplied by {words}"
        if str(scaling) == "-1":
            output = "score" if learned == "score" else "output"
            return f"the sign of the target (equally: of the {output})"
        if words.startswith("sigma^2 / (sigma^2 + "):
            return f"{words[len('sigma^2 / ('):-1]} in place of sigma^2 in the target"
        return _TARGETS.get(str(scaling), times) if objective == "dsm" else times
    if what == "score" and objective == "dsm" and str(scaling) == "sigma^2":
        return ("the score is multiplied by sigma^2: a reconstruction's error in the place of a "
                "score")
    if what == "norm" and scaling == Scaling(2.0):
        return "the 1/2 on the squared norm of the score is missing, on this term alone"
    if str(scaling) == "-1":
        return f"the sign of {name}"
    pieces = [_PIECES.get(piece) for piece in scaling.powers]
    if abs(scaling.prefactor) == 1 and scaling.powers and all(pieces):
        sign = ", and the wrong sign" if scaling.prefactor < 0 else ""
        said = " and ".join(f"is {p}" if p.startswith(("multiplied", "divided")) else f"has the {p}"
                            for p in pieces if p)
        return f"{name} alone {said}{sign}"
    return f"{name} is multiplied by {words}"
