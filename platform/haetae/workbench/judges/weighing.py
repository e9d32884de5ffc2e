"""By which way the scores of G-Eval came about, and by which steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from haetae.core.canonical import Json
from haetae.core.score import Score
from haetae.metrics.judges.evaluation_steps import WRITTEN


@dataclass(frozen=True, slots=True)
class Weighing:
    """How many scores were weighted by token probabilities and how many are means of samples.

    `mass` is the mean probability that the scores held in the weighted ones, None where there is none.
    `steps` are the evaluation steps that the judge wrote in this run, None where they were given or reused.
    """

    weighted: int
    sampled: int
    mass: float | None
    steps: str | None

    def as_json(self) -> Json:
        """The ways for scripts."""
        return asdict(self)

    @property
    def text(self) -> str:
        """The ways as one line."""
        held = "" if self.mass is None else f" (the scores held {self.mass:.3f} of the probability on average)"
        return f"{self.weighted} scores weighted by token probabilities{held}, {self.sampled} means of samples"


def weighing(scores: Sequence[Score]) -> Weighing | None:
    """From the scores of `g_eval`; None where none is scored."""
    if not scores:
        return None
    masses = [score.stats[0] for score in scores if len(score.stats) == 1]
    told = next((text for score in scores if WRITTEN in (text := score.explanation or "")), None)
    return Weighing(
        weighted=len(masses),
        sampled=len(scores) - len(masses),
        mass=fmean(masses) if masses else None,
        steps=None if told is None else told.partition(WRITTEN)[2].strip(),
    )
