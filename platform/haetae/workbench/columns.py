"""Tables of plain text: aligned columns, in which a wide character (Korean) takes two places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from unicodedata import combining, east_asian_width


def aligned(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """One line for the header and one for each row, two spaces between columns."""
    body = [header, *rows]
    widths = [max(_width(row[i]) for row in body) for i in range(len(header))]
    return ["  ".join(map(_padded, row, widths)).rstrip() for row in body]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)
