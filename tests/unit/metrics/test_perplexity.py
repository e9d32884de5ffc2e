"""Perplexity: known answers by hand, Hugging Face evaluate's numbers, and what is not scored."""

from __future__ import annotations

import asyncio
import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from haetae.core import reasons
from haetae.core.clock import SystemClock
from haetae.core.generation import Failure, Usage
from haetae.core.local_spec import LocalSpec
from haetae.core.model import Likelihood
from haetae.core.sample import Message, ToolCall
from haetae.core.score import Score
from haetae.errors import ConfigError, JudgeError
from haetae.metrics.perplexity import Perplexity
from haetae.targets.local import Local

ScoreOf = Callable[..., Score]


@dataclass
class Half:
    """Finds every character half as probable as can be; `told` replaces what it says of a text."""

    told: Mapping[str, Likelihood | Failure] = field(default_factory=dict)
    fingerprint: Mapping[str, Any] = field(default_factory=lambda: {"kind": "half", "tokenizer": "characters"})
    deterministic: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def likelihood(self, text: str, *, prompt: str = "") -> Likelihood | Failure:
        self.asked.append((prompt, text))
        plain = Likelihood((-math.log(2),) * len(text), len(text), Usage(input=len(text)), 0.5, "half-1")
        return self.told.get(text, plain)


def _of(**changes: Any) -> Perplexity:
    return Perplexity(**{"model": Half(), **changes})


@pytest.mark.parametrize(
    ("unit", "value"),
    [("token", 2.0), ("word", 2 ** (8 / 2)), ("byte", 8 / 20)],
)
def test_the_three_units_by_hand(unit: str, value: float, score_of: ScoreOf) -> None:
    text = "배송이 늦어요."  # 8 characters, 2 eojeol, 6 * 3 + 2 bytes
    found = score_of(_of(unit=unit), text)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.stats == pytest.approx((8 * math.log(2), 8, 2, 20))
    assert (found.calls, found.usage, found.cost_usd, found.model) == (1, Usage(input=8), 0.5, "half-1")


def test_the_corpus_value_is_of_the_summed_statistics_never_a_mean(score_of: ScoreOf) -> None:
    rare = Likelihood((-math.log(1000),), 1)
    metric = _of(model=Half({"x": rare}))
    found = [score_of(metric, text) for text in ("x", "a" * 9)]
    assert [score.value for score in found] == pytest.approx([1000.0, 2.0])
    totals = np.array([score.stats for score in found]).sum(axis=0)
    assert float(metric.corpus(totals)) == pytest.approx((1000 * 2**9) ** 0.1)
    many = metric.corpus(np.array([[totals, totals], [2 * totals, totals]]))
    assert many.shape == (2, 2)
    assert np.allclose(many, float(metric.corpus(totals)))


def test_a_corpus_whose_tokens_are_impossible_has_no_value_and_warns_of_nothing(score_of: ScoreOf) -> None:
    metric = _of(model=Half({"x": Likelihood((-9000.0,), 1)}))
    found = score_of(metric, "x")
    assert (found.value, found.reason) == (None, reasons.NOT_FINITE)
    assert not np.isfinite(metric.corpus(np.array([9000.0, 1, 1, 1])))


def test_an_nfd_twin_is_asked_for_as_its_nfc_form(score_of: ScoreOf) -> None:
    model, twin = Half(), unicodedata.normalize("NFD", "한글")
    assert twin != "한글"
    assert score_of(_of(model=model), twin).stats == score_of(_of(model=model), "한글").stats
    assert {text for _, text in model.asked} == {"한글"}


def test_given_the_prompt_only_the_text_is_scored_after_the_input_and_a_line(score_of: ScoreOf) -> None:
    model = Half()
    score_of(_of(model=model, given="prompt"), "yes", input="Is it?")
    score_of(_of(model=model, given="prompt", separator=" "), "yes", input="Is it?")
    score_of(_of(model=model), "yes", input="Is it?")
    assert model.asked == [("Is it?\n", "yes"), ("Is it? ", "yes"), ("", "yes")]


CHAT = (
    Message("system", "Be brief."),
    Message("user", unicodedata.normalize("NFD", "호텔?")),
    Message("assistant", "", tool_calls=(ToolCall("search", {"city": "부산"}),)),
    Message("tool", "해운대"),
    Message("user", "Is it free?"),
)


def test_a_chat_is_read_whole_before_the_text_and_one_question_as_it_is(score_of: ScoreOf) -> None:
    model = Half()
    score_of(_of(model=model, given="prompt"), "yes", input=CHAT)
    score_of(_of(model=model, given="prompt"), "yes", input=CHAT[-1:])
    whole = (
        "system: Be brief.\nuser: 호텔?\nassistant: \n"
        '{"arguments":{"city":"부산"},"name":"search"}\ntool: 해운대\nuser: Is it free?\n'
    )
    assert model.asked == [(whole, "yes"), ("Is it free?\n", "yes")]
    assert "chat" in _of(given="prompt").facts.signature
    assert "chat" not in _of().facts.signature


def test_of_several_references_the_lowest_value_counts_and_all_are_paid_for(score_of: ScoreOf) -> None:
    model = Half({"worse": Likelihood((-5.0,), 1), "x": Likelihood((), 1)})
    found = score_of(_of(of="reference", model=model), "ignored", "worse", "better", "x", " ")
    assert found.value == pytest.approx(2.0)
    assert found.calls == 3
    assert [text for _, text in model.asked] == ["worse", "better", "x"]


@pytest.mark.parametrize("reason", [reasons.TIMEOUT, reasons.NO_LOGPROBS])
def test_a_reference_that_could_not_be_measured_leaves_no_score_of_the_others(reason: str, score_of: ScoreOf) -> None:
    model = Half({"bad": Likelihood((-5.0,), 1), "better": Failure(reason, "why")})
    for given in (("bad", "better"), ("better", "bad")):
        found = score_of(_of(of="reference", model=model), "ignored", *given)
        assert (found.value, found.reason, found.explanation) == (None, reason, "why")
    assert score_of(_of(of="reference", model=model), "ignored", "bad", "better").calls == 2


def test_a_long_text_without_blanks_has_no_perplexity_per_word_and_is_told_of_bytes(score_of: ScoreOf) -> None:
    text = "这是一个没有空格的句子。" * 100
    found = score_of(_of(unit="word"), text)
    assert (found.value, found.reason) == (None, reasons.NOT_FINITE)
    assert found.explanation == (
        "exp(832 / 1), of 1 word, is beyond all floats; a language written without blanks is measured by unit: byte"
    )
    assert score_of(_of(unit="byte"), text).value == pytest.approx(1 / 3)


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_blank_text_is_unscored_and_not_asked_for(text: str, score_of: ScoreOf) -> None:
    model = Half()
    assert score_of(_of(model=model), text).reason == reasons.EMPTY
    assert score_of(_of(of="reference", model=model), "answer", text).reason == reasons.MISSING_REFERENCE
    assert model.asked == []


def test_one_token_with_nothing_before_it_is_unscored(score_of: ScoreOf) -> None:  # MET-05
    found = score_of(_of(model=Half({"x": Likelihood((), 1, Usage(input=1), 0.0, "half-1")})), "x")
    assert (found.value, found.reason, found.calls) == (None, reasons.TOO_SHORT, 1)


def test_what_an_endpoint_cannot_tell_is_unscored_with_its_own_reason(score_of: ScoreOf) -> None:
    for reason in (reasons.NO_LOGPROBS, reasons.TIMEOUT, reasons.TOO_LONG):
        found = score_of(_of(model=Half({"x": Failure(reason, "why", usage=Usage(input=9))})), "x")
        assert (found.value, found.reason, found.explanation, found.usage) == (None, reason, "why", Usage(input=9))
    with pytest.raises(JudgeError, match="only chats"):
        score_of(_of(model=Half({"x": Failure(reasons.NO_LOGPROBS, "it only chats", fatal=True)})), "x")


def test_of_the_output_the_model_is_an_instrument_and_of_the_reference_it_is_what_is_measured() -> None:
    first = Half(fingerprint={"digest": "a", "tokenizer": "t"})
    other = Half(fingerprint={"digest": "b", "tokenizer": "t"})
    third = Half(fingerprint={"digest": "b", "tokenizer": "u"})

    def signature(model: Half, **changes: Any) -> Mapping[str, Any]:
        return _of(model=model, **changes).facts.signature

    assert signature(first) != signature(other)
    assert signature(first, of="reference") == signature(other, of="reference")
    assert signature(other, of="reference") != signature(third, of="reference")  # tokens are other units
    assert signature(other, of="reference", unit="byte") == signature(third, of="reference", unit="byte")
    facts = _of(model=first, of="reference").facts
    assert (facts.model, facts.judge, facts.answer) == ({"digest": "a", "tokenizer": "t"}, None, False)
    assert _of(model=first).facts.answer


def test_the_canonical_text_holds_what_differs_from_the_defaults() -> None:
    assert _of().facts.text == "perplexity"
    made = _of(of="reference", given="prompt", unit="byte", separator=" ", average="texts")
    assert made.facts.text == 'perplexity(of=reference, given=prompt, unit=byte, separator=" ", average=texts)'
    assert (made.facts.low, made.facts.high, made.facts.higher_is_better) == (0.0, None, False)
    assert (made.facts.corpus, _of().facts.corpus, _of().facts.low) == (False, True, 1.0)
    with pytest.raises(ConfigError, match="unit 'char' is none of token, word, byte"):
        _of(unit="char")


HUGGING_FACE = {
    "The server answers every request.": 334.09033203125,
    "주문하신 상품은 내일 출고됩니다.": 395.41888427734375,
    "A job waits": 433.11859130859375,
    "한": 271.3124084472656,
    "The queue is empty; nobody waits in it, and the worker sleeps until somebody writes.": 458.1625061035156,
}
"""The perplexity metric of evaluate 0.4.6 (torch 2.13.0, transformers 5.23.0) on the tests' tiny model."""
MEAN = 378.42054443359376
WITHOUT_START_TOKEN = [432.4350891113281, 384.46539306640625, 388.35107421875, 457.4327697753906]
"""The same with `add_start_token=False`, which takes no text of one token: 한 has two and was left out."""


@pytest.fixture
def scores(tiny_lm: Path) -> Callable[..., list[float]]:
    """scores(texts, bos=True): the per-text perplexities of the tiny model in process."""

    def measure(texts: list[str], *, bos: bool = True) -> list[float]:
        async def work() -> list[float]:
            spec = LocalSpec(path="tiny", bos=bos)
            model = Local(tiny_lm, spec, fingerprint={}, window=64, stride=32, clock=SystemClock())
            try:
                metric = Perplexity(model=model, average="texts")
                found = await asyncio.gather(*(model.likelihood(text) for text in texts))
                return [float(metric.corpus(np.array([-math.fsum(f.logprobs), len(f.logprobs), 1, 1]))) for f in found]
            finally:
                await model.aclose()

        return asyncio.run(work())

    return measure


def test_hugging_face_evaluate_is_reproduced_to_six_digits(scores: Callable[..., list[float]]) -> None:
    found = scores(list(HUGGING_FACE))
    assert found == pytest.approx(list(HUGGING_FACE.values()), rel=1e-6)
    assert sum(found) / len(found) == pytest.approx(MEAN, rel=1e-6)
    texts = [text for text in HUGGING_FACE if text != "한"]
    assert scores(texts, bos=False) == pytest.approx(WITHOUT_START_TOKEN, rel=1e-6)
