"""Exact match and token F1 against hand-worked numbers of the SQuAD formula."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.reference import korean
from haetae.metrics.reference.short_answers import ExactMatch, TokenF1


def test_exact_match_looks_past_blanks_at_the_ends_and_the_unicode_form(score_of: Callable[..., Score]) -> None:
    assert score_of(ExactMatch(), " 서울 \n", "서울").value == 1.0
    assert score_of(ExactMatch(), unicodedata.normalize("NFD", "서울"), "부산", "서울").value == 1.0
    assert score_of(ExactMatch(), "Seoul", "seoul").value == 0.0
    assert score_of(ExactMatch("none"), "서울 ", "서울").value == 0.0
    assert score_of(ExactMatch("squad"), "The Eiffel Tower.", "eiffel tower").value == 1.0


@pytest.mark.parametrize(
    ("output", "reference"),
    [
        ("서울 입니다.", "서울 입니다"),
        ("｢서울｣", "서울"),
        ("１２３", "123"),
        ("The U.S. 'Capitol'", "the us capitol"),
        ("서울,부산", "서울, 부산"),
        ("don’t", "DON'T!"),
        ("Straße", "STRASSE"),
        ("こんにちは。", "こんにちは"),
        ("你好！", "你好"),
        ("ＧＰＴ-4o", "gpt 4o"),
        ("서\u200b울", "서울"),
        ("﷽", unicodedata.normalize("NFD", "﷽")),
        ("**-5**", "-5"),
        ("–5", "-5"),
        ("답: −5", "답:-5"),
        ("코로나-19", "코로나 19"),
        ("$5-$10", "$5 $10"),
        ("10²", "10^2"),
        ("m²", "m2"),
        ("...5", "5"),
        ("#1", "1"),
        ("서울#부산", "서울 부산"),
    ],
)
def test_what_only_marks_case_and_width_tell_apart_is_one_answer(
    output: str, reference: str, score_of: Callable[..., Score]
) -> None:
    assert score_of(ExactMatch("unicode"), output, reference).value == 1.0


@pytest.mark.parametrize(
    ("output", "reference"),
    [
        *(("3.5", "35"), ("-5", "5"), ("50%", "50"), ("10:30", "1030"), ("?!", "..."), ("서울", "부산")),
        *(("**-5**", "5"), ('"-5"', "5"), ("–5", "5"), ("‐5", "5"), ("-$5", "$5"), ("–₩5", "₩5"), ("(-5)", "5")),
        *(("답:-5", "답: 5"), ("-.5", ".5"), (".5", "5"), ("10²", "102"), ("1½", "11/2"), ("5‰", "5"), ("C#", "C")),
        *(("C++", "C"), ("1,000", "1.000"), ("\u200b", "\u200c")),
    ],
)
def test_what_makes_another_number_or_another_word_stays(
    output: str, reference: str, score_of: Callable[..., Score]
) -> None:
    assert score_of(ExactMatch("unicode"), output, reference).value == 0.0


@pytest.mark.parametrize("normalise", ["none", "nfc", "squad", "unicode"])
@pytest.mark.parametrize("reference", ["A", "the", "?!", "\u200b", "답"])
def test_an_empty_output_is_no_answer_whatever_is_left_of_the_reference(
    normalise: str, reference: str, score_of: Callable[..., Score]
) -> None:
    for empty in ("", " \n"):
        found = score_of(ExactMatch(normalise), empty, reference)
        assert (found.value, found.explanation) == (0.0, "the output is empty")
    assert score_of(ExactMatch(normalise), reference, reference).value == 1.0


@pytest.mark.parametrize(
    ("output", "reference", "value"),
    [
        ("the", "A", 0.0),
        ("?!", "A.", 0.0),
        ("?!", "...", 0.0),
        ("a.", "A", 1.0),
        ("The (A)", "the a", 1.0),
        ("A", "B", 0.0),
    ],
)
def test_answers_that_squad_leaves_nothing_of_are_told_apart(
    output: str, reference: str, value: float, score_of: Callable[..., Score]
) -> None:
    assert score_of(ExactMatch("squad"), output, reference).value == value


def test_token_f1_is_squads_formula(score_of: Callable[..., Score]) -> None:
    # answer of 3 tokens, 2 of them in the reference of 4: P 2/3, R 2/4, F1 4/7
    found = score_of(TokenF1("squad"), "the red big car", "a red old fast car!").value
    assert found == pytest.approx(4 / 7, abs=1e-15)
    assert score_of(TokenF1("squad"), "car", "boat", "the car").value == 1.0


def test_characters_count_as_korquad_counts(score_of: Callable[..., Score]) -> None:
    assert score_of(TokenF1("characters"), "서울시", "서울").value == pytest.approx(2 * (2 / 3) / (2 / 3 + 1))


@pytest.mark.parametrize("text", ["안녕하세요", "สวัสดี", "你好", "🎉", "the", "?!"])
@pytest.mark.parametrize("tokenizer", ["unicode", "squad", "korean", "korean_content", "auto", "characters"])
def test_identical_text_of_any_script_is_one(text: str, tokenizer: str, score_of: Callable[..., Score]) -> None:
    assert score_of(TokenF1(tokenizer), text, text).value == 1.0


@pytest.mark.parametrize("metric", [ExactMatch(), ExactMatch("none"), TokenF1()])
def test_empty_sides_never_divide_by_zero(metric: ExactMatch | TokenF1, score_of: Callable[..., Score]) -> None:
    # MET-04
    empty = score_of(metric, "", "답")
    assert (empty.value, empty.explanation) == (0.0, "the output is empty")
    assert score_of(metric, "답", "").reason == reasons.MISSING_REFERENCE


def test_wrong_arguments_name_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="none of none, nfc, squad, unicode; did you mean 'squad'"):
        ExactMatch("squat")
    with pytest.raises(ConfigError, match="token_f1: tokenizer 3 is none of"):
        TokenF1(3)  # type: ignore[arg-type]  # what a suite file may say


@given(st.text(max_size=30), st.text(max_size=30))
def test_token_f1_is_symmetric_and_in_range(a: str, b: str) -> None:
    one = TokenF1().score(Sample("s", "", (a,)), Generation(b)).value
    other = TokenF1().score(Sample("s", "", (b,)), Generation(a)).value
    if a.strip() and b.strip():
        assert one is not None
        assert 0 <= one <= 1
        assert one == pytest.approx(other)
        assert TokenF1().score(Sample("s", "", (a,)), Generation(a)).value == 1.0


@pytest.mark.parametrize(("name", "loads"), [("korean", 1), ("korean_content", 1), ("auto", 1), ("unicode", 0)])
def test_the_korean_dictionary_is_loaded_when_the_metric_is_made_and_not_while_a_run_waits(
    name: str, loads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(korean, "_kiwi", lambda: loaded.append("dictionary"))
    assert TokenF1(tokenizer=name).facts.text == ("token_f1" if name == "unicode" else f"token_f1(tokenizer={name})")
    assert len(loaded) == loads
