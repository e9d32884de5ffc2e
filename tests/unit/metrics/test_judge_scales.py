"""The scale of a judge: steps, labels, and an answer judged several times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from haetae.core import reasons
from haetae.core.generation import Failure
from haetae.core.score import Score
from haetae.core.template import Prompt
from haetae.errors import ConfigError
from haetae.metrics.judges.pointwise import Judge

RUBRIC = Prompt.of("polite.md", "Is it polite? {{ output }}")
LABELS = {"pass": 1.0, "fail": 0.0}


def _grade(score: Any) -> dict[str, Any]:
    return {"reasoning": "because", "score": score}


def test_a_scale_of_steps_asks_for_whole_numbers_and_takes_no_others(
    scripted: Any, score_of: Callable[..., Score]
) -> None:
    model = scripted([_grade(4.5), _grade(4)])
    judge = Judge(RUBRIC, model=model, scale=[1, 5], steps=True)
    assert score_of(judge, "x").value == 4.0
    assert model.chats[0][1]["properties"]["score"] == {"type": "integer", "minimum": 1.0, "maximum": 5.0}
    assert "score is 4.5, not a whole number" in model.chats[1][0][-1].content
    assert score_of(Judge(RUBRIC, model=scripted([_grade(2.5)]), steps=True), "x").reason == reasons.JUDGE_UNPARSEABLE
    assert score_of(Judge(RUBRIC, model=scripted([_grade(6)]), steps=True), "x").reason == reasons.OUT_OF_RANGE
    assert judge.facts.text == "judge(polite.md, scale=[1,5], steps=true)"


def test_labels_stand_for_numbers(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted([{"reasoning": "잘 썼다", "label": "fail"}])
    judge = Judge(RUBRIC, model=model, scale=LABELS)
    score = score_of(judge, "x")
    assert (score.value, score.explanation) == (0.0, "잘 썼다")
    assert (judge.facts.low, judge.facts.high) == (0.0, 1.0)
    assert judge.facts.text == 'judge(polite.md, scale={"fail":0,"pass":1})'
    (_, user), schema, _ = model.chats[0]
    assert list(schema["properties"]) == ["reasoning", "label"]  # the reasoning is written first
    assert schema["properties"]["label"]["enum"] == ["pass", "fail"]
    assert user.content.endswith('{"reasoning": "why", "label": "one of: pass, fail"}')


@pytest.mark.parametrize(
    ("reply", "value"), [("Pass", 1.0), (" pass ", 1.0), ("passed", None), ("good", None), (1, None), (None, None)]
)
def test_a_label_is_one_of_those_declared_or_none(
    scripted: Any, score_of: Callable[..., Score], reply: Any, value: float | None
) -> None:  # JDG-03
    found = score_of(Judge(RUBRIC, model=scripted([{"reasoning": "r", "label": reply}]), scale=LABELS), "x")
    assert found.value == value
    assert found.reason == (None if value is not None else reasons.JUDGE_UNPARSEABLE)


def test_korean_labels_are_read_in_either_form_of_unicode(scripted: Any, score_of: Callable[..., Score]) -> None:
    import unicodedata

    decomposed = unicodedata.normalize("NFD", "좋음")
    model = scripted([{"reasoning": "r", "label": decomposed}])
    assert score_of(Judge(RUBRIC, model=model, scale={"나쁨": 0, "보통": 0.5, "좋음": 1}), "x").value == 1.0


@pytest.mark.parametrize(
    ("scale", "steps", "said"),
    [
        ({"good": 1}, False, "two or more different names"),
        ({"good": 1, "bad": 1}, False, "not all with the same"),
        ({"good": 1, "GOOD": 0}, False, "different names"),
        ({"good": 1, " ": 0}, False, "different names"),
        ({"good": float("inf"), "bad": 0}, False, "each with a number"),
        ({"good": 1, "bad": 0}, True, "labels are steps already"),
        ([0.5, 5], True, "has no whole steps"),
        ([5, 1], False, r"is not \[low, high\]"),
    ],
)
def test_a_scale_that_measures_nothing_is_refused(scripted: Any, scale: Any, steps: bool, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Judge(RUBRIC, model=scripted(), scale=scale, steps=steps)


# repeated judging


def test_an_answer_judged_five_times_scores_their_mean_and_keeps_each(
    scripted: Any, score_of: Callable[..., Score]
) -> None:  # JDG-15
    model = scripted([_grade(4), _grade(5), _grade(4), _grade(3), _grade(4)])
    score = score_of(Judge(RUBRIC, model=model, samples=5), "x")
    assert (score.value, score.stats, score.calls) == (4.0, (4.0, 5.0, 4.0, 3.0, 4.0), 5)
    assert score.explanation == "mean of 4, 5, 4, 3, 4\nbecause"
    assert {chat[2]["temperature"] for chat in model.chats} == {1.0}  # where the judge doubts, it may differ
    assert score.cost_usd == pytest.approx(0.005)


def test_seeds_are_counted_up_from_the_one_that_is_named(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted([_grade(4)])
    score_of(Judge(RUBRIC, model=model, samples=3, temperature=0.0, seed=7), "x")
    assert [chat[2]["seed"] for chat in model.chats] == [7, 8, 9]
    assert {chat[2]["temperature"] for chat in model.chats} == {0.0}


def test_a_mean_speaks_only_where_more_than_half_of_the_calls_gave_a_score(
    scripted: Any, score_of: Callable[..., Score]
) -> None:
    refusal = "I'm sorry, I can't rate this."
    model = scripted([_grade(4), refusal, refusal, _grade(2), _grade(3), _grade(3)])  # a refusal is asked again once
    score = score_of(Judge(RUBRIC, model=model, samples=5), "x")
    assert (score.value, score.stats) == (3.0, (4.0, 2.0, 3.0, 3.0))
    assert "mean of 4, 2, 3, 3; 1 calls without a score" in (score.explanation or "")
    model = scripted([_grade(4), refusal, refusal, refusal, refusal])
    score = score_of(Judge(RUBRIC, model=model, samples=4), "x")
    assert (score.value, score.reason, score.stats) == (None, reasons.JUDGE_REFUSED, ())
    assert "(2 of 3 calls)" in (score.explanation or "")


def test_what_the_weather_took_is_asked_again_by_a_run_that_goes_on(
    scripted: Any, score_of: Callable[..., Score]
) -> None:  # JDG-18: such a score has a reason of those that are asked again, and is never reused
    model = scripted(["no JSON", "no JSON", Failure(reasons.TIMEOUT, "slow"), _grade(4)])
    score = score_of(Judge(RUBRIC, model=model, samples=3), "x")
    assert (score.value, score.reason) == (None, reasons.JUDGE_FAILED)
    assert score.reason in reasons.RETRIED


def test_a_judge_that_never_stops_is_cut_off_and_unscored(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted([Failure(reasons.TRUNCATED, "the answer reached the token limit (max_tokens)")])  # JDG-13
    score = score_of(Judge(RUBRIC, model=model, max_tokens=300), "x")
    assert score.value is None
    assert "token limit" in (score.explanation or "")
    assert model.chats[0][2]["max_tokens"] == 300
    babble = scripted(["blah " * 200_000])
    score = score_of(Judge(RUBRIC, model=babble), "x")
    assert (score.value, score.reason) == (None, reasons.JUDGE_UNPARSEABLE)
    assert len(score.explanation or "") < 3_000  # what is kept of a megabyte


def test_every_parameter_is_part_of_what_addresses_a_score(scripted: Any) -> None:  # JDG-17
    model = scripted()
    ways: list[dict[str, Any]] = [
        {},
        {"scale": [0, 5]},
        {"steps": True},
        {"scale": LABELS},
        {"samples": 3},
        {"samples": 3, "temperature": 0.5},
        {"samples": 3, "seed": 1},
        {"max_tokens": 10},
    ]
    texts = [Judge(RUBRIC, model=model, **way).facts.text for way in ways]
    assert len(set(texts)) == len(ways), texts


@pytest.mark.parametrize("way", [{"samples": 0}, {"samples": True}, {"seed": -1}, {"max_tokens": 0}])
def test_a_way_of_asking_that_is_none_is_refused(scripted: Any, way: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(way))):
        Judge(RUBRIC, model=scripted(), **way)
