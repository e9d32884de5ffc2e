"""Several judgements of one answer: their mean, unless half of them cannot be read."""

from __future__ import annotations

import asyncio

import pytest

from haetae.core import reasons
from haetae.core.score import Score
from haetae.metrics.judges.asking import UnansweredError
from haetae.metrics.judges.repeated import mean_of

LOST = UnansweredError(reasons.JUDGE_UNPARSEABLE, "no object")
DOWN = UnansweredError(reasons.JUDGE_FAILED, "timeout")


def judged(*said: float | UnansweredError) -> tuple[Score, int]:
    """The score of an answer that is judged thus, and how many calls it took."""
    calls = []

    async def judge(place: int) -> tuple[float, str | None]:
        calls.append(place)
        found = said[place]
        if isinstance(found, UnansweredError):
            raise found
        return found, "why"

    return asyncio.run(mean_of(len(said), 1.0, 5.0, judge)), len(calls)


@pytest.mark.parametrize(
    ("said", "calls"),
    [((LOST,), 1), ((4.0, LOST), 2), ((4.0, LOST, 4.0, LOST), 4), ((LOST, LOST, 4.0, 4.0), 2), ((LOST, 1.0, LOST), 3)],
)
def test_where_half_of_the_calls_give_no_score_there_is_none(
    said: tuple[float | UnansweredError, ...], calls: int
) -> None:
    score, made = judged(*said)
    assert (score.value, score.reason, made) == (None, reasons.JUDGE_UNPARSEABLE, calls)


@pytest.mark.parametrize(
    "said", [(2.0, LOST, 4.0), (LOST, 2.0, 4.0), (2.0, 4.0, 3.0, LOST), (LOST, 3.0, LOST, 4.0, 2.0)]
)
def test_where_less_than_half_give_none_the_others_are_averaged(said: tuple[float | UnansweredError, ...]) -> None:
    score, _ = judged(*said)
    assert score.value == 3.0
    assert score.stats == tuple(one for one in said if isinstance(one, float))
    assert "calls without a score" in (score.explanation or "")


def test_a_call_that_failed_says_why_before_one_that_cannot_be_read() -> None:
    score, _ = judged(LOST, DOWN, 4.0)
    assert (score.reason, score.explanation) == (reasons.JUDGE_FAILED, "timeout (2 of 2 calls)")
