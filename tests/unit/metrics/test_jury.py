"""A jury: what several judges say together, and what is kept of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from haetae.core import reasons
from haetae.core.generation import Failure, Generation, Usage
from haetae.core.score import Score
from haetae.core.template import Prompt
from haetae.errors import ConfigError, JudgeError
from haetae.metrics.judges.jury import Jury

RUBRIC = Prompt.of("polite.md", "Is it polite? {{ output }}")


@pytest.fixture
def voted(scripted: Any, score_of: Callable[..., Score]) -> Callable[..., Score]:
    """The score of a jury whose judges answer so; a number is a grade."""

    def vote(*replies: Any, **jury: Any) -> Score:
        models = [
            scripted(
                [{"reasoning": f"r{n}", "score": reply} if isinstance(reply, int | float) else reply], name=f"j{n}"
            )
            for n, reply in enumerate(replies)
        ]
        return score_of(Jury(RUBRIC, models=tuple(models), **jury), "x")

    return vote


def test_a_jury_scores_the_mean_and_keeps_each_juror(voted: Callable[..., Score]) -> None:
    score = voted(4, 5, 3)
    assert (score.value, score.stats) == (4.0, (1.0, 4.0, 1.0, 5.0, 1.0, 3.0))
    assert (score.calls, score.usage, score.cost_usd) == (3, Usage(input=30, output=6), pytest.approx(0.003))
    assert score.model == "judge-1-2026, judge-1-2026, judge-1-2026"
    assert score.explanation == "juror 1: 4. r0\njuror 2: 5. r1\njuror 3: 3. r2"


@pytest.mark.parametrize(
    ("votes", "value"),
    [((5, 5, 1), 5.0), ((5, 1, 1), 1.0), ((5, 3, 1), 1.0), ((5, 5, 4, 4), 4.0), ((2, 2, 2), 2.0)],
)
def test_a_majority_counts_and_a_tie_goes_to_the_lowest(
    voted: Callable[..., Score], votes: tuple[int, ...], value: float
) -> None:
    assert voted(*votes, vote="majority", steps=True).value == value


def test_a_juror_without_a_score_leaves_the_answer_unscored(voted: Callable[..., Score]) -> None:
    score = voted(4, "I'm sorry, I can't rate this.", 3)
    assert (score.value, score.reason, score.stats) == (None, reasons.JUDGE_REFUSED, ())
    assert "juror 1: 4" in (score.explanation or "")
    assert score.calls == 4  # the refusal was asked again once
    weather = voted("nothing to read", Failure(reasons.TIMEOUT, "slow"), 3)
    assert weather.reason == reasons.JUDGE_FAILED  # a continued run asks again


def test_a_quorum_scores_without_the_missing_juror_and_says_so(voted: Callable[..., Score]) -> None:
    score = voted(4, "no JSON", 3, quorum=2)
    assert (score.value, score.stats) == (3.5, (1.0, 4.0, 0.0, 0.0, 1.0, 3.0))
    assert "juror 2: judge_parse_failure" in (score.explanation or "")
    assert score.model is None  # so that a silent juror is not taken for another jury
    assert voted(4, "no JSON", "no JSON", quorum=2).reason == reasons.JUDGE_UNPARSEABLE


def test_a_cost_that_one_juror_does_not_tell_is_unknown(voted: Callable[..., Score]) -> None:
    assert voted(4, Generation('{"reasoning": "r", "score": 3}')).cost_usd is None


def test_a_juror_that_can_never_answer_stops_the_run(voted: Callable[..., Score]) -> None:
    with pytest.raises(JudgeError, match="wrong key"):
        voted(4, Failure(reasons.REJECTED, "wrong key", fatal=True), quorum=1)


def test_the_jury_is_its_fingerprint(scripted: Any) -> None:
    facts = Jury(
        RUBRIC, models=(scripted(name="a"), scripted(name="b")), scale={"good": 1, "bad": 0}, vote="majority"
    ).facts
    assert facts.judge == {"jury": [scripted(name="a").fingerprint, scripted(name="b").fingerprint]}
    assert facts.text == 'jury(polite.md, scale={"bad":0,"good":1}, vote=majority)'
    assert facts.signature["ties"] == "lowest"


def test_a_jury_that_cannot_vote_is_refused(scripted: Any) -> None:
    with pytest.raises(ConfigError, match="models names 1 judges; expected 2 to 15"):
        Jury(RUBRIC, models=(scripted(),))
    two = scripted(name="a"), scripted(name="b")
    with pytest.raises(ConfigError, match="a majority needs scores that can be the same"):
        Jury(RUBRIC, models=two, vote="majority")
    with pytest.raises(ConfigError, match="quorum 3 is not a whole number from 1 to 2"):
        Jury(RUBRIC, models=two, quorum=3)
    with pytest.raises(ConfigError, match="vote 'median' is none of mean, majority"):
        Jury(RUBRIC, models=two, vote="median")  # type: ignore[arg-type]  # what is tested
    with pytest.raises(ConfigError, match="judges 1 and 3 are one and the same: its vote counts twice"):
        Jury(RUBRIC, models=(*two, scripted(name="a")))
