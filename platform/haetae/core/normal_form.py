"""A text in one of Unicode's normal forms, in time that grows with its length and no faster.

The standard library brings the marks after a letter into their order by insertion: two kinds of mark in turn, 100,000
of them, hold the interpreter for a minute. The order is a stable sort by combining class (UAX #15, D109), so a long
run of marks is sorted first, and the form is the same, character by character.
"""

from __future__ import annotations

import unicodedata
from itertools import groupby
from typing import Literal

import regex  # type: ignore[import-untyped]  # ships no types

Form = Literal["NFC", "NFKC"]

_MARKS = regex.compile(r"[\p{M}\uff9e\uff9f]{31,}+")
"""Over 30 marks, more than any language writes (the Stream-Safe Text Format of UAX #15), so fewer cost nothing.

The half-width voiced sound marks of kana, letters by themselves, are marks in NFKC."""


def normal_form(form: Form, text: str) -> str:
    """The text in a normal form."""
    return text if text.isascii() else unicodedata.normalize(form, _MARKS.sub(lambda run: _sorted(form, run[0]), text))


def _sorted(form: Form, marks: str) -> str:
    """The marks taken apart and in canonical order. One of class 0 begins anew, and nothing is moved past it."""
    apart = "".join(unicodedata.normalize("NFKD" if form == "NFKC" else "NFD", mark) for mark in marks)
    runs = groupby(apart, key=lambda mark: unicodedata.combining(mark) > 0)
    return "".join("".join(sorted(run, key=unicodedata.combining) if moves else run) for moves, run in runs)
