"""What is known about differences: what they are called, what they do to training, and where they were seen before.

Facts, not formulas: factors that public projects use, mistakes that their users reported, and what the minimiser of a changed loss is.
"""
from __future__ import annotations

from refsm.verify.laws import Law
from refsm.verify.reading import Change

__all__ = ["factor_in_words", "change_in_words", "seen", "consequences", "training", "TERM_NAMES"]

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
    if law.kappa == 2 and objective not in ("dae", "ratio", "pseudo"):
        words.append("without the 1/2")
    elif law.kappa == 0.5 and objective == "dae":
        words.append("with a 1/2")
    elif law.kappa != 1:
        words.append(f"multiplied by {Law(law.kappa)}")
    for name, power in law.powers:
        words.append(_PIECES.get((name, power)) or f"weighted by {Law(1.0, ((name, power),))}")
    if law.extra:
        words.append(f"weighted by {Law(1.0, (), law.extra)}")
    return ", ".join(words)


def seen(objective: str, factor: Law, changes: tuple[Change, ...], slips: tuple[str, ...]) -> tuple[str, ...]:
    """Where this was seen before."""
    out = []
    group = {"parzen_esm": "esm", "parzen_ism": "ism", "ssm_vr": "ssm"}.get(objective, objective)
    if not factor.is_one:
        known = _SEEN_FACTORS.get((group, str(factor)))
        if known:
            out.append(known)
        if objective == "dsm" and factor.extra and factor.extra[0] == "1 + sigma^2 / s^2":
            s = factor.extra[2]
            with_d = " divided by d" if ("d", -1.0) in factor.powers else ""
            out.append(f"the weighting of EDM (Karras){with_d}, sigma_data = {s:g}; k-diffusion, 2 sigma^2 (sigma^2 + s_d^2) / (s_d^2 d)")
    for change in changes:
        out += [text for (what, law), text in _SEEN_CHANGES.items() if change.what == what and str(change.law) == law]
    for slip in slips:
        out += [text for key, text in _SEEN_SLIPS.items() if key in slip]
    return tuple(out)


_SEEN_CHANGES = {
    ("target", "-1"): "torchebm before its pull request 333 (issue 318: the energy learned is upside down); acids-ircam/diffusion_models issues 7 and 11",
    ("target", "sigma"): "sigma against sigma^2 is what users ask about most (score_sde_pytorch issue 26, where it was a false alarm)",
    ("target", "-sigma"): "losses that predict the noise: score_sde's DDPM loss calls the predicted noise a score",
    ("score", "-1"): "torchebm's compute_score returns grad E, which is minus the score",
    ("norm", "2"): "1/2 and mean against sum are what users report most",
    ("divergence", "-1"): "the Hessian of E in place of the Jacobian of the score",
    ("loss", "-1"): "scikit-learn's score_samples returns the log pseudo-likelihood, which is to be maximised"}
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
    """What the differences do to training, one sentence each."""
    out = []
    for change in changes:
        out.append(training(objective, change))
    for slip in slips:
        out.append(next((text for key, text in _TRAINING_SLIPS.items() if key in slip), "the loss has other minimisers: what is learned is not the score"))
    if not factor.is_one:
        varies = any(name == "sigma" for name, _ in factor.powers) or factor.extra is not None
        out.append(f"the minimiser is the same; gradients are {factor} times the reference's, so a learning rate means something else"
                   + (", and where sigma varies its levels weigh differently" if varies else ""))
    if constant in ("dropped", "added", "other") and not changes and not slips:
        out.append("a constant has no gradient: training is the same, the loss curve is shifted")
    return tuple(dict.fromkeys(out))


def training(objective: str, change: Change) -> str:
    """What one change does: the minimiser of the changed loss."""
    what, law = change.what, change.law
    if what == "loss":
        return "descent maximises what should be minimised"
    if what == "target":
        if law.is_zero:
            return "the best score is 0 everywhere: nothing is learned from the data"
        if str(law) == "-1":
            return "the energy is learned upside down: the score points away from the data, and samples leave it"
        return f"the score that is learned is {law} times the right one"
    if what == "score":
        return f"the score that is learned is {law.inverse()} times the right one"
    if what in ("norm", "output"):
        if law.is_zero or law.kappa < 0:
            return "the loss is unbounded below: the score grows without end"
        return f"what is learned is {law.inverse()} times the right {'reconstruction' if what == 'output' else 'score'}"
    if what in ("cross", "divergence", "product"):
        if law.is_zero:
            return f"the best {'reconstruction' if what == 'product' else 'score'} is 0 everywhere: nothing is learned from the data"
        if law.kappa < 0:
            times = "its negative" if str(law) == "-1" else f"{law} times it"
            return f"the minimiser is not the {'reconstruction' if what == 'product' else 'score'} but {times}"
        return f"what is learned is {law} times the right {'reconstruction' if what == 'product' else 'score'}"
    if what == "penalty":
        return "without the penalty the estimate is not smoothed" if law.is_zero else f"the penalty acts with {law} times the strength that was asked for"
    return "a constant has no gradient: training is the same"


_TRAINING_SLIPS = {
    "point is left out": "harmless on average: one point in every batch is not used",
    "only the first point": "one point of every batch is used: the same loss in expectation, with the variance of a batch of one",
    "a term too many": "the minimiser is pulled away from the score, by as much as the extra term weighs",
    "the score is read at x": "at a point that does not know the noise the target averages to 0 or to another density's score: the wrong function is fitted",
    "the noisy point is made as": "the data are smoothed with another noise than sigma says: the score of the wrong density is learned",
    "directions of unit length": "in expectation it is 1/d of the loss, with the same minimiser; on given directions the values differ",
    "directions of length sqrt(d)": "E[v v'] = I holds: the same loss in expectation, with another variance",
    "signs of the directions": "E[v v'] = I holds: the same loss in expectation, with another variance",
    "variance-reduced": "the same loss in expectation, with less variance",
    "in place of |psi|^2": "the same loss in expectation, with more variance",
    "exact trace": "the same loss in expectation, without the directions' variance",
    "one direction for the whole batch": "unbiased, but the variance does not fall with the size of the batch",
    "the first point's directions": "unbiased, but the variance does not fall with the size of the batch",
    "only the first direction": "unbiased, but with the variance of a single direction",
    "the directions of the next point": "harmless where all points have independent directions",
    "only the first two dimensions": "the other dimensions are not constrained",
    "only the first dimension": "the other dimensions are not constrained",
    "only the last dimension": "the other dimensions are not constrained",
    "left out": "something that the model has is not trained, or not constrained",
    "the sum over the whole Jacobian": "off-diagonal entries are no part of the divergence: correlated dimensions are learned wrong",
    "not squared": "the median-like minimiser of a norm is not the mean, which the score is",
    "compared with the noisy point": "the identity is learned: nothing is denoised",
    "cross-entropy": "no energy has this loss: the identity with denoising score matching is lost",
    "sign of the gap": "the energy is learned upside down",
    "next point": "the target belongs to another point: it averages out, and nothing is learned",
}


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
        if objective == "dsm" or str(law) == "-1":
            return special.get(str(law), f"the target is multiplied by {law}")
        return f"the target is multiplied by {law}"
    if what == "score" and objective == "dsm" and str(law) == "sigma^2":
        return "the score is multiplied by sigma^2: a reconstruction's error in the place of a score"
    if what == "norm" and law.kappa == 2 and not law.powers and not law.extra:
        return "the 1/2 on the squared norm of the score is missing, on this term alone"
    if str(law) == "-1":
        return f"the sign of {name}"
    pieces = [_PIECES.get(piece) for piece in law.powers]
    if abs(law.kappa) == 1 and law.powers and all(pieces) and not law.extra:
        return f"{name} alone has {' and '.join(p for p in pieces if p)}" + (", and the wrong sign" if law.kappa < 0 else "")
    return f"{name} is multiplied by {law}"
