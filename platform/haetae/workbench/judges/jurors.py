"""A jury's members: what each of them said, and how far they agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from haetae.core.canonical import Json
from haetae.core.metric import MetricFacts
from haetae.stats.agreement import Agreement, alpha
from haetae.workbench.judges.agreeing import agreement_text, steps_of
from haetae.workbench.judges.spread import MOST


@dataclass(frozen=True, slots=True)
class Juror:
    """One judge of a jury: how many answers it scored, and their mean, None where it scored none."""

    model: str
    scored: int
    mean: float | None


@dataclass(frozen=True, slots=True)
class Jurors:
    """The members of a jury over `answers` scored by it, and Krippendorff's alpha among them."""

    answers: int
    members: tuple[Juror, ...]
    alpha: Agreement

    def as_json(self) -> Json:
        """The jury for scripts."""
        return asdict(self)

    @property
    def text(self) -> str:
        """The jury as one line."""
        said = [
            f"{juror.model} {'no score' if juror.mean is None else f'{juror.mean:.4g}'}"
            + (f" ({juror.scored} of {self.answers})" if juror.scored < self.answers else "")
            for juror in self.members
        ]
        return f"jurors' means: {', '.join(said)}; alpha {agreement_text(self.alpha)}"


def jurors(stats: Sequence[Sequence[float]], facts: MetricFacts, registered: Sequence[str] = ()) -> Jurors | None:
    """From the statistics of `jury`: of each juror 1 and its score, or 0 and 0. None without a scored answer.

    `registered` are the names of the jurors in the registry, in the order of the jury.
    """
    if not stats:
        return None
    grid = np.array([[score if said else math.nan for said, score in _pairs(row)] for row in stats]).T
    given = [side[np.isfinite(side)] for side in grid]
    names = _names(facts, len(grid), registered)
    members = [
        Juror(name, len(side), float(side.mean()) if len(side) else None)
        for name, side in zip(names, given, strict=True)
    ]
    seen = {float(score) for side in given for score in side}
    return Jurors(len(stats), tuple(members), alpha(grid[:, :MOST], scale=steps_of(seen, facts)[1]))


def _pairs(row: Sequence[float]) -> list[tuple[float, float]]:
    return list(zip(row[::2], row[1::2], strict=True))


def _names(facts: MetricFacts, count: int, registered: Sequence[str]) -> list[str]:
    """What the jurors are called, in the order of the jury: as registered, and beside it their models."""
    listed = (facts.judge or {}).get("jury", [])
    models = [str(judge.get("model") or judge.get("name") or "judge") for judge in listed]
    known = registered if len(registered) == len(models) else models
    names = [name if name == model else f"{name} ({model})" for name, model in zip(known, models, strict=True)]
    return [f"{number}. {name}" for number, name in enumerate(names, 1)][:count]
