"""What is known about differences: what they are called, what they do to training, and where they were seen before.

Facts, not formulas: factors that public projects use, mistakes that their users reported, and what the minimiser of a changed loss is.
"""
from __future__ import annotations

from refsm.verify.bank import NOT_A_SQUARE
from refsm.verify.bank_binary import LINKS
from refsm.verify.laws import Law
from refsm.verify.reading import Change

__all__ = ["factor_in_words", "law_in_words", "change_in_words", "seen", "consequences", "training", "TERM_NAMES"]

TERM_NAMES = {
    "norm": "half the squared norm of the score", "cross": "the product of score and target", "divergence": "the divergence", "penalty": "the penalty",
    "output": "the squared reconstruction", "product": "the product of reconstruction and target", "extra": "the term too many", "constant": "the constant",
    "whole": "the loss", "loss": "the loss",
    "target": "the target", "score": "the score"}

# -- factors that are conventions -------------------------------------------------------------------------------------

_SEEN_FACTORS: dict[tuple[str, str], str] = {
    ("dsm", "sigma^2"): "annealed denoising of ncsn and ncsnv2; yang-song/score_sde with reduce_mean=False",
    ("dsm", "2 sigma^2 / d"): "yang-song/score_sde with reduce_mean=True",
    ("dsm", "sigma^4"): "ermongroup/sliced_score_matching dsm(energy, sigma); toy_gradlogp deen",
    ("dsm", "2 sigma^2"): "score_models denoising; EDM's VELoss summed over dimensions; sbi with the weight sigma^2",
    ("dsm", "2 / d"): "pylearn2 SMD; any framework's mean squared error",
    ("dsm", "2"): "the squared error without its 1/2; sbi with the weight 1",
    ("dsm", "2 sigma^4"): "the autoencoder's loss J_DAE of Vincent (2011), which is 2 sigma^4 J_DSM",
    ("ism", "1 / d"): "pylearn2 SM",
    ("ssm", "1 / d"): "ermongroup/sliced_score_matching with projections of unit length, where they are sign vectors (mean over dimensions is the same)",
    ("dae", "1 / 2"): "PyDeep's squared error",
    ("dae", "1 / d"): "any framework's mean squared error",
    ("dae", "1 / (2 sigma^4)"): "denoising score matching: J_DSM = J_DAE / (2 sigma^4), Vincent (2011)",
    ("ratio", "4 / d"): "SpinModels.jl",
    ("pseudo", "1.4427"): "logarithms to base 2",
}

_PIECES = {("d", -1.0): "mean over dimensions in place of their sum", ("n", 1.0): "sum over points in place of their mean",
           ("n", -1.0): "divided by the number of points once more", ("M", 1.0): "sum over directions in place of their mean",
           ("M", -1.0): "divided by the number of directions once more", ("d", 1.0): "multiplied by the number of dimensions",
           ("d", 0.5): "multiplied by sqrt(d)"}


def factor_in_words(objective: str, law: Law) -> str:
    """What a common factor is: which 1/2, mean, sum or weight.

    >>> factor_in_words("dsm", Law(2.0, (("sigma", 2.0), ("d", -1.0))))
    'without the 1/2, weighted by sigma^2, mean over dimensions in place of their sum'
    """
    words = []
    law, pieces = _unbiased(law)
    if law.kappa == 2 and objective not in ("dae", "ratio", "pseudo"):
        words.append("without the 1/2")
    elif law.kappa == 0.5 and objective == "dae":
        words.append("with a 1/2")
    elif law.kappa != 1:
        words.append(f"multiplied by {Law(law.kappa)}")
    for name, power in law.powers:
        words.append(_PIECES.get((name, power)) or f"weighted by {Law(1.0, ((name, power),))}")
    if law.extra:
        words.append(f"weighted by {law_in_words(Law(1.0, (), law.extra))}")
    return ", ".join([*words, *pieces])


def _unbiased(law: Law) -> tuple[Law, list[str]]:
    """A law without its n / (n - 1), and that in words."""
    name, power, _ = law.extra or ("", 0.0, 0.0)
    size = name[:1]
    if name.endswith("- 1") and (size, -power) in law.powers:
        over, under = (size, f"{size} - 1") if power > 0 else (f"{size} - 1", size)
        return Law(law.kappa, tuple(p for p in law.powers if p != (size, -power))), [f"divided by {over} in place of {under}"]
    return law, []


def law_in_words(law: Law) -> str:
    """A law as people write it: a weight that saturates by its constant.

    >>> law_in_words(Law(2.0, (("sigma", 2.0),), ("1 + sigma^2 / s^2", 1.0, 0.5)))
    '2 sigma^2 times (sigma^2 + s^2) / s^2 with s = 0.5'
    """
    if law.extra is None or law.extra[0] != "1 + sigma^2 / s^2":
        return str(law)
    front, added = Law(law.kappa, law.powers), law.extra[2]**2
    if law.extra[1] == -1 and law.powers == (("sigma", 2.0),) and abs(law.kappa * added - 1) < 1e-6:
        return f"sigma^2 / (sigma^2 + {added:.4g})"
    return (("" if front.is_one else f"{front} times ") + ("(sigma^2 + s^2) / s^2" if law.extra[1] > 0 else "s^2 / (sigma^2 + s^2)")
            + f" with s = {law.extra[2]:.4g}")


def seen(objective: str, factor: Law, changes: tuple[Change, ...], slips: tuple[str, ...]) -> tuple[str, ...]:
    """Where this was seen before: the whole difference, not a piece of it (a factor beside one mistake apart)."""
    group = {"parzen_esm": "esm", "parzen_ism": "ism", "ssm_vr": "ssm"}.get(objective, objective)
    if not changes and not slips:
        known = _SEEN_FACTORS.get((group, str(factor)))
        if objective == "dsm" and factor.extra and factor.extra[0] == "1 + sigma^2 / s^2" and factor.extra[1] == 1 and ("sigma", 2.0) in factor.powers:
            with_d = " divided by d" if ("d", -1.0) in factor.powers else ""
            known = (f"the weighting of EDM (Karras){with_d}, sigma_data = {factor.extra[2]:g};"
                     " k-diffusion, 2 sigma^2 (sigma^2 + s_d^2) / (s_d^2 d)")
        return (known,) if known else ()
    if len(changes) == 1 and not slips:
        return tuple(text for (what, law, groups), text in _SEEN_CHANGES.items() if changes[0].what == what and str(changes[0].law) == law and group in groups)
    if len(slips) == 1 and all(change.what == "loss" for change in changes):
        return tuple(text for key, text in _SEEN_SLIPS.items() if key in slips[0])
    return ()


_SEEN_CHANGES = {
    ("target", "-1", ("dsm",)): "torchebm before its pull request 333 (issue 318: the energy learned is upside down); "
                                "acids-ircam/diffusion_models issues 7 and 11",
    ("target", "sigma", ("dsm",)): "sigma against sigma^2 is what users ask about most (score_sde_pytorch issue 26, where it was a false alarm)",
    ("target", "-sigma", ("dsm",)): "losses that predict the noise: score_sde's DDPM loss calls the predicted noise a score",
    ("score", "-1", ("dsm", "esm", "ism", "ssm")): "torchebm's compute_score returns grad E, which is minus the score",
    ("norm", "2", ("dsm", "esm", "ism", "regularized", "ssm")): "1/2 and mean against sum are what users report most",
    ("divergence", "-1", ("ism", "regularized", "ssm")): "the Hessian of E in place of the Jacobian of the score",
    ("loss", "-1", ("pseudo",)): "scikit-learn's score_samples returns the log pseudo-likelihood, which is to be maximised"}
_SEEN_SLIPS = {
    "directions of unit length": "ermongroup/sliced_score_matching sliced_score_matching, whose projections are normalised to length 1",
    "variance-reduced": "ermongroup/sliced_score_matching sliced_VR_score_matching",
    "cross-entropy": "DeepLearningTutorials' dA: masking noise with cross-entropy, which is not Vincent's autoencoder",
    "only the first bit": "scikit-learn's BernoulliRBM.score_samples flips one bit (a random one) and multiplies by the number of features",
    "the bits are read as -1 and 1": "SpinModels.jl and other code for spins",
    "half the gap": "spins in {-1, 1} with the couplings of bits, or the other way round",
    "probabilities are summed": "a forgotten logarithm"}

# -- what a difference does to training -------------------------------------------------------------------------------


def consequences(objective: str, factor: Law, changes: tuple[Change, ...], slips: tuple[str, ...], constant: str) -> tuple[str, ...]:
    """What the differences do to training, all of them together, one sentence each."""
    what = _LEARNED.get(objective, "score")
    extra = any(slip.startswith("a term too many") for slip in slips)
    implicit = slips == ("a term too many: tr J",) and [(change.what, change.law.is_zero) for change in changes] == [("cross", True)]
    changes = tuple(change for change in changes if change.what != "extra")
    out: list[str] = []
    if implicit:
        out.append("it is implicit score matching at the same points: the same loss in expectation, up to a constant")
    elif extra and any(change.law.is_zero for change in changes):
        out.append(f"another term stands in for the one that is missing: what is learned is not the {what}")
    else:
        told = [_slip(objective, slip) for slip in slips]
        out += told
        if all(text.startswith(_SAME_MINIMISER) for text in told):
            out += _together(objective, changes)
        elif any(change.what == "loss" for change in changes) and not another_function(slips):
            out.append(training(objective, Change("loss", Law(-1.0))))
    if not factor.is_one:
        varies = any(name == "sigma" for name, _ in factor.powers) or factor.extra is not None and "sigma" in factor.extra[0]
        alone = not changes and not slips
        what_it_is = (f"the minimiser is the same; gradients are {law_in_words(factor)} times the reference's, so" if alone else
                      f"apart from that, a common factor {law_in_words(factor)}:")
        out.append(f"{what_it_is} a learning rate means something else"
                   + (", and where sigma varies its levels weigh differently" if varies else ""))
    if constant in ("dropped", "added", "other") and not changes and not slips:
        out.append("a constant has no gradient: training is the same, the loss curve is shifted")
    return tuple(dict.fromkeys(out))


def another_function(slips: tuple[str, ...]) -> bool:
    """Whether a slip puts another function in the place of the square or of the link, of which a sign says nothing.

    >>> another_function(("the norm is not squared",)), another_function(("only the first bit",))
    (True, False)
    """
    functions = {slip for slip, _, _ in NOT_A_SQUARE} | {slip for links in LINKS.values() for slip, _, _ in links}
    return bool(functions & set(slips))


_LEARNED = {"dae": "reconstruction", "ratio": "model", "pseudo": "model"}


def _together(objective: str, changes: tuple[Change, ...]) -> list[str]:
    """What the changes of terms do: a squared term times a and a linear term times b have the minimiser of b / a."""
    laws = {change.what: change.law for change in changes if change.what != "constant"}
    if "loss" in laws:
        return [training(objective, Change("loss", laws["loss"]))]
    square, linear = [next((name for name in names if name in laws), None) for names in (("norm", "output"), ("cross", "divergence", "product"))]
    if square and linear and laws[square].kappa > 0 and not laws[linear].is_zero:
        try:
            laws[linear] = laws[linear] * laws[square].inverse()
        except ValueError:
            return [f"the minimiser is not the {_LEARNED.get(objective, 'score')} but a multiple of it"]
        del laws[square]
        if laws[linear].is_one:
            del laws[linear]
    elif square and linear:
        del laws[linear if laws[square].kappa <= 0 else square]
    if not laws and changes:
        return [training(objective, changes[0])] if changes[0].what == "constant" else []
    return [training(objective, Change(name, law)) for name, law in laws.items()]


def _slip(objective: str, slip: str) -> str:
    """What a slip does: of a single term first, of the whole loss after."""
    tables = (_TRAINING_TERMS, _TRAINING_SLIPS) if slip.startswith(("norm: ", "divergence: ", "penalty: ", "target: ")) else (_TRAINING_SLIPS,)
    texts = [text for key, text in tables[0].items() if key in slip]
    return texts[0] if texts else f"the loss has other minimisers: what is learned is not the {_LEARNED.get(objective, 'score')}"


def training(objective: str, change: Change) -> str:
    """What one change does: the minimiser of the changed loss."""
    what, law = change.what, change.law
    learned = _LEARNED.get(objective, "score")
    learned = "reconstruction" if what in ("output", "product") else learned
    if what == "loss":
        return "descent maximises what should be minimised"
    if what == "extra":
        return "the minimiser is pulled away, by as much as the extra term weighs"
    if what == "target":
        if law.is_zero:
            return f"the best {learned} is 0 everywhere: nothing is learned from the data"
        if str(law) == "-1" and learned == "score":
            return "the energy is learned upside down: the score points away from the data, and samples leave it"
        return f"the {learned} that is learned is {law_in_words(law)} times the right one"
    if what == "score":
        return f"the {learned} that is learned is {law.inverse()} times the right one"
    if what in ("norm", "output"):
        if law.is_zero or law.kappa < 0:
            return f"the loss is unbounded below: the {learned} grows without end"
        return f"what is learned is {law.inverse()} times the right {learned}"
    if what in ("cross", "divergence", "product"):
        if law.is_zero:
            return f"the best {learned} is 0 everywhere: nothing is learned from the data"
        if law.kappa < 0:
            times = "its negative" if str(law) == "-1" else f"{law} times it"
            return f"the minimiser is not the {learned} but {times}"
        return f"what is learned is {law} times the right {learned}"
    if what == "penalty":
        if law.kappa < 0:
            return "the penalty rewards what it should punish: the loss can be unbounded below"
        return "without the penalty the estimate is not smoothed" if law.is_zero else f"the penalty acts with {law} times the strength that was asked for"
    return "a constant has no gradient: training is the same"


_SAME_MINIMISER = ("in expectation it is", "E[v v'] = I", "the same loss in expectation", "unbiased", "harmless", "one point of every batch")
_HALF_UNIT = {"norm": "in expectation the squared norm alone weighs 1 / d: d times the score is learned",
              "divergence": "in expectation the divergence alone weighs 1 / d: 1 / d times the score is learned"}
_TRAINING_SHARED = {
    "directions of length sqrt(d)": "E[v v'] = I holds: the same loss in expectation, with another variance",
    "signs of the directions": "E[v v'] = I holds: the same loss in expectation, with another variance",
    "one direction for the whole batch": "unbiased, but the variance does not fall with the size of the batch",
    "the first point's directions": "unbiased, but the variance does not fall with the size of the batch",
    "only the first direction": "unbiased, but with the variance of a single direction",
    "only the last direction": "unbiased, but with the variance of a single direction",
    "the directions of the next point": "harmless where all points have independent directions",
    "only the first two": "the other dimensions are not constrained", "only the first dimension": "the other dimensions are not constrained",
    "only the last dimension": "the other dimensions are not constrained"}
_TRAINING_TERMS = {
    "penalty: ": "it is another penalty: the estimate is smoothed in another way", **_TRAINING_SHARED,
    "target: the score of the Parzen density": "the same loss in expectation, up to a constant: the minimiser is the same (Vincent, 2011)",
    "target: the score of the corruption": "the same loss in expectation, up to a constant: the minimiser is the same (Vincent, 2011)",
    "target: ": "the score is compared with another function than the data's score, and that function is learned",
    "norm: (v.psi)^2 in place of |psi|^2, directions of unit length": _HALF_UNIT["norm"], "norm: directions of unit length": _HALF_UNIT["norm"],
    "divergence: directions of unit length": _HALF_UNIT["divergence"],
    "variance-reduced": "the same loss in expectation, with less variance",
    "in place of |psi|^2": "the same loss in expectation, with more variance",
    "exact trace": "the same loss in expectation, without the directions' variance",
    "dimension left out": "one dimension is not constrained",
    "the sum over the whole Jacobian": "off-diagonal entries are no part of the divergence: correlated dimensions are learned wrong"}


_TRAINING_SLIPS = {
    "point is left out": "harmless on average: one point in every batch is not used",
    "only the first point": "one point of every batch is used: the same loss in expectation, with the variance of a batch of one",
    **_TRAINING_SHARED,
    "a term too many": "the minimiser is pulled away, by as much as the extra term weighs",
    "the score is read at x": "at a point that does not know the noise the target averages to 0 or to another density's score: the wrong function is fitted",
    "the noisy point is made as": "the data are smoothed with another noise than sigma says: the score of the wrong density is learned",
    "directions of unit length": "in expectation it is 1/d of the loss, with the same minimiser; on given directions the values differ",
    "only the first bit": "the other bits are not constrained, but through the weights that they share with it",
    "only the last bit": "the other bits are not constrained, but through the weights that they share with it",
    "the bit's sign": "the gap is wrong wherever the bit's sign is negative: another model is learned",
    "left out": "something that the model has is not trained, or not constrained",
    "the square root of the mean square": "on one and the same batch the minimiser is the same; over many small batches it is another",
    "the logarithm of the mean square": "on one and the same batch the minimiser is the same; over many small batches it is another",
    "the norm is not squared": "the minimiser of a norm is a median, not the mean, which is what is sought",
    "compared with the noisy point": "the identity is learned: nothing is denoised",
    "the denoising step": "the output learns the step from the noisy point to the clean one; the noisy point plus it is the reconstruction",
    "halfway between": "half of the noise stays: the reconstruction goes only half of the way",
    "errors of both classes": "the loss is the same for a gap and its negative: it cannot tell the data from their neighbours",
    "the absolute value of the loss": "the loss is driven to 0, where it should go on to negative values",
    "cross-entropy": "no energy has this loss: the identity with denoising score matching is lost",
    "sign of the gap": "the energy is learned upside down",
    "next point": "the target belongs to another point: it averages out, and nothing is learned",
    "the point before": "the target belongs to another point: it averages out, and nothing is learned",
    "in reverse order": "the target belongs to another point: it averages out, and nothing is learned",
    "with every target": "the target averages out over the points, and nothing is learned"}


def change_in_words(objective: str, change: Change) -> str:
    """A change as a person would say it."""
    what, law = change.what, change.law
    name = TERM_NAMES[what]
    if law.is_zero:
        return f"{name} is missing"
    if what == "loss":
        return "the sign of the loss: it is to be maximised"
    if what == "target":
        special = {"-1": "the sign of the target (equally: of the score)", "sigma": "sigma for sigma^2 in the target",
                   "sigma^2": "the target is not divided by sigma^2",
                   "-sigma": "the noise, as predicted-noise losses have it, in place of the target: its sign, and 1/sigma",
                   "-sigma^2": "the target is not divided by sigma^2, and its sign", "-1 / sigma": "the sign of the target, and sigma^3 for sigma^2"}
        if objective == "dae" and str(law) == "-1":
            return "the sign of the target (equally: of the output)"
        if law_in_words(law).startswith("sigma^2 / (sigma^2 + "):
            return f"{law_in_words(law)[len('sigma^2 / ('):-1]} in place of sigma^2 in the target"
        if objective == "dsm" or str(law) == "-1":
            return special.get(str(law), f"the target is multiplied by {law_in_words(law)}")
        return f"the target is multiplied by {law_in_words(law)}"
    if what == "score" and objective == "dsm" and str(law) == "sigma^2":
        return "the score is multiplied by sigma^2: a reconstruction's error in the place of a score"
    if what == "norm" and law.kappa == 2 and not law.powers and not law.extra:
        return "the 1/2 on the squared norm of the score is missing, on this term alone"
    if str(law) == "-1":
        return f"the sign of {name}"
    pieces = [_PIECES.get(piece) for piece in law.powers]
    if abs(law.kappa) == 1 and law.powers and all(pieces) and not law.extra:
        return f"{name} alone has {' and '.join(p for p in pieces if p)}" + (", and the wrong sign" if law.kappa < 0 else "")
    return f"{name} is multiplied by {law_in_words(law)}"
