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
        ("-$5", "-5"),
        ("−₩5,000", "-5000"),
        ("(-₩5만)", "-50000"),
        ("a loss of -US$5", "-5"),
        ("$-5", "-5"),
        ("-$-5", "-5"),
        ("총액-$5", "5"),
        ("+$5", "5"),
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
        "5‰",
        "5 ‰ of all",
        "5 hundred",
        "2 dozen eggs",
        "5 millions",
        r"3\times10^5",
    ],
)
def test_what_can_be_read_in_two_ways_is_doubtful(text: str) -> None:
    assert read(text) == [None]


@pytest.mark.parametrize("text", ["3×10^5", "3 × 10⁵", "3·10^5", "5‰", "5 hundred"])
def test_a_multiple_that_is_not_read_is_never_the_number_before_it(text: str, score_of: ScoreOf) -> None:
    for which in ("only", "first"):
        assert score_of(Numeric(which), text, text[0]).reason == reasons.AMBIGUOUS
    assert score_of(Numeric(unit="‰"), "5‰", "5").value == 1.0
    assert score_of(Numeric(), "5 × 10", "5").reason == reasons.AMBIGUOUS


@pytest.mark.parametrize(("output", "value"), [("-$5", 0.0), ("$5", 1.0), ("It lost −$5.", 0.0)])
def test_a_debt_is_no_credit(output: str, value: float, score_of: ScoreOf) -> None:
    for metric in (Numeric(), Numeric(unit="$")):
        assert score_of(metric, output, "$5").value == value
        assert score_of(metric, output, "-$5").value == 1.0 - value


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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("삼만 오천 원", 35000),
        ("삼만오천원입니다.", 35000),
        ("만 오천원", 15000),
        ("만 원만 내세요", 10000),
        ("오백 만 원", 5_000_000),
        ("일억 이천삼백만 원", 123_000_000),
        ("이천이십육 년", 2026),
        ("답은 십오입니다.", 15),
        ("삼십이입니다", 32),
        ("백이십", 120),
        ("서른", 30),
        ("서른 개", 30),
        ("두 개", 2),
        ("네 명이 왔습니다", 4),
        ("스물다섯 살이에요", 25),
        ("백스물다섯 명", 125),
        ("아흔아홉 마리", 99),
        ("열두 시에 시작합니다", 12),
        ("육십오 세 이상", 65),
        ("오십 퍼센트", 50),
        ("오 분 걸립니다", 5),
        ("만 세 살", 3),
        ("이십일 동안", 20),
        ("이십일 개", 21),
        ("이 두 개", 2),
    ],
)
def test_korean_number_words_are_read_where_they_can_be_nothing_else(text: str, value: int) -> None:
    assert read(text) == [Decimal(value)]
    assert read(unicodedata.normalize("NFD", text)) == [Decimal(value)]


@pytest.mark.parametrize(
    "text",
    [
        *("한두 개", "서너 명", "삼 사 일", "삼십여 명", "수백 명", "총삼만원"),
        *("삼 점 오", "영 점 오입니다", "삼분의 일", "둘째", "세 번째", "한 번"),
        *(
            "이십일",
            "이십이 정답입니다",
            "가격은 삼만 오천",
            "10만 오천 원",
            "삼일 걸립니다",
            "두 회사입니다",
            "하나입니다만",
        ),
    ],
)
def test_number_words_with_two_readings_are_doubtful(text: str) -> None:
    found = read(text)
    assert found
    assert set(found) == {None}


@pytest.mark.parametrize(
    "text",
    [
        *("모르겠습니다", "네, 알겠습니다", "이 점 양해 부탁드립니다", "이번 달은 모릅니다", "사원입니다", "사이다"),
        *("만일 원하시면", "만약 안 되면", "천천히 오세요", "일이 많습니다", "일본 사람입니다", "열심히 하겠습니다"),
        *("이 제품은 만족합니다", "넷플릭스", "구조", "세계 여행", "일반적으로 가능합니다", "오늘은 화요일이에요"),
    ],
)
def test_words_that_only_begin_like_numbers_state_none(text: str) -> None:
    assert read(text) == []


@settings(deadline=None)
@given(st.integers(1, 10**16 - 1), st.booleans(), st.sampled_from(["", " "]))
def test_a_number_spelled_in_korean_words_is_read_back(number: int, ones: bool, blank: str) -> None:
    parts = []
    for scale, name in ((10**12, "조"), (10**8, "억"), (10**4, "만"), (1, "")):
        spelled = ""
        for place, unit in ((3, "천"), (2, "백"), (1, "십"), (0, "")):
            digit = number // scale // 10**place % 10
            if digit:
                spelled += ("일이삼사오육칠팔구"[digit - 1] if digit > 1 or ones or not unit else "") + unit
        if spelled:
            parts.append(spelled + name)
    assert read(f"{blank.join(parts)} 달러") == [Decimal(number)]


def test_a_right_answer_in_words_counts_and_a_doubtful_one_is_no_zero(score_of: ScoreOf) -> None:
    assert score_of(Numeric(), "삼만 오천 원입니다", "35,000원").value == 1.0
    assert score_of(Numeric(), "서른 개", "30개").value == 1.0
    assert score_of(Numeric(), "서른 개", "31개").value == 0.0
    assert score_of(Numeric(), "30개", "서른 개").value == 1.0
    assert score_of(Numeric(unit="원"), "만 오천 원", "15,000원").value == 1.0
    for doubtful in ("서른이 맞아요", "삼십에서 사십 명", "한두 개"):
        assert score_of(Numeric(), doubtful, "30").reason == reasons.AMBIGUOUS
    assert score_of(Numeric(), "한 번 더 말씀드리면 30개입니다", "30").value == 1.0  # digits state it clearly


@pytest.mark.parametrize("syllables", ["이", "만 ", "하나", "한두 개 ", "삼만 오천 원 ", "수백"])
def test_a_megabyte_of_number_words_is_read_in_one_walk(syllables: str) -> None:
    assert numbers(syllables * (300_000 // len(syllables)))  # again from each word it would take hours


def test_one_unit_is_written_in_several_ways(score_of: ScoreOf) -> None:
    assert score_of(Numeric(unit="원"), "₩35,000", "35,000원").value == 1.0
    assert score_of(Numeric(unit="원"), "￦35,000 또는 30달러", "35,000원").value == 1.0
    assert score_of(Numeric(unit="₩"), "35,000원", "₩35,000").value == 1.0
    assert score_of(Numeric(unit="$"), "30달러", "$30").value == 1.0
    assert score_of(Numeric(unit="%"), "오 퍼센트", "5%").value == 1.0
    assert score_of(Numeric(unit="원"), "$35,000", "35,000원").value == 0.0


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
    assert score_of(Numeric(), "3", "서너 개").reason == reasons.MISSING_REFERENCE
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
