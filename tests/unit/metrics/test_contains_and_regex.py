"""Contains, not contains and regular expressions: in every script, and in linear time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.form.contains import Contains, NotContains
from haetae.metrics.form.pattern import Regex

ScoreOf = Callable[..., Score]


def test_one_of_the_texts_is_enough_or_all_are_asked_for(score_of: ScoreOf) -> None:
    output = "환불은 7일 안에 됩니다."
    assert score_of(Contains(["환불", "교환"]), output).value == 1.0
    missing = score_of(Contains(["환불", "교환"], match="all"), output)
    assert (missing.value, missing.explanation) == (0.0, "the output lacks '교환'")
    assert score_of(Contains("7일"), output).value == 1.0


def test_without_texts_the_references_are_looked_for(score_of: ScoreOf) -> None:
    assert score_of(Contains(), "The answer is Seoul.", "Busan", "Seoul").value == 1.0
    assert score_of(Contains(match="all"), "The answer is Seoul.", "Busan", "Seoul").value == 0.0
    assert score_of(Contains(), "Seoul", " ").reason == reasons.MISSING_REFERENCE
    assert score_of(NotContains(), "The answer is Seoul.", "Seoul").value == 0.0
    assert Contains().facts.needs == {"reference"}
    assert Contains("x").facts.needs == frozenset()


def test_a_forbidden_text_is_named(score_of: ScoreOf) -> None:
    found = score_of(NotContains(["system prompt", "비밀"]), "제 비밀은 없습니다")
    assert (found.value, found.explanation) == (0.0, "the output contains '비밀'")
    assert score_of(NotContains(["system prompt", "비밀"]), "안녕하세요").value == 1.0


def test_case_counts_unless_it_is_folded(score_of: ScoreOf) -> None:
    assert score_of(Contains("seoul"), "SEOUL").value == 0.0
    assert score_of(Contains("seoul", case_sensitive=False), "SEOUL").value == 1.0
    assert score_of(NotContains("STRASSE", case_sensitive=False), "Straße").value == 0.0


def test_the_canonical_text_holds_what_was_given() -> None:
    assert Contains().facts.text == "contains"
    assert Contains(["a", "나"], match="all").facts.text == 'contains(["a","나"], match=all)'
    assert NotContains("a", case_sensitive=False).facts.text == "not_contains(a, case_sensitive=false)"
    assert Regex(r"\d+원", match="full").facts.text == r"regex(\d+원, match=full)"
    assert Regex("a").facts.signature["engine"].startswith("google-re2 1.")


@pytest.mark.parametrize("texts", [[], "", "  ", ["a", ""]])
def test_a_text_that_every_output_contains_is_refused(texts: str | list[str]) -> None:
    with pytest.raises(ConfigError, match="none of them blank"):
        Contains(texts)


def test_half_a_character_is_read_as_the_replacement_character(score_of: ScoreOf) -> None:
    for pattern, found in (("b$", 1.0), ("^a.b$", 1.0), ("\ufffd", 1.0), (r"\?", 0.0)):
        assert score_of(Regex(pattern), "a\ud835b").value == found
    with pytest.raises(ConfigError, match="half of a character"):
        Regex("\ud835b")


@pytest.mark.parametrize("kind", [Contains, NotContains, Regex])
def test_a_decomposed_twin_scores_the_same(kind: Callable[[str], Contains], score_of: ScoreOf) -> None:
    text = "환불 규정은 café"
    twin = unicodedata.normalize("NFD", text)
    assert score_of(kind(twin), text).value == score_of(kind(text), twin).value == score_of(kind(text), text).value


@settings(deadline=None)
@given(st.text("ab가각 ", max_size=12), st.text("ab가각", min_size=1, max_size=3))
def test_contains_is_pythons_in_and_not_contains_its_contrary(output: str, text: str) -> None:
    answer, sample = Generation(output), Sample("s", "")
    found = Contains(text).score(sample, answer).value
    assert found == float(text in output)
    assert found == 1 - NotContains(text).score(sample, answer).value  # type: ignore[operator]  # always scored


@settings(deadline=None)
@given(
    st.sampled_from([r"\d+", "가+나?", "^a.*b$", "a|bc", "[가-힣]{2}", r"(a|b)*c", r"\bab\b"]), st.text("abc12가나 ")
)
def test_an_expression_means_what_it_means_to_python(pattern: str, text: str) -> None:
    answer, sample = Generation(text), Sample("s", "")
    assert Regex(pattern).score(sample, answer).value == float(re.search(pattern, text, re.ASCII) is not None)
    assert Regex(pattern, match="full").score(sample, answer).value == float(
        re.fullmatch(pattern, text, re.ASCII) is not None
    )


def test_an_expression_that_backtracking_never_ends_is_searched_a_million_characters_through(score_of: ScoreOf) -> None:
    # SEC-09: Python's engine doubles its time with every further a
    assert score_of(Regex("(a+)+$"), "a" * 1_000_000 + "!").value == 0.0
    assert score_of(Regex("(a|aa)+$"), "a" * 1_000_000).value == 1.0
    assert isinstance(Regex("(a+)+$")._pattern, re2._Regexp)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(?=a)b", r"invalid perl operator: \(\?="),
        (r"(a)\1", "invalid escape sequence"),
        ("(", r"missing \)"),
        ("[z-a]", "invalid character class range"),
        ("a{5000}", "invalid repetition size"),
    ],
)
def test_an_expression_that_re2_cannot_take_is_refused_at_its_field(pattern: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        Regex(pattern)
    assert caught.value.problems[0].field == "regex"


def test_an_empty_output_is_said_to_be_empty(score_of: ScoreOf) -> None:  # MET-04
    for metric in (Contains("a"), Regex("a")):
        empty = score_of(metric, "")
        assert (empty.value, empty.explanation) == (0.0, "the output is empty")
    assert score_of(NotContains("a"), "").value == 1.0
