"""What every text metric does first: one form of Unicode, references that say something, a script.

The same Korean sentence typed on a Mac may arrive decomposed (NFD). Compared as it is, it shares
nothing with its composed twin, so both sides are brought to NFC before anything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import regex  # type: ignore[import-untyped]  # ships no types

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.normal_form import normal_form
from haetae.core.sample import Sample
from haetae.core.score import Score

Script = Literal["hangul", "kana", "han", "unspaced", "other"]

EMPTY_OUTPUT = "the output is empty"
_ROUND_OFF = 1e-9
_PIECE = 20_000

UNSPACED = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
"""Scripts other than Han and kana that are written without spaces between words."""

CLUSTER = r"(?:\p{RI}{2}(?![\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}])|\X)"
r"""What a reader sees as one character: an extended grapheme cluster of UAX #29, for the package regex.

It is `\X`, but that counts all regional indicators before each flag: a long row of flags takes quadratic time."""

HALF = regex.compile(r"[\ud800-\udfff]")
"""Half of a surrogate pair, which an escape of JSON may leave in a text: no character, and no library in C takes it."""

_LETTER = regex.compile(r"\p{L}")
_SCRIPTS: tuple[tuple[Script, regex.Pattern[str]], ...] = (
    ("kana", regex.compile(r"[\p{Hiragana}\p{Katakana}]")),
    ("hangul", regex.compile(r"\p{Hangul}")),
    ("han", regex.compile(r"\p{Han}")),
    ("unspaced", regex.compile(rf"[{UNSPACED}]")),
)


def nfc(text: str) -> str:
    """The text in Unicode's composed form."""
    return normal_form("NFC", text)


def references(sample: Sample) -> tuple[str, ...]:
    """The references that hold more than blanks, in NFC."""
    return tuple(nfc(reference) for reference in sample.references if reference.strip())


def no_reference() -> Score:
    """The score of a sample whose references are all blank: nothing to compare with is not a zero."""
    return Score.unscored(reasons.MISSING_REFERENCE, "every reference is blank")


def contexts(sample: Sample, generation: Generation) -> tuple[str, ...]:
    """The passages that the answer rests on (`Generation.passages`), without blank ones, in NFC."""
    return tuple(nfc(passage) for passage in generation.passages(sample) if passage.strip())


def script_of(text: str) -> Script:
    """The script that decides how a text is cut into tokens.

    The first of kana, Hangul, Han and the other unspaced scripts that writes at least a quarter of
    the letters: Korean with English product names is Korean, English that quotes a name is not.
    """
    if text.isascii():
        return "other"
    letters = len(_LETTER.findall(text))
    for script, pattern in _SCRIPTS:
        if letters and len(pattern.findall(text)) * 4 >= letters:
            return script
    return "other"


def pieces(text: str) -> Iterator[str]:
    """The text in pieces of at most 20,000 characters, cut after a blank or an ideographic full stop.

    For analysers that hold the interpreter, and much memory, until they have read all that they were given.
    """
    start = 0
    while len(text) - start > _PIECE:
        last = max(text.rfind(mark, start, start + _PIECE) for mark in "\n 。")
        end = last + 1 if last > start else start + _PIECE
        yield text[start:end]
        start = end
    yield text[start:]


def settle(value: float, low: float, high: float) -> float:
    """Take back what rounding added beyond a bound (100.00000000000004); anything more stays as it is."""
    if high < value <= high + _ROUND_OFF:
        return high
    if low - _ROUND_OFF <= value < low:
        return low
    return value
