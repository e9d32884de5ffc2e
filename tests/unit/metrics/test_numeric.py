"""Numbers in answers: which one is meant, how it is written in Korean and English, and how near it is."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.form.numerals import normalised, numbers
from haetae.metrics.form.numeric import Numeric

ScoreOf = Callable[..., Score]


def read(text: str) -> list[Decimal | None]:
    return [number.value for number in numbers(normalised(text))]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("35,000원입니다.", "35000"),
        ("3만 5천 원", "35000"),
        ("３５，０００", "35000"),
        ("1억 2,345만 6,789원", "123456789"),
        ("총2천5백만원", "25000000"),
        ("10조 5000억", "10500000000000"),
        ("3万5千円", "35000"),
        ("1.5억", "150000000"),
        ("-3.5도", "-3.5"),
        ("−7", "-7"),
        ("It costs $1,234.50.", "1234.5"),
        ("about 2.5 million users", "2500000"),
        ("6.02e23", "6.02e23"),
        ("٣٥", "35"),
        ("५०", "50"),
        ("(12)", "12"),
        ("5kg", "5"),
        ("x=0.5", "0.5"),
    ],
)
def test_one_number_is_read_as_people_write_it(text: str, value: str) -> None:
    assert read(text) == [Decimal(value)]
    assert read(unicodedata.normalize("NFD", text)) == [Decimal(value)]


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-26",
        "10:30",
        "3-5",
        "1/2",
        "1.2.3",
        "3,5",
        "1,23",
        "1.2M",
        "5k",
        "10²",
        "3½",
        ".5",
        "3만 50000",
        "제10조",
    ],
)
def test_what_can_be_read_in_two_ways_is_doubtful(text: str) -> None:
    assert read(text) == [None]


@pytest.mark.parametrize("text", ["GPT-4o", "Q3", "코로나-19", "m²", "A4 용지", "no number", "만나서 천천히", "_5"])
def test_digits_of_a_word_are_no_number(text: str) -> None:
    assert read(text) == []


@settings(deadline=None)
@given(st.integers(-(10**15), 10**15), st.integers(0, 3))
def test_what_python_writes_is_read_back(number: int, places: int) -> None:
    for text in (
        f"{number:,}",
        str(number),
        f"{number:,}.{'5' * places}" if places else f"{number:_}".replace("_", ","),
    ):
        assert read(f"답은 {text} 입니다") == [Decimal(text.replace(",", ""))]


@settings(deadline=None)
@given(st.integers(1, 10**16 - 1), st.booleans(), st.booleans())
def test_a_number_spelled_with_korean_units_is_read_back(number: int, spaced: bool, small: bool) -> None:
    parts = []
    for scale, name in ((10**12, "조"), (10**8, "억"), (10**4, "만"), (1, "")):
        part = number // scale % 10**4
        if part and small:
            digits = "".join(
                f"{part // 10**p % 10}{n}" for p, n in ((3, "천"), (2, "백"), (1, "십"), (0, "")) if part // 10**p % 10
            )
            parts.append(digits + name)
        elif part:
            parts.append(f"{part}{name}")
    assert read((" " if spaced else "").join(parts) + "원") == [Decimal(number)]


def test_the_tolerance_is_absolute_or_relative_to_the_reference(score_of: ScoreOf) -> None:
    assert score_of(Numeric(), "35,000", "3만 5천").value == 1.0
    assert score_of(Numeric(), "35,001", "35000").value == 0.0
    assert score_of(Numeric(absolute=0.1), "1.1", "1.0").value == 1.0  # exactly at the bound, where floats say no
    assert score_of(Numeric(relative=0.01), "99", "100").value == 1.0
    assert score_of(Numeric(relative=0.01), "100", "99").value == 0.0  # 1 > 0.99
    assert score_of(Numeric(), "40", "30", "40").value == 1.0


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.sampled_from([0, 0.5, 10, 1e5]), st.sampled_from([0, 0.01, 0.5]))
def test_near_is_within_the_larger_of_both_tolerances(
    value: float, wanted: float, absolute: float, relative: float
) -> None:
    value, wanted = round(value, 3), round(wanted, 3)
    bound = max(absolute, relative * abs(wanted))
    if math.isclose(abs(value - wanted), bound, rel_tol=1e-9):
        return  # floats cannot tell which side
    found = Numeric(absolute=absolute, relative=relative).score(
        Sample("s", "", (f"{wanted:.3f}",)), Generation(f"{value:.3f}")
    )
    assert found.value == float(abs(value - wanted) <= bound)


def test_several_numbers_are_not_guessed_from(score_of: ScoreOf) -> None:
    several = score_of(Numeric(), "30명 중 12명입니다", "12")
    assert (several.value, several.reason) == (None, reasons.AMBIGUOUS)
    assert "'30', '12'" in str(several.explanation)
    assert score_of(Numeric("last"), "30명 중 12명입니다", "12").value == 1.0
    assert score_of(Numeric("first"), "30명 중 12명입니다", "12").value == 0.0
    assert score_of(Numeric(), "12, that is 12.0", "12").value == 1.0
    assert score_of(Numeric(), "2026-11-26 기준 35,000원", "35000").value == 1.0
    assert score_of(Numeric(), "3-5일", "4").reason == reasons.AMBIGUOUS


def test_a_unit_says_which_number_is_meant(score_of: ScoreOf) -> None:
    text = "3일 뒤 35,000원(10%)을 돌려드립니다"
    assert score_of(Numeric(unit="원"), text, "35,000원").value == 1.0
    assert score_of(Numeric(unit="원"), text, "35000").value == 1.0
    assert score_of(Numeric(unit="%"), text, "10").value == 1.0
    assert score_of(Numeric(unit="$"), "3 for $40", "$40").value == 1.0
    assert score_of(Numeric(unit="m"), "5m in 3 min", "5 m").value == 1.0
    none = score_of(Numeric(unit="kg"), text, "3")
    assert (none.value, none.explanation) == (0.0, "the output states no number beside 'kg'")


def test_no_number_is_wrong_and_no_reference_is_unscored(score_of: ScoreOf) -> None:  # MET-04
    assert score_of(Numeric(), "모르겠습니다", "3").value == 0.0
    empty = score_of(Numeric(), " ", "3")
    assert (empty.value, empty.explanation) == (0.0, "the output is empty")
    assert score_of(Numeric(), "3", "세 개").reason == reasons.MISSING_REFERENCE
    assert score_of(Numeric(), "3", "3 or 4").reason == reasons.MISSING_REFERENCE
    assert score_of(Numeric(), "3", " ").reason == reasons.MISSING_REFERENCE
    assert score_of(Numeric(), "1" * 10_000, "1" * 10_000).value == 1.0
    assert score_of(Numeric(), "1e999", "2e999").value == 0.0


@pytest.mark.parametrize("group", ["111,", "1.1", "1,111"])
def test_a_megabyte_of_digits_and_separators_is_read_in_one_walk(group: str) -> None:
    assert len(numbers(group * 1_000_000)) == 1  # read again from each comma it would take minutes


def test_wrong_parameters_are_named() -> None:
    for wrong in (-1, float("nan"), float("inf"), True):
        with pytest.raises(ConfigError, match="absolute: expected a tolerance of 0 or more"):
            Numeric(absolute=wrong)
    with pytest.raises(ConfigError, match="unit"):
        Numeric(unit=" ")
    with pytest.raises(ConfigError, match="none of only, first, last"):
        Numeric("any")
    assert Numeric("last", relative=0.01, unit="원").facts.text == "numeric(last, relative=0.01, unit=원)"
