"""G-Eval: steps from criteria, scores weighted by their tokens, and what is done where no probabilities are told."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from haetae.core import reasons
from haetae.core.generation import Alternative, Failure, Generation
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.judges.g_eval import GEval
from haetae.metrics.judges.token_weights import weighted

STEPS = {"steps": ["Read the question.", "Look for the facts.", "Weigh what is missing."]}


def token(shares: Mapping[str, float]) -> Generation:
    """A reply of one token, with the probabilities of its alternatives."""
    likeliest = max(shares, key=lambda text: shares[text])
    alternatives = tuple(Alternative(text, math.log(share)) for text, share in shares.items())
    return Generation(likeliest, alternatives=(alternatives,), finish_reason="length", cost_usd=0.0, model="m-1")


def judged(scripted: Any, *tokens: Any, grades: Sequence[Any] = (), steps: Sequence[Any] = (STEPS,)) -> Any:
    """A judge that writes steps, then these tokens, and these grades where it is asked for JSON."""
    said = [{"reasoning": "because", "score": grade} if isinstance(grade, int) else grade for grade in grades]
    return scripted(by_title={"steps": steps, "plain": tokens, "grade": said})


def test_the_score_is_weighted_by_the_probabilities_of_its_tokens(
    scripted: Any, score_of: Callable[..., Score]
) -> None:
    # by hand: (1·0.01 + 3·0.10 + 4·0.60 + 5·0.27) / 0.98 = 4.06 / 0.98
    model = judged(scripted, token({"4": 0.45, " 4": 0.15, "5": 0.27, "3": 0.10, "1": 0.01, "The": 0.02}))
    score = score_of(GEval("It is right.", model=model), "x")
    assert score.value == pytest.approx(4.06 / 0.98, abs=1e-12)
    assert score.stats == (pytest.approx(0.98, abs=1e-12),)
    assert (score.explanation or "").startswith("weighted over 1: 0.01, 3: 0.1, 4: 0.6, 5: 0.27 (together 0.98)")


@pytest.mark.parametrize(
    ("logprobs", "value"),
    [
        # what `calculate_weighted_summed_score` of deepeval 4.3.1 gives for the same log probabilities
        ({"1": -1.0469833282247991, "2": -0.5315241922305779, "The": -2.7920324725253884}, 1.6260853488645188),
        (
            {
                "3": -3.25637018651045,
                "4": -0.5529858335805666,
                "5": -1.6953805723165527,
                "2": -2.039860958958129,
                "The": -2.621879731404836,
            },
            3.875889134985767,
        ),
        (
            {
                "4": -0.7997803189129052,
                "3": -1.7661364619943227,
                "5": -2.5321458238127414,
                "1": -2.1656725261267984,
                "2": -3.1718010109640296,
                "The": -1.941483718523741,
            },
            3.3936100923430543,
        ),
    ],
)
def test_another_implementation_gives_the_same_weighted_score(logprobs: dict[str, float], value: float) -> None:
    found = weighted([Alternative(text, logprob) for text, logprob in logprobs.items()], range(1, 6))
    assert found is not None
    assert found.value == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    "alternatives",
    [
        [],
        [("The", -0.1)],
        [("6", -0.1), ("0", -1.0), ("４", -2.0), ("4.", -2.0), ("44", -2.0)],  # none is a score from 1 to 5
        [("4", 0.0), ("5", 0.0)],  # certain of both: an endpoint that tells nothing
        [("4", 0.5), ("5", -3.0)],
        [("4", -9999.0)],
        [("4", float("nan"))],
        [("4", -0.1), ("5", float("nan"))],
        [("4", -0.1), ("The", float("nan"))],
    ],
)
def test_probabilities_that_say_nothing_give_no_weights(alternatives: list[tuple[str, float]]) -> None:
    assert weighted([Alternative(text, logprob) for text, logprob in alternatives], range(1, 6)) is None


def test_the_one_token_is_asked_for_alone_and_with_its_alternatives(
    scripted: Any, score_of: Callable[..., Score]
) -> None:
    model = judged(scripted, token({"4": 0.99}))
    score_of(GEval("It is right.", model=model), "an answer")
    _, (messages, schema, decoding) = model.chats
    assert schema is None
    assert decoding == {"logprobs": True, "top_logprobs": 20, "max_tokens": 1, "temperature": 0.0}
    assert "Answer with one number and nothing else" in messages[0].content
    assert "1. Read the question.\n2. Look for the facts." in messages[1].content
    assert "an answer" in messages[1].content
    assert messages[1].content.endswith("Write only the number.")


@pytest.mark.parametrize(
    ("reply", "stats", "said"),
    [
        (token({"4": 0.5, "5": 0.2, "The": 0.3}), (pytest.approx(0.7), 4.0, 5.0, 4.0), "hold 0.70 of the probability"),
        (Generation("4"), (0.0, 4.0, 5.0, 4.0), "no probabilities of the scores are told"),
        (Failure(reasons.REJECTED, "logprobs is not a parameter here"), (0.0, 4.0, 5.0, 4.0), "no probabilities"),
        (Failure(reasons.EMPTY, "an empty answer"), (0.0, 4.0, 5.0, 4.0), "no probabilities"),
    ],
)
def test_without_enough_probability_the_judge_is_sampled(
    scripted: Any, score_of: Callable[..., Score], reply: Any, stats: tuple[float, ...], said: str
) -> None:
    model = judged(scripted, reply, grades=[4, 5, 4])
    score = score_of(GEval("It is right.", model=model, samples=3), "x")
    assert score.value == pytest.approx(13 / 3, abs=1e-12)
    assert score.stats == stats
    assert said in (score.explanation or "")
    assert "mean of 4, 5, 4\nbecause" in (score.explanation or "")
    sampled = [decoding for _, schema, decoding in model.chats if schema and schema["title"] == "grade"]
    assert sampled == [{"temperature": 1.0, "max_tokens": 1024}] * 3


def test_mass_at_the_threshold_counts(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = judged(scripted, token({"4": 0.8000001, "The": 0.1}))
    assert score_of(GEval("c", model=model), "x").value == 4.0


def test_a_judge_that_cannot_be_sampled_either_leaves_the_sample_unscored(
    scripted: Any, score_of: Callable[..., Score]
) -> None:
    model = judged(scripted, Failure(reasons.TIMEOUT, "slow"), grades=[Failure(reasons.TIMEOUT, "slow")])
    score = score_of(GEval("c", model=model, samples=4), "x")
    assert (score.value, score.reason, score.stats) == (None, reasons.JUDGE_FAILED, ())


# the steps


def test_steps_are_written_once_and_told_by_the_score_that_paid_for_them(scripted: Any) -> None:
    model = judged(scripted, token({"4": 0.99}))
    metric = GEval("답변이 공손하다.", model=model)

    async def three() -> list[Score]:
        return list(await asyncio.gather(*(metric.score(Sample(name, "q"), Generation("x")) for name in "abc")))

    first, *others = asyncio.run(three())
    assert model.asked == {"steps": 1, "plain": 3}
    assert "keep them with steps:):\n1. Read the question." in (first.explanation or "")
    assert (first.calls, [score.calls for score in others]) == (2, [1, 1])
    assert len({(score.explanation or "").splitlines()[-1] for score in others}) == 1
    asked = model.chats[0][0][1].content
    assert "답변이 공손하다." in asked
    assert "in the language of the criteria" in asked


def test_steps_that_could_not_be_written_are_tried_again_for_the_next_sample(
    scripted: Any, score_of: Callable[..., Score]
) -> None:  # JDG-18
    model = judged(scripted, token({"4": 0.99}), steps=[{"steps": []}, {"steps": "one"}, STEPS])
    metric = GEval("c", model=model)
    assert score_of(metric, "x").reason == reasons.JUDGE_UNPARSEABLE
    assert score_of(metric, "x").value == 4.0
    assert model.asked["steps"] == 3


def test_steps_that_are_given_ask_for_none_and_fix_the_numbers(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = judged(scripted, token({"4": 0.99}))
    metric = GEval("c", model=model, steps=["Look at  the tone.", "Look at the facts."])
    assert score_of(metric, "x").calls == 1
    assert "1. Look at the tone.\n2. Look at the facts." in model.chats[0][0][1].content
    assert metric.facts.signature["steps"] == "1. Look at the tone.\n2. Look at the facts."
    assert metric.facts.signature["steps"] != GEval("c", model=model).facts.signature["steps"]


def test_the_judge_sees_what_is_named_and_needs_it(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = judged(scripted, token({"4": 0.99}))
    metric = GEval("c", model=model, shown=("reference", "contexts"))
    score_of(metric, "x", "the truth", input="a question", contexts=("a passage",))
    content = model.chats[-1][0][1].content
    assert all(text in content for text in ("the truth", "a passage"))
    assert "a question" not in content
    assert metric.facts.needs == {"reference", "contexts"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"scale": [1, 10]}, r"scale \[1, 10\]: a score of two digits"),
        ({"scale": [-1, 3]}, "with a sign"),
        ({"scale": [1.5, 3]}, "no whole steps"),
        ({"steps": []}, "texts that say something"),
        ({"steps": ["a", " "]}, "texts that say something"),
        ({"criteria": " "}, "texts that say something"),
        ({"criteria": "polite.md"}, r"'polite.md' is the name of a file.*or \{ judge: polite.md \} for the rubric"),
        ({"samples": 0}, "samples 0"),
    ],
)
def test_what_cannot_be_weighed_is_refused_before_any_call(scripted: Any, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        GEval(**{"criteria": "c", "model": scripted(), **wrong})


def test_criteria_and_every_parameter_address_the_score(scripted: Any) -> None:  # JDG-10, JDG-17
    ways: list[dict[str, Any]] = [
        {"criteria": "a"},
        {"criteria": "b"},
        {"criteria": "a", "shown": ("input", "reference")},
        {"criteria": "a", "scale": (0, 9)},
        {"criteria": "a", "samples": 5},
        {"criteria": "a", "steps": ["one"]},
    ]
    assert len({GEval(model=scripted(), **way).facts.text for way in ways}) == len(ways)
