"""Plain score files: one JSON object a line, read strictly, and as columns where every row is plain."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Sequence
from itertools import filterfalse
from math import isfinite
from pathlib import Path
from typing import Any

from haetae.catalog.rows import BadRow
from haetae.catalog.scores.blocks import read_blocks
from haetae.catalog.scores.gathering import MAX_PROBLEMS, NO_TAGS, Gathering
from haetae.catalog.scores.line import FIELDS, MAX_REPEAT, NEEDED, name_fault, row_of, tag_faults
from haetae.core.canonical import Json, dumps, loads
from haetae.core.score_columns import ScoreColumns
from haetae.errors import DatasetError, Problem

_NUMBERS = frozenset({float, int, type(None)})


def read_scores(path: Path, file: str) -> ScoreColumns:
    """Read `{"id", "metric", "score": number or null, "sample": 0, "cluster": "doc3", "tags": {"lang": "ko"}}`
    a line; `sample` numbers the repeats, `reason` may say why a score is null. `file` is its name in messages.

    Streamed, a few dozen bytes a row kept; .gz is unpacked. Raises DatasetError naming file, line and field:
    a row that is none of these, NaN or Infinity, a score that stands twice, a sample of two clusters;
    NoSamplesError for a file without a score. At most twenty problems are told at once.
    """
    gathering, problems = Gathering(file), list[Problem]()
    for first, block in read_blocks(path, file):
        rows = parse_block(block)
        if rows is None or not take_rows(rows, range(first, first + len(rows)), gathering):
            problems += _look_closer(first, block, gathering, file)
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        raise DatasetError(problems[:MAX_PROBLEMS])
    return gathering.columns()


def _look_closer(first: int, block: bytes, gathering: Gathering, file: str) -> list[Problem]:
    """Take a block row by row, and say what is wrong with which."""
    rows, problems = [], []
    for number, line in enumerate(block.split(b"\n"), first):
        try:
            row = row_of(number, line)
        except BadRow as bad:
            problems += [Problem(text, file, number, field=field or None) for field, text in bad.faults]
        else:
            rows += [row] if row is not None else []
    if rows:
        gathering.add_rows(rows)
    return problems


def take_rows(rows: Sequence[Json], lines: Sequence[int], gathering: Gathering) -> bool:
    """Take parsed rows that are all plainly sound, column by column; False leaves them for a closer look.

    Millions of rows pass here: what is looked at one by one is only what occurs for the first time.
    """
    if set(map(type, rows)) != {dict}:
        return False
    fields = rows[0].keys()
    if set(map(len, rows)) != {len(fields)}:
        fields = set().union(*set(map(tuple, rows)))
    if not NEEDED <= fields <= FIELDS:
        return False
    try:
        ids, metrics, scores = ([row[name] for row in rows] for name in ("id", "metric", "score"))
        repeats, clusters, reasons, tags = _columns(rows, fields)
    except (KeyError, TypeError, AttributeError):
        return False
    if type(ids[0]) is int and set(map(type, ids)) == {int}:
        ids = list(map(str, ids))
    sound = (
        _are_names(ids, gathering.ids)
        and _are_names(metrics, gathering.metrics)
        and ("cluster" not in fields or _are_names(filter(_is_given, clusters), gathering.clusters))
        and _are_finite(scores)
        and ("sample" not in fields or _are_repeats(repeats))
        and ("reason" not in fields or set(map(type, reasons)) == {str})
    )
    if sound:
        gathering.add(ids, metrics, scores, repeats, clusters, tags, reasons, lines)
    return sound


def parse_block(block: bytes) -> list[Json] | None:
    """All lines as one JSON array, several times as fast as each by itself; None where a line is not one object."""
    try:
        rows: list[Json] = loads(b"[" + block.replace(b"\n", b",") + b"]")
    except ValueError:
        return None
    ends = block.count(b"\n")
    return rows if block.startswith(b"{") and block.count(b"\n{") == ends == len(rows) - 1 else None


def _columns(rows: Sequence[Json], fields: Collection[str]) -> tuple[list[Any], list[Any], list[Any], list[str]]:
    """Repeats, clusters, reasons and tags (as canonical JSON), where they are not given as if they were."""

    def column(name: str, default: Any) -> list[Any]:
        if name not in fields:
            return [default] * len(rows)
        return [default if (value := row.get(name)) is None else value for row in rows]

    tags = _Tags()
    given = [tags[tuple(one.items())] for one in column("tags", {})] if "tags" in fields else [NO_TAGS] * len(rows)
    return column("sample", 0), column("cluster", None), column("reason", ""), given


class _Tags(dict[Any, str]):
    """Canonical JSON of tags by their items; each is looked at once, and a TypeError where it is no tag."""

    def __missing__(self, items: Any) -> str:
        if tag_faults(dict(items)):
            raise TypeError
        self[items] = text = dumps(dict(items))
        return text


def _are_names(texts: Iterable[Any], known: Container[Any]) -> bool:
    """Whether all that is new among them can be a name; nothing but text is ever known."""
    try:
        new = set(filterfalse(known.__contains__, texts))
    except TypeError:  # a list
        return False
    return all(type(text) is str and name_fault(text) is None for text in new)


def _is_given(value: Any) -> bool:
    return value is not None


def _are_repeats(numbers: Sequence[Any]) -> bool:
    return set(map(type, numbers)) == {int} and 0 <= min(numbers) <= max(numbers) <= MAX_REPEAT


def _are_finite(scores: Sequence[Any]) -> bool:
    try:
        return set(map(type, scores)) <= _NUMBERS and all(map(isfinite, filter(None, scores)))
    except OverflowError:  # a whole number too large for a float
        return False
