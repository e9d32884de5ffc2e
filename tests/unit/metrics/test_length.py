"""Lengths: what a reader sees as one character is one, whatever the script."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
import regex  # type: ignore[import-untyped]  # ships no types
from hypothesis import given, settings
from hypothesis import strategies as st

from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.form.length import Length
from haetae.metrics.text import CLUSTER

ScoreOf = Callable[..., Score]


@pytest.mark.parametrize(
    ("text", "count"),
    [  # extended grapheme clusters by the rules of UAX #29
        ("", 0),
        ("abc", 3),
        ("안녕하세요", 5),
        (unicodedata.normalize("NFD", "안녕하세요"), 5),
        ("👨‍👩‍👧‍👦", 1),
        ("👍🏽", 1),
        ("🇰🇷🇯🇵", 2),
        ("e\u0301", 1),
        ("ค่ำ", 1),  # a consonant with its tone mark and vowel
        ("نَص", 2),
        ("a\r\nb", 3),
        ("你好。", 3),
    ],
)
def test_a_character_is_what_a_reader_sees(text: str, count: int, score_of: ScoreOf) -> None:
    assert score_of(Length(), text).value == count


CLUSTERS = "🇰🇷🇯\u0301\u200d👩🏽a\u0600\u0903\r\nक\u094d가ᄀ\u1161"


@settings(deadline=None)
@given(st.text(CLUSTERS, max_size=12))
def test_characters_are_the_clusters_of_the_regex_package(text: str) -> None:
    assert regex.findall(CLUSTER, text) == regex.findall(r"\X", text)


@pytest.mark.parametrize("count", ["characters", "tokens"])
def test_a_row_of_half_a_million_flags_is_counted_in_one_walk(count: str, score_of: ScoreOf) -> None:
    assert score_of(Length(count), "🇰🇷" * 500_000).value == 500_000  # counted anew from its start, it would take hours


def test_words_stand_between_blanks_and_tokens_are_those_of_the_overlap_metrics(score_of: ScoreOf) -> None:
    assert score_of(Length("words"), " 나는  오늘\n학교에 갔다. ").value == 4
    assert score_of(Length("tokens"), "나는 오늘 학교에 갔다.").value == 4
    assert score_of(Length("tokens"), "你好，世界").value == 4
    assert score_of(Length("tokens", tokenizer="korean"), "나는 학교에 갔다.").value == 7
    assert score_of(Length("tokens"), "").value == 0


def test_bounds_make_it_a_yes_or_no_ends_included(score_of: ScoreOf) -> None:
    metric = Length(min=2, max=4)
    assert [score_of(metric, "가" * n).value for n in range(1, 6)] == [0.0, 1.0, 1.0, 1.0, 0.0]
    assert score_of(metric, "가" * 5).explanation == "5 characters"
    assert score_of(Length("words", max=3), "").value == 1.0
    assert score_of(Length("words", min=1), "").value == 0.0


def test_direction_and_range_follow_the_bounds() -> None:
    plain, bounded = Length("tokens").facts, Length("words", max=100).facts
    assert (plain.high, plain.higher_is_better, plain.text) == (None, False, "length(tokens)")
    assert plain.signature["tokenizer"] == "unicode/1"
    assert (bounded.high, bounded.higher_is_better, bounded.text) == (1.0, True, "length(words, max=100)")


def test_bounds_that_nothing_meets_are_refused() -> None:
    with pytest.raises(ConfigError, match="min 5 is above max 4"):
        Length(min=5, max=4)
    with pytest.raises(ConfigError, match="not a whole number"):
        Length(max=-1)
    with pytest.raises(ConfigError, match="a tokenizer counts tokens"):
        Length("words", tokenizer="korean")
