"""How commands print: text for people, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from unicodedata import category, east_asian_width

import click

from haetae.core.canonical import Json
from haetae.workbench.report import Report

_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """Text for a terminal: what would move its cursor, change its colours or turn its direction is escaped."""
    return "".join(
        letter if letter in "\n\t" or not (category(letter) in ("Cc", "Cs") or letter in _BIDI) else ascii(letter)[1:-1]
        for letter in text
    )


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
    body = [[plain(str(cell)) for cell in row] for row in (header, *rows)]
    widths = [max(_width(row[i]) for row in body) for i in range(len(header))]
    for row in body:
        cells = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _width(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
