"""Why a verdict is overruled: words that people can read, or it is no reason."""

from __future__ import annotations

from unicodedata import category

_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs that show nothing: the fillers of Hangul, and Braille without a dot."""


def given(reason: str | None) -> str | None:
    """The reason on one line; None where nothing of it is to be seen."""
    if reason is None or not any(map(_is_seen, reason)):
        return None
    return " ".join(reason.split())


def _is_seen(letter: str) -> bool:
    """Whether it is a letter, a mark of punctuation, a figure or a sign that shows."""
    return category(letter)[0] in "LNPS" and letter not in _BLANK
