"""How commands print: text for people, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from typing import TYPE_CHECKING
from unicodedata import category

import click

from haetae.core.canonical import Json
from haetae.workbench.columns import aligned

if TYPE_CHECKING:
    from haetae.workbench.report import Report

_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """Text for a terminal: what would move its cursor, change its colours or turn its direction is escaped."""
    return "".join(
        letter if letter in "\n\t" or not (category(letter) in ("Cc", "Cs") or letter in _BIDI) else ascii(letter)[1:-1]
        for letter in text
    )


class Plain(TextIOWrapper):
    """A stream to a terminal: every text goes through `plain`."""

    def write(self, text: str, /) -> int:
        """Write the text; how a line of CSV ends is a line's end."""
        return super().write(plain(text.replace("\r\n", "\n")))


def print_json(value: Json) -> None:
    """One JSON document on standard output, indented; text that UTF-8 cannot hold is written with escapes."""
    import orjson

    try:
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        text = json.dumps(value, indent=2)
    click.echo(text)


def print_report(report: Report, as_json: bool) -> None:
    """A report in either form."""
    if as_json:
        print_json(report.as_json())
    else:
        click.echo(plain(report.text))


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Aligned columns; a wide character (Korean) takes two places."""
    for line in aligned(header, ([plain(str(cell)) for cell in row] for row in rows)):
        click.echo(line)
