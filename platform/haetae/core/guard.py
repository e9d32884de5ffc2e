"""The port of a guard's stage: what says of a text whether it must be stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from haetae.core.canonical import Json
from haetae.core.generation import Failure, Usage

Decision = Literal["block", "pass"]
"""What a guard says in the end: its output."""


@dataclass(frozen=True, slots=True)
class Check:
    """What one stage says of a text: True stops it, False lets it pass, None leaves it to the next stage.

    `score` is the number behind it, None where there is none; `cost_usd` is None where the price is unknown.
    """

    flagged: bool | None
    score: float | None = None
    cost_usd: float | None = None
    usage: Usage | None = None


class GuardStage(Protocol):
    """One stage of a cascade. It is given the text alone, never what the sample is labelled as.

    `fingerprint` is what fixes its verdicts. `free` says that a check costs nothing, `reusable` that the
    fingerprint and the text are all that fixes a verdict, `deterministic` that nothing drifts behind the fingerprint.
    """

    @property
    def fingerprint(self) -> Mapping[str, Json]: ...

    @property
    def free(self) -> bool: ...

    @property
    def reusable(self) -> bool: ...

    @property
    def deterministic(self) -> bool: ...

    async def check(self, text: str) -> Check | Failure:
        """The verdict on a text; a Failure where there is none, which fails the sample."""
        ...


def verdict_of(score: float, block_from: float | None, pass_below: float | None) -> bool | None:
    """The verdict of a score: stopped from `block_from`, let pass below `pass_below`, left to the next between."""
    if block_from is not None and score >= block_from:
        return True
    return False if pass_below is not None and score < pass_below else None
