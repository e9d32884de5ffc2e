"""Korean number words, Sino-Korean and native: each is read exactly or said to be doubtful.

Almost every syllable of a number is a word of its own as well (이 this, 일 work, 만 only, 열 heat), so a numeral is
read only where it cannot be anything else:

    삼만 오천 원, 서른 개     before a counter, after which the word ends or a particle follows
    오 분, 두 번, 만 원       a single digit or a single unit too, where a blank stands before the counter
    답은 십오입니다           before the copula
    서른                     as the whole text

Doubtful are numerals in any other place, approximate ones (한두, 서너, 삼십여, 수백), decimals and fractions in words
(삼 점 오, 삼분의 일), ordinals (둘째), `한 번`, and what can be read as two numbers (이십일: 21, or 20 days). Where one
number word of a text is doubtful, all are. `이 점`, `이 분`, `이 번` and their like are "this", and words such as
사원 or 이번 that only look like a number state none.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import regex  # type: ignore[import-untyped]  # ships no types

_DIGITS = {"일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "륙": 6, "칠": 7, "팔": 8, "구": 9}
_WITHIN = {"십": 10, "백": 100, "천": 1000}
_BEYOND = {"만": 10**4, "억": 10**8, "조": 10**12}
_TENS = {"열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40} | {
    "쉰": 50,
    "예순": 60,
    "일흔": 70,
    "여든": 80,
    "아흔": 90,
}
_BEFORE_A_NOUN = {"한": 1, "두": 2, "세": 3, "석": 3, "네": 4, "넉": 4}
_ALONE = {"하나": 1, "둘": 2, "셋": 3, "넷": 4}
_ONES = _BEFORE_A_NOUN | _ALONE | {"다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9}
_PLAIN = frozenset(("다섯", "여섯", "일곱", "여덟", "아홉", *_TENS)) - {"열", "쉰"}
"""Words that are nothing but numbers."""

_WORDS = sorted(("영", *_DIGITS, *_WITHIN, *_BEYOND, *_TENS, *_ONES), key=len, reverse=True)
_RUN = regex.compile(
    rf"(?<![가-힣\d])(?<about>[수몇약총단])?+(?<word>{'|'.join(_WORDS)})(?:\s?+(?<word>{'|'.join(_WORDS)}))*+"
)
_MOST_WORDS = 32
_SCALES = frozenset((*_WITHIN, *_BEYOND))
_NO_SCALE = 10**16
_COUNTED = "counted"
_NO_ANSWER = frozenset(("네", "만", "천", "백", "억", "조"))
"""Words that say something else where they are the whole text."""
_COUNTER = (
    "개월|개|명|인분|인|사람|분(?!의)|살|세|시간|시|초|년|월|일|주일|주|달러|달|번|회|차례|권|장|마리|대|병|잔|그릇|채|"
    "켤레|벌|가지|점(?!\\s?[영일이삼사오육칠팔구])|층|호|배|쪽|페이지|자리|줄|건|곳|군데|송이|그루|통|봉지|상자|박스|세트|판|"
    "조각|원|엔|유로|위안|퍼센트|프로|킬로그램|킬로미터|센티미터|밀리미터|밀리리터|미터|킬로|그램|리터|톤|평|도|"
    "학년|학기|단계|과목|문제|문항"
)
_END = r"(?:(?![가-힣])|(?=[은는이가을를의에와과도만로으부까쯤정입예였인며고씩당짜뿐밖보마미초어나라랑다]))"
_COPULA = regex.compile(r"(?:입니다|이다|이에요|예요|이며|이고|임)(?![가-힣])")
_ORDER = regex.compile(rf"째|{_END}")
_REST = regex.compile(r"(?:입니다|이다|이에요|예요|요)?\P{L}*")
_LETTER = regex.compile(r"[\p{L}\p{N}]")
_NOUN = regex.compile(r"\s[가-힣]")
_ROUND = regex.compile(r"(?<![가-힣])(?:두서너|서너|너덧|네댓|대여섯|예닐곱|일고여덟|여남은|몇)\s?[가-힣]")
_PARTS = regex.compile(r"\s?(?:점\s?[영일이삼사오육칠팔구]|분의)")
_JOINED = frozenset(["개", "개월", "명", "달", "시간", "가지", "마리", "잔", "병", "사람", "살", "그릇", "곳", "군데"])
"""Counters that 한, 두, 세 and 네 are often written together with, and that make no other word then."""
_NOT_THIS = frozenset(["개월", "년", "학년", "학기", "인분", "퍼센트", "달러", "원", "그램", "킬로그램"]) | {
    "미터",
    "센티미터",
    "킬로미터",
    "리터",
}
_THIS = frozenset(
    ["점", "분", "번", "사람", "인", "건", "곳", "일", "주", "달", "문제", "문항", "단계", "가지", "판", "대"]
)
_OTHER_WORDS = regex.compile(
    "구조|구이|오이|사이|이번|이분|이점|이인|이주|이대|이장|이호|이판|이도|이달|이건|이곳|이시|사장|사원|사회|사인|사건|사도|사판|사시|사세|"
    "구분|구원|구인|구도|구호|구판|일인|일대|일정|일장|일부|일도|일주|일시|일세|일건|일회|오인|오판|오도|오일|오월|"
    "세대|세배|세월|세도|세판|세인|네이|두통|두도|만인|만도|만일|만점|만회|만세|만년|천대|천장|천도|천년|천일|천주|백인|백도|"
    "백일|십분|십대|한시|한층|한도|한때|한판|한장|한대|한인|한달|한점|한회|한통"
)


def number_words(text: str, unit: str | None = None) -> list[tuple[Decimal | None, int, int]]:
    """(value, start, end) of every number word of a normalised text, in order; the value is None where it is doubtful.

    `unit` counts as one more counter.
    """
    if text.isascii():
        return []
    own = "" if unit is None else f"|{regex.escape(unit)}"
    counter = regex.compile(rf"(?<blank>\s?)(?<counter>{_COUNTER}{own}){_END}")
    found = [(None, *match.span()) for match in _ROUND.finditer(text)]
    for run in _RUN.finditer(text):
        found += _Run(text, run, counter).numerals()
    if any(value is None for value, _, _ in found):
        return sorted({(None, start, end) for _, start, end in found}, key=lambda one: one[1:])
    return found


class _Run:
    """Number words that stand together, blanks between them or none."""

    def __init__(self, text: str, run: regex.Match[str], counter: regex.Pattern[str]) -> None:
        self._text, self._span, self._counter = text, run.span(), counter
        self._about = run["about"]
        self._spans = run.spans("word")
        self._words = [text[start:end] for start, end in self._spans]

    def numerals(self) -> list[tuple[Decimal | None, int, int]]:
        """The numeral that begins with the first word or, where that makes none, with a later one."""
        if len(self._words) > _MOST_WORDS:
            return [(None, *self._span)]
        for first in range(len(self._words)):
            if first and self._spans[first - 1][1] == self._spans[first][0]:
                continue  # inside a word
            if first and _alike(self._words[first - 1], self._words[first]):
                break  # 삼 사 일, 한 두 개: about so many
            ends = {last: how for last in range(first, len(self._words)) if (how := self._ended(first, last))}
            if ends:
                last = max(ends)
                exact = (len(ends) == 1 or ends[last] == _COUNTED) and self._about is None
                value = _value(self._words[first : last + 1]) if exact else None
                return [(value, self._spans[first][0], self._spans[last][1])]
        return [(None, *self._span)] if self._is_numberlike() else []

    def _ended(self, first: int, last: int) -> str | None:
        """What makes a numeral of these words: a counter, the copula, or that they are the whole text."""
        words, end = self._words[first : last + 1], self._spans[last][1]
        value = _value(words)
        if value is None:
            return None
        single = words[0] if len(words) == 1 and words[0] not in _PLAIN else None
        if self._is_whole(first, end) and single not in _NO_ANSWER:
            return "whole"
        if _COPULA.match(self._text, end):
            return "stated" if single is None or single in _ALONE else None
        counter = self._counter.match(self._text, end)
        if counter is None or (counter["counter"] == "시" and value > 24):
            return None
        counts = single is None or _counts(single, counter["counter"], joined=not counter["blank"])
        return _COUNTED if counts else None

    def _is_whole(self, first: int, end: int) -> bool:
        start = self._spans[first][0]
        alone = not _LETTER.search(self._text, 0, start) and _REST.fullmatch(self._text, end) is not None
        return alone and not _OTHER_WORDS.match(self._text, start)

    def _is_numberlike(self) -> bool:
        """Whether words that make no clear numeral may state a number all the same."""
        text, words, ends = self._text, self._words, [end for _, end in self._spans]
        if _OTHER_WORDS.match(text, self._spans[0][0]):
            return False
        if any(word in _PLAIN for word in words) or any(_makes(one, other) for one, other in pairwise(words)):
            return True
        if any(word in _ALONE and _ORDER.match(text, end) for word, end in zip(words, ends, strict=True)):
            return True
        if (words[-1] in ("두", "세") and _NOUN.match(text, ends[-1])) or (
            self._about in ("수", "몇") and words[0] in _SCALES
        ):
            return True
        if _PARTS.match(text, ends[-1]) or _COPULA.match(text, ends[-1]):
            return True
        counters = [self._counter.match(text, end) for end in ends]
        return any(
            counter is not None and not (word == "이" and counter["blank"] and counter["counter"] in _THIS)
            for word, counter in zip(words, counters, strict=True)
        )


def _counts(word: str, counter: str, *, joined: bool) -> bool:
    """Whether a single word, which is another one as well, is a number before this counter."""
    if word in _ALONE or (word, counter) == ("한", "번") or (word in _SCALES and counter == "세"):
        return False
    if joined:
        return counter in _JOINED if word in _ONES else word in ("만", "천") and counter == "원"
    return counter in _NOT_THIS if word == "이" else word not in ("영", "억", "조")


def _makes(one: str, other: str) -> bool:
    """Whether two words next to one another make a number: 삼만, 십오, 천만, 한두."""
    if one in _DIGITS:
        return other in _SCALES
    return (one in _WITHIN and one != other and (other in _SCALES or (one == "십" and other in _DIGITS))) or (
        one in _ONES and other in _ONES
    )


def _alike(one: str, other: str) -> bool:
    return (one in _DIGITS and other in _DIGITS) or (one in _ONES and other in _ONES)


def _value(words: list[str]) -> Decimal | None:
    """The number that the words make, largest unit first; None where they make none."""
    if words == ["영"]:
        return Decimal(0)
    total = section = digit = 0
    beyond = within = _NO_SCALE
    for place, word in enumerate(words):
        if word in _DIGITS:
            if digit or within == 1:
                return None
            digit = _DIGITS[word]
        elif word in _WITHIN:
            if _WITHIN[word] >= within:
                return None
            section, digit, within = section + (digit or 1) * _WITHIN[word], 0, _WITHIN[word]
        elif word in _BEYOND:
            if _BEYOND[word] >= beyond or (not section + digit and place):
                return None
            total += (section + digit or 1) * _BEYOND[word]
            section, digit, beyond, within = 0, 0, _BEYOND[word], _NO_SCALE
        else:
            tail = _native(words[place:])
            whole = digit == 0 and (section + total) % 100 == 0 and words[:place] != ["만"]
            return Decimal(total + section + tail) if tail is not None and whole else None
    return Decimal(total + section + digit)


def _native(words: list[str]) -> int | None:
    """A native number below a hundred: 스물, 스물다섯, 다섯."""
    match words:
        case [one] if one in _TENS or one in _ONES:
            return _TENS.get(one) or _ONES[one]
        case [ten, one] if ten in _TENS and one in _ONES and ten != "스무":
            return _TENS[ten] + _ONES[one]
    return None
