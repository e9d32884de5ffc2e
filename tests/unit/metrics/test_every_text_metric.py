"""What holds for every metric that compares texts, in every script: twins, identity, strangers and blanks."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.metrics.form.contains import Contains, NotContains
from haetae.metrics.form.json_match import JsonMatch
from haetae.metrics.form.json_text import JsonValid
from haetae.metrics.form.length import Length
from haetae.metrics.form.numeric import Numeric
from haetae.metrics.form.pattern import Regex
from haetae.metrics.reference.bleu import Bleu
from haetae.metrics.reference.chrf import Chrf
from haetae.metrics.reference.rouge import Rouge
from haetae.metrics.reference.short_answers import ExactMatch, TokenF1
from haetae.metrics.reference.ter import Ter

ScoreOf = Callable[..., Score]

TOKENIZERS = ("unicode", "korean", "korean_content", "squad", "characters", "auto")
OVERLAP: list[Any] = [
    *(Rouge(variant, tokenizer=name) for variant in ("1", "2", "L", "Lsum") for name in TOKENIZERS),
    *(TokenF1(name) for name in TOKENIZERS),
    *(Bleu(name) for name in ("auto", "13a", "intl", "zh", "char", "none")),
    *(Chrf(order) for order in (0, 2)),
]
COMPARING: list[Any] = [
    *OVERLAP,
    *(Ter(), Ter(normalized=True, asian_support=True, no_punct=True), Ter(case_sensitive=True)),
    *(ExactMatch(name) for name in ("nfc", "squad", "unicode")),
    *(Contains(), Contains(match="all", case_sensitive=False), NotContains()),
    *(Numeric("first", relative=0.1), JsonMatch(), JsonMatch("fields")),
]
LOOKING: list[Any] = [
    *(Length(count) for count in ("characters", "words", "tokens")),
    Regex(r"é|학교|^\p{L}+$"),
    JsonValid(),
]

STRANGERS = {
    "Korean": ("환불은 구매 후 7일 안에 신청하셔야 합니다.", "고양이가 창가에서 낮잠을 자고 있네요!"),
    "Japanese": ("返品は購入から七日以内にお願いします。", "猫が窓辺でのんびり昼寝をしている！"),
    "Chinese": ("请在购买后七天内申请退款。", "小猫正趴着窗台上睡觉！"),
    "Thai": ("กรุณาขอคืนเงินภายในเจ็ดวัน", "แมวหลับอยู่ใต้โต๊ะ"),
    "English": ("Refunds must be requested within seven days.", "A cat is sleeping by the window!"),
    "emoji": ("🎉🎂🎁🥳", "🐱😴🪟🌙"),
}
TEXTS = st.lists(
    st.sampled_from(
        [
            "학교에",
            "갔습니다.",
            "が",
            "パン",
            "café",
            "Ünïcode",
            "ไป",
            "ค่ำ",
            "我们",
            "👍🏽",
            "𝒜",
            "Å",
            "3,5",
            "12",
            '{"가": 1}',
            "I",
            "İ",
        ]
    ),
    max_size=6,
).map(" ".join)


def named(metric: Any) -> str:
    text: str = metric.facts.text
    return text


def twin(text: str) -> str:
    return unicodedata.normalize("NFD", text)


@pytest.mark.parametrize("metric", [*COMPARING, *LOOKING], ids=named)
@settings(max_examples=25, deadline=None)
@given(output=TEXTS, reference=TEXTS)
def test_a_decomposed_twin_scores_the_same(metric: Any, output: str, reference: str) -> None:
    expected = metric.score(Sample("s", "", (reference,)), Generation(output))
    for given_output, given_reference in (
        (twin(output), reference),
        (output, twin(reference)),
        (twin(output), twin(reference)),
    ):
        found = metric.score(Sample("s", "", (given_reference,)), Generation(given_output))
        assert (found.value, found.stats, found.reason) == (expected.value, expected.stats, expected.reason)


@pytest.mark.parametrize("metric", OVERLAP, ids=named)
@pytest.mark.parametrize("script", STRANGERS)
def test_a_text_is_nearest_to_itself_and_far_from_a_stranger(metric: Any, script: str, score_of: ScoreOf) -> None:
    # MET-01, MET-02, MET-03
    text, stranger = STRANGERS[script]
    assert score_of(metric, text, text).value == metric.facts.high
    far = score_of(metric, stranger, text).value
    assert far is not None
    letters = script == "English" and "characters" in metric.facts.text  # any two English texts share most letters
    assert far <= (0.6 if letters else 0.35) * metric.facts.high
    assert score_of(metric, text, stranger, text).value == metric.facts.high  # the best reference counts


@pytest.mark.parametrize("script", STRANGERS)
def test_edits_are_none_for_the_same_text_and_many_for_a_stranger(script: str, score_of: ScoreOf) -> None:
    text, stranger = STRANGERS[script]
    for metric in (Ter(), Ter(normalized=True, asian_support=True)):
        assert score_of(metric, text, text).value == 0.0
        assert (score_of(metric, stranger, text).value or 0) >= 75
        assert score_of(metric, text, stranger, text).value == 0.0


@pytest.mark.parametrize("metric", COMPARING, ids=named)
def test_empty_output_is_said_and_blank_references_are_not_zero(metric: Any, score_of: ScoreOf) -> None:  # MET-04
    empty = score_of(metric, " \n", '{"a": 12}')
    assert empty.value in (0.0, 1.0, 100.0)
    assert empty.value == (0.0 if metric.facts.higher_is_better else 100.0) or isinstance(metric, NotContains)
    if not isinstance(metric, NotContains):
        assert "the output is empty" in str(empty.explanation)
    blank = score_of(metric, "12", " ", "")
    assert (blank.value, blank.reason) == (None, reasons.MISSING_REFERENCE)


@pytest.mark.parametrize("metric", OVERLAP, ids=named)
@settings(max_examples=25, deadline=None)
@given(output=st.text(max_size=30), reference=st.text(max_size=30))
def test_no_text_leaves_the_range(metric: Any, output: str, reference: str) -> None:  # MET-09
    found = metric.score(Sample("s", "", (reference,)), Generation(output)).value
    assert found is None or metric.facts.low <= found <= metric.facts.high
