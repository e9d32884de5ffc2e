"""The numbers that a text states, each with its value and its unit; what could be two numbers is said to be.

The text is brought to NFKC, so that full-width digits are digits, and the digits of every script are read.
A number is, by rule:

    1,234.5     digits, commas only as separators of thousands, one point before decimals, an exponent
    -3  −3 -$3  a sign where nothing that belongs to a word stands before it, also before a currency
    3만 5천      Korean and Chinese-Japanese numerals after digits, largest first: 십 백 천 만 억 조, 十 百 千 万 億 兆
    2.5 million thousand, million, billion and trillion multiply

Digits inside a word (GPT-4o, Q3, 코로나-19) state no number. Dates, times, ranges, fractions and versions (2026-11-26,
10:30, 3-5, 1/2, 1.2.3), decimal commas (3,5), exponents (10², 3×10^5), per mille, abbreviated multiples (1.2M, 5k) and
others (5 hundred) can be read in more than one way: they are doubtful. Of numbers in Korean words see
`haetae.metrics.form.number_words`.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal

import regex  # type: ignore[import-untyped]  # ships no types

from haetae.core.normal_form import normal_form
from haetae.metrics.form.number_words import number_words

_WITHIN = {"십": 10, "백": 100, "천": 1000, "十": 10, "百": 100, "千": 1000}
_BEYOND = {"만": 10**4, "억": 10**8, "조": 10**12, "万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8, "兆": 10**12}
_WORDS = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SCALES = "".join((*_WITHIN, *_BEYOND))
_NO_SCALE = 10**16

_DIGITS = r"(?:\d{1,3}(?:,\d{3})++|\d++)(?:\.\d++)?+"
"""Nothing is given back once it is read: no part that may follow begins as a part of it ends, and time stays linear."""
_CHUNK = regex.compile(
    rf"(?<numeral>(?<![\p{{Latin}}\p{{N}}_.,/:^⁄-])[-+]?{_DIGITS}[{_SCALES}]+"
    rf"(?:\s?{_DIGITS}[{_SCALES}]+)*(?:\s?\d[\d,]*)?)"
    r"|(?<chunk>[\p{Latin}\p{N}_+.,/:^⁄-]++)"  # taken whole: a long word costs one walk
)
_PART = regex.compile(rf"({_DIGITS})([{_SCALES}]*)\s?")
_PLAIN = regex.compile(rf"(?<number>[-+]?{_DIGITS}(?:[eE][-+]?\d{{1,3}})?)(?<unit>\p{{Latin}}*)")
_DIGIT = regex.compile(r"\d")
_LETTER = regex.compile(r"\p{L}")
_MULTIPLE = regex.compile(r"k|m|mn|b|bn|t|tn", regex.IGNORECASE)
_WORD = regex.compile(r"\s(thousand|million|billion|trillion)\b", regex.IGNORECASE)
_OWED = regex.compile(r"(?<![\p{L}\p{N}])-\p{Latin}{0,3}\p{Sc}")
_POWER = regex.compile(r"\s?(?:[×·∙⋅*]|\\times|\\cdot)\s?10(?:\^|\*\*)")
_UNREAD = regex.compile(
    r"\s?[‰‱]|\s(?:hundreds?|dozens?|thousands|millions|billions|trillions|quadrillions?|lakhs?|crores?)\b",
    regex.IGNORECASE,
)
_RAISED = regex.compile(r"[\p{No}--[①-⓿❶-➓㉈-㉏㉑-㉟㊱-㊿]]", regex.V1)
"""Exponents, indices and fractions of one character (², ½), of which NFKC would make further digits."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a text: its value, None where it is doubtful, its place, and the text as it stands there."""

    value: Decimal | None
    start: int
    end: int
    text: str


def normalised(text: str) -> str:
    """The text in NFKC, with the digits of every script as ASCII's and one sign for minus."""
    text = normal_form("NFKC", _RAISED.sub(r"^\g<0>", text)).replace("−", "-")
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in text)


def numbers(text: str, unit: str | None = None) -> list[Number]:
    """Every number of a normalised text, in order; digits that belong to a word are left out.

    `unit` is one that is known to be meant, so that `5m` beside it are no millions. Korean number words are read by
    `haetae.metrics.form.number_words`; doubtful ones count only where no digits state a number.
    """
    found = []
    for match in _CHUNK.finditer(text):
        number = _numeral(match) if match["numeral"] else _plain(match, text, unit)
        if number is not None:
            found.append(_around(text, number, unit))
    said = [Number(value, start, end, text[start:end]) for value, start, end in number_words(text, unit)]
    return _together(text, found, said) if said else found


def _together(text: str, digits: list[Number], words: list[Number]) -> list[Number]:
    """Digits and words in order. `10만 오천`, half in digits and half in words, is doubtful as a whole."""
    found = list[tuple[Number, bool]]()
    both = [*((number, False) for number in digits), *((number, True) for number in words)]
    for number, spelled in sorted(both, key=lambda one: one[0].start):
        before, before_spelled = found[-1] if found else (number, spelled)
        touches = text[before.end : number.start] in ("", " ")
        if spelled != before_spelled and touches and len(number.text) > 1:
            found[-1] = (Number(None, before.start, number.end, text[before.start : number.end]), False)
        else:
            found.append((number, spelled))
    clear = any(number.value is not None for number, spelled in found if not spelled)
    return [number for number, spelled in found if number.value is not None or not spelled or not clear]


def _numeral(match: regex.Match[str]) -> Number:
    """`1억 2,345만 6천`: parts, each smaller than the one before it, else doubtful."""
    start, end = match.span()
    written = match["numeral"]
    doubtful = Number(None, start, end, written)
    if match.string.endswith("제", 0, start):  # 제10조 is an article of a law
        return doubtful
    total = section = Decimal(0)
    beyond = within = _NO_SCALE
    for digits, scales in _PART.findall(written.lstrip("+-")):
        part = Decimal(digits.replace(",", ""))
        for scale in scales:
            if scale in _BEYOND:
                if _BEYOND[scale] >= beyond:
                    return doubtful
                total += (section + part) * _BEYOND[scale]
                beyond, within, section = _BEYOND[scale], _NO_SCALE, Decimal(0)
            elif not part or _WITHIN[scale] >= within:
                return doubtful
            else:
                section += part * _WITHIN[scale]
                within = _WITHIN[scale]
            part = Decimal(0)
        if part >= min(beyond, within):
            return doubtful
        section += part
    value = total + section
    return Number(-value if written.startswith("-") else value, start, end, written)


def _plain(match: regex.Match[str], text: str, unit: str | None) -> Number | None:
    chunk = match["chunk"].rstrip(".,:/-+")
    start = match.end() - len(match["chunk"].lstrip(",:/"))
    chunk = chunk.lstrip(",:/")
    if not _DIGIT.search(chunk) or _in_word(chunk, text, start):
        return None
    plain = _PLAIN.fullmatch(chunk)
    scaled = text[start + len(chunk) : start + len(chunk) + 1] in {*_WITHIN, *_BEYOND}
    if plain is None or scaled or (_MULTIPLE.fullmatch(plain["unit"]) and plain["unit"] != unit):
        return Number(None, start, start + len(chunk), chunk)
    value = Decimal(plain["number"].replace(",", ""))
    end = start + len(plain["number"])
    if not plain["unit"] and (word := _WORD.match(text, end)):
        value, end = value * _WORDS[word[1].lower()], word.end()
    return Number(value, start, end, text[start:end])


def _around(text: str, number: Number, unit: str | None) -> Number:
    """The number with the sign before its currency (-$5); doubtful before a multiple that is not read (5‰)."""
    owed = _OWED.search(text, max(number.start - 5, 0), number.start)
    if owed and owed.end() == number.start and number.value is not None and text[number.start].isdigit():
        number = replace(number, value=-number.value, text=text[owed.start() : number.end])
    unread = _POWER.match(text, number.end) or _UNREAD.match(text, number.end)
    if unread is None or unread[0].strip() == unit:
        return number
    return replace(number, value=None, text=number.text + unread[0])


def _in_word(chunk: str, text: str, start: int) -> bool:
    """GPT-4o begins with a letter; in 코로나-19 the hyphen follows one."""
    return chunk[0] == "_" or chunk[0].isalpha() or (chunk[0] in "+-" and bool(_LETTER.match(text, start - 1, start)))
