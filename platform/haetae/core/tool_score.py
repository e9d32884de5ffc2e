"""A ToolScore: one score of any tool, whatever wrote it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ToolScore:
    """What one metric said of one answer.

    `id` names the sample and pairs the two sides of a comparison. `score` is finite, or None where the
    sample is unscored; `reason` then says why, "" where the tool does not. `sample` numbers the repeats
    of a sample. `cluster` names what is independent (a document, a conversation), None for the sample
    itself. `tags` are texts to slice by. `line` is where the row stands in its file, from 1; 0 where a
    file has no such place.
    """

    id: str
    metric: str
    score: float | None
    sample: int = 0
    cluster: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    line: int = 0

    def __post_init__(self) -> None:
        if self.score is not None and not math.isfinite(self.score):
            raise ValueError(f"a score is finite or None, got {self.score}")
