"""What is wrong with a gradient, in words: one factor for all, one per term, or one per path."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from refsm.typing import Array
from refsm.verify.diagnosis.scaling import Scaling
from refsm.verify.objectives import Term

__all__ = ["Column", "Finding", "SLOPE", "named", "no_scaling", "together", "unweighted"]

Column = tuple[int, str]                       # the place of a term, and a path


@dataclass(frozen=True)
class Finding:
    """What is wrong with the gradient of a block, or of several.

    The kind in one word, and a sentence with a place for the block's name.
    """

    block: str
    kind: str
    words: str
    scaling: Scaling | None = None

    @property
    def text(self) -> str:
        """The sentence."""
        return self.words.replace("{}", self.block)


SLOPE = "the slope s (1 - s) in "
_PATHS = {"slope": ("the slope s (1 - s)", "it is detached"),
          "factors": ("W beside the slope", "it is detached"),
          "encoder": ("the encoder", "untied weights, or a forgotten path"),
          "decoder": ("the decoder", "untied weights, or a forgotten path"),
          "here": ("the energy at the point", "it is detached"),
          "flipped": ("the energies of its neighbours", "they are detached")}


def no_scaling(block: str, used: list[Column], numbers: Array, terms: Sequence[Term]) -> Finding:
    """The finding of coefficients (C, k) that follow no scaling."""
    texts = [", ".join(f"{number:.4g}" for number in column) for column in numbers.T]
    return Finding(block, "coefficients", "the gradient for {} has the right terms with "
                   "coefficients that are no product of powers of the sizes "
                   f"({_listed(used, texts, terms)})")


def unweighted(block: str, scaling: Scaling) -> Finding:
    """The finding of all terms with one scaling, where those of the value have none."""
    words = "the reference's" if scaling.is_one else f"{scaling} times the reference's"
    return Finding(block, "weight", "the gradient for {} lacks the weight that the value has: it "
                   f"is {words}", scaling)


def named(block: str, used: list[Column], ratios: Sequence[Scaling], terms: Sequence[Term],
          count: int) -> Finding | None:
    """The finding of coefficients relative to their scalings in the value, which has so many
    terms."""
    by_term: dict[int, set[Scaling]] = {}
    by_path: dict[str, set[Scaling]] = {}
    for (k, path), ratio in zip(used, ratios):
        by_term.setdefault(k, set()).add(ratio)
        by_path.setdefault(path, set()).add(ratio)
    first, every = ratios[0], len(by_term) == count
    if len(set(ratios)) == 1 and (every or first.is_one):
        words = f"the gradient for {{}} is {first} times that of the value"
        return None if first.is_one else Finding(block, "multiple", words, first)
    if all(len(found) == 1 for found in by_term.values()):
        shared = first if len(set(ratios)) == 1 else None
        return _of_terms(block, {terms[k]: found.pop() for k, found in by_term.items()}, shared)
    wrong = [(column, ratio) for column, ratio in zip(used, ratios) if not ratio.is_one]
    if all(path in ("slope", "factors") for (_, path), _ in wrong):
        texts = [_inside(terms[k].name, path, ratio) for (k, path), ratio in wrong]
        return Finding(block, "path", "; ".join(texts))
    if all(len(found) == 1 for found in by_path.values()):
        return _of_paths(block, {path: found.pop() for path, found in by_path.items()})
    listed = _listed([column for column, _ in wrong], [ratio for _, ratio in wrong], terms)
    return Finding(block, "paths", f"the gradient for {{}} has terms multiplied ({listed})")


def _listed(used: list[Column], values: Sequence[object], terms: Sequence[Term]) -> str:
    return "; ".join(f"{terms[k].name}{' through ' + _PATHS[path][0] if path else ''}: {value}"
                     for (k, path), value in zip(used, values))


def _of_terms(block: str, ratios: dict[Term, Scaling], shared: Scaling | None) -> Finding:
    wrong = {term: ratio for term, ratio in ratios.items() if not ratio.is_one}
    texts = [f"the term {term.name} is detached: its gradient for {{}} is 0" if ratio.is_zero
             else f"the gradient of the term {term.name} for {{}} is multiplied by {ratio}"
             for term, ratio in wrong.items()]
    detached = all(ratio.is_zero for ratio in wrong.values())
    return Finding(block, "detached" if detached else "term", "; ".join(texts), shared)


def _of_paths(block: str, ratios: dict[str, Scaling]) -> Finding:
    texts = []
    for path, ratio in ratios.items():
        way, why = _PATHS[path]
        if ratio.is_zero:
            texts.append(f"the share of {way} in the gradient for {{}} is missing: {why}")
        elif not ratio.is_one:
            texts.append(f"the share of {way} in the gradient for {{}} is multiplied by {ratio}")
    return Finding(block, "path", "; ".join(texts))


def _inside(name: str, path: str, ratio: Scaling) -> str:
    """What is wrong with one way into a Jacobian."""
    factor = f"W beside the slope in {name}{' (W in |W_j|^2)' if name == 'tr J' else ''}"
    what = SLOPE + name if path == "slope" else factor
    if ratio.is_zero:
        return f"{what} is detached: its share of the gradient for {{}} is 0"
    if path == "factors" and str(ratio) == "1 / 2":
        return (f"one of the two {what} is detached: half of its share of the gradient for {{}} is "
                "missing")
    return f"the share of {what} in the gradient for {{}} is multiplied by {ratio}"


def together(findings: list[Finding], blocks: list[str]) -> list[Finding]:
    """One finding where several blocks have the same."""
    groups: dict[tuple, list[Finding]] = {}
    multiples = {f.scaling: f.words for f in findings if f.kind == "multiple"}
    for finding in findings:
        if finding.kind == "term" and finding.scaling in multiples:    # all that its block has
            words = multiples[finding.scaling]
            finding = Finding(finding.block, "multiple", words, finding.scaling)
        groups.setdefault((finding.kind, finding.words), []).append(finding)
    out = []
    for (kind, words), group in groups.items():
        scaling = group[0].scaling
        if len(group) == len(blocks) > 1 and kind == "multiple":
            kind, words = "whole", f"the whole gradient is {scaling} times that of the value"
        out.append(Finding(", ".join(f.block for f in group), kind, words, scaling))
    return out
