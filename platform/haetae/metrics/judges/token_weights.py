"""A score weighted by how probable each of its tokens was (Liu et al., "G-Eval", 2023, equation 1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from haetae.core.generation import Alternative

_ROUND_OFF = 1e-3


@dataclass(frozen=True, slots=True)
class Weighted:
    """The mean of the scores by their probabilities, and how much of all probability they hold together."""

    value: float
    mass: float
    shares: dict[int, float]

    @property
    def text(self) -> str:
        """`weighted over 4: 0.81, 5: 0.17 (of 0.98)`."""
        listed = ", ".join(f"{score}: {share:.2g}" for score, share in sorted(self.shares.items()))
        return f"weighted over {listed} (together {self.mass:.2f})"


def weighted(alternatives: Sequence[Alternative], scores: range) -> Weighted | None:
    """What the alternatives of one token say, None where they hold no score.

    "4" and " 4" are one score, and every other token is none. Log probabilities that add up to more than
    certainty (an endpoint that tells 0 for everything), or one that is no number, say nothing.
    """
    if not all(alternative.logprob <= 0 for alternative in alternatives):  # NaN is not either
        return None
    names = {str(score): score for score in scores}
    shares: dict[int, float] = {}
    for alternative in alternatives:
        score = names.get(alternative.token.strip())
        if score is not None:
            shares[score] = shares.get(score, 0.0) + math.exp(alternative.logprob)
    total = math.fsum(math.exp(alternative.logprob) for alternative in alternatives)
    mass = math.fsum(shares.values())
    if mass == 0 or total > 1 + _ROUND_OFF:
        return None
    value = math.fsum(score * share for score, share in shares.items()) / mass
    return Weighted(value, min(mass, 1.0), shares)
