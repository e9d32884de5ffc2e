"""Rows of Arrow's record batches, a few at a time: Parquet, Arrow files, saved datasets and datasets given.

What a batch says of itself may lie: an offset beyond its text would show foreign memory. So nothing is read from one
that Arrow has not found valid, as a whole or else row by row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from haetae.catalog.lines import LIMIT_MESSAGE, MAX_ROW
from haetae.catalog.plain_row import plain_row
from haetae.catalog.rows import BadRow, Fault
from haetae.core.canonical import Json, dumps
from haetae.errors import DatasetError, Problem

MOST_ROWS = 64
"""How many rows are Python objects at once."""
_UNREADABLE = (ValueError, LookupError, ArithmeticError, NotImplementedError, TypeError)
"""What Arrow raises for a value that is not valid, or has no form in Python."""


def rows_of(batches: Iterable[Any], file: str) -> Iterator[Json | BadRow]:
    """Each row as an object, or why there is none.

    Where rows may be at fault or over the limit they are taken one by one. Raises DatasetError for a column that
    stands twice.
    """
    for batch in batches:
        _check_columns(batch.schema.names, file)
        valid = _is_valid(batch)
        for start in range(0, batch.num_rows, MOST_ROWS):
            part = batch.slice(start, MOST_ROWS)
            rows = _at_once(part) if valid and part.nbytes <= MAX_ROW else None
            if rows is None:
                yield from (_one(part.slice(number, 1)) for number in range(part.num_rows))
            else:
                yield from map(plain_row, rows)


def _check_columns(names: list[str], file: str) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DatasetError([Problem(f"column {name!r} stands twice", file, field=name) for name in twice])


def _is_valid(batch: Any) -> bool:
    try:
        batch.validate(full=True)
    except _UNREADABLE:
        return False
    return True


def _at_once(part: Any) -> list[dict[str, Json]] | None:
    """The rows of a part that is valid; None where a value has no form in Python."""
    try:
        rows: list[dict[str, Json]] = part.to_pylist(maps_as_pydicts="strict")
    except _UNREADABLE:
        return None
    return rows


def _one(row: Any) -> Json | BadRow:
    values: dict[str, Json] = {}
    faults: list[Fault] = []
    for name, column in zip(row.schema.names, row.columns, strict=True):
        try:
            column.validate(full=True)
            if _size(column) > MAX_ROW:
                return BadRow([("", LIMIT_MESSAGE)])
            (values[name],) = column.to_pylist(maps_as_pydicts="strict")
        except _UNREADABLE as exc:
            faults.append((name, f"cannot be read: {exc}"))
    if faults:
        return BadRow(faults)
    plain = plain_row(values)
    if not isinstance(plain, BadRow) and len(dumps(plain)) > MAX_ROW:
        return BadRow([("", LIMIT_MESSAGE)])
    return plain


def _size(column: Any) -> int:
    """The bytes of a value, without the rest of the dictionary that it may come from."""
    size: int = (column.dictionary_decode() if hasattr(column, "dictionary_decode") else column).nbytes
    return size
