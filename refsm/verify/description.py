"""What a description of an objective holds, and what a term of a loss is."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

from refsm.typing import Array

__all__ = ["BINARY", "CONTINUOUS", "Description", "Term", "dot"]

CONTINUOUS = ("autoencoder", "tanh", "gaussian", "mixture")
BINARY = ("boltzmann", "rbm")


@dataclass(frozen=True)
class Term:
    """A function of the local quantities: a term of a loss, or what a mistake puts in its place.

    `role` says which term it stands for, `name` which function it is; two terms with the same name
    are the same function.
    """

    role: str
    name: str
    per_sample: Callable[[Any], Array]             # of `refsm.verify.cases.quantities.Quantities`


@dataclass(frozen=True)
class Description:
    """All that the verification needs to be given about one objective."""

    public: str                                    # its name in refsm
    aliases: tuple[str, ...]
    reads: tuple[str, ...]                         # local quantities, by their names in array cases
    terms: tuple[Term, ...]
    reference: Callable[[Any], Any]                # of a case: the objective of refsm that judges
    random: str = ""                               # "noise", "directions", or nothing
    given: tuple[str, ...] = ()                    # what its cases hold beside x and randomness
    constant: Term | None = None                   # the term that does not depend on theta
    target: Callable[[Any], Array] | None = None   # g
    models: tuple[str, ...] = CONTINUOUS           # on which it has cases, its own first
    learned: str = "score"                         # what its minimiser is
    predicts: str = ""                             # the kind of the network's output, if no score
    levels: str = ""                               # "scaled", "points", "several"; "": one sigma

    @property
    def at(self) -> str:
        """Where the model is read."""
        return "x_noisy" if self.random == "noise" else "x"

    @property
    def is_binary(self) -> bool:
        """Whether its points are binary."""
        return self.reads == ("gap",)

    @property
    def all_terms(self) -> tuple[Term, ...]:
        """The terms, and the constant where there is one."""
        return self.terms if self.constant is None else (*self.terms, self.constant)


def dot(a: Array, b: Array) -> Array:
    """sum_i a_ni b_ni."""
    return (a * b).sum(axis=-1)
