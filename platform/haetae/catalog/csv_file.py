"""CSV by RFC 4180: quoted fields may hold line ends; the header names the columns and the delimiter.

Columns are `input`, `reference`, `id`, `metadata.<key>`, and, as JSON, `references`, `contexts`,
`reference_contexts`, `relevant`, `tool_calls` and `metadata`. An empty cell is nothing. Everything else is text.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from haetae.catalog.explain import nearest
from haetae.catalog.jsonl import parse_json
from haetae.catalog.lines import LIMIT_MESSAGE, MAX_ROW, TooLong, read_lines
from haetae.catalog.rows import FIELDS, BadRow, Fault
from haetae.core.canonical import Json
from haetae.errors import DatasetError, Problem

_JSON_COLUMNS = frozenset({"references", "contexts", "reference_contexts", "relevant", "tool_calls", "metadata"})
_COLUMNS = f"{', '.join(sorted(FIELDS - {'metadata'}))} and metadata.<key>"
_NOTHING = frozenset({"nan", "NaN", "None", "null", "NULL", "<NA>"})
"""What tables write into a cell for nothing; as an `input` it is missing."""


class _BadLine(Exception):
    """A line that cannot be decoded, or is over the limit."""


def read_csv(path: Path, file: str) -> Iterator[tuple[int, Json | BadRow]]:
    """(line where the row starts, the row as an object, or why there is none).

    Raises DatasetError for a header that names no input, an unknown column, or one column twice.
    """
    csv.field_size_limit(MAX_ROW)
    lines = _Lines(path, file)
    try:
        header_line = next(lines, "")
    except _BadLine as exc:
        raise DatasetError(Problem(str(exc), file=file, line=1)) from None
    delimiter = max(",;\t", key=header_line.count)
    try:
        header = next(csv.reader([header_line], delimiter=delimiter), [])
    except csv.Error as exc:
        hint = "; its lines end in CR alone: save it with LF or CRLF" if "\r" in header_line.rstrip("\r\n") else ""
        raise DatasetError(Problem(f"not CSV: {exc}{hint}", file=file, line=1)) from None
    _check_header(header, file)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        start = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _BadLine as exc:
            yield lines.number, BadRow([("", str(exc))])
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
        except csv.Error as exc:
            yield start, BadRow([("", f"not CSV: {exc}")])
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
        else:
            if cells:
                yield start, _row(header, cells)


class _Lines:
    """Decoded lines with their ends, counting them."""

    def __init__(self, path: Path, file: str) -> None:
        self._lines = read_lines(path, file, keep_ends=True)
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        if isinstance(line, TooLong):
            raise _BadLine(LIMIT_MESSAGE)
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise _BadLine(f"not UTF-8 at byte {exc.start} of the line; save as UTF-8") from None


def _check_header(header: list[str], file: str) -> None:
    problems = []
    for index, column in enumerate(header):
        known = column in FIELDS or (column.startswith("metadata.") and len(column) > len("metadata."))
        if not known:
            hint = nearest(column, FIELDS) or f"; there are {', '.join(sorted(FIELDS))} and metadata.<key>"
            problems.append(Problem(f"unknown column {column!r}{hint}", file, 1, index + 1, column or None))
        elif column in header[:index]:
            problems.append(Problem(f"column {column!r} stands twice", file, 1, index + 1, column))
    if "input" not in header:
        problems.append(Problem(f"no column is called input; there are {', '.join(header) or 'none'}", file, 1))
    if problems:
        raise DatasetError(problems)


def _row(header: list[str], cells: list[str]) -> Json | BadRow:
    if len(cells) != len(header):
        return BadRow([("", f"the row has {len(cells)} columns, the header has {len(header)}")])
    if sum(map(len, cells)) > MAX_ROW:
        return BadRow([("", LIMIT_MESSAGE)])
    row: dict[str, Json] = {}
    metadata: dict[str, Json] = {}
    faults: list[Fault] = []
    for column, cell in zip(header, cells, strict=True):
        if not cell or (column == "input" and cell in _NOTHING):
            continue
        if column.startswith("metadata."):
            metadata[column.removeprefix("metadata.")] = cell
        elif column in _JSON_COLUMNS:
            try:
                row[column] = parse_json(cell.encode("utf-8"))
            except BadRow as bad:
                faults.append((column, f"expected a JSON list or mapping: {bad.faults[0][1]}"))
        else:
            row[column] = cell
    if isinstance(of_all := row.get("metadata", {}), dict) and metadata:
        row["metadata"] = of_all | metadata
    return BadRow(faults) if faults else row
