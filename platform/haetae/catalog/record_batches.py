"""Rows of Arrow's record batches, a few hundred at a time: Parquet, Arrow files and saved datasets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from haetae.catalog.lines import LIMIT_MESSAGE, MAX_ROW
from haetae.catalog.plain_row import plain_row
from haetae.catalog.rows import BadRow
from haetae.core.canonical import Json, dumps

MOST_ROWS = 256
"""How many rows are Python objects at once."""


def rows_of(batches: Iterable[Any]) -> Iterator[Json | BadRow]:
    """Each row as an object, or why there is none. Where rows may be over the limit they are taken one by one."""
    for batch in batches:
        for start in range(0, batch.num_rows, MOST_ROWS):
            part = batch.slice(start, MOST_ROWS)
            if part.nbytes <= MAX_ROW:
                yield from map(plain_row, part.to_pylist(maps_as_pydicts="strict"))
            else:
                yield from (_limited(part.slice(number, 1)) for number in range(part.num_rows))


def _limited(one: Any) -> Json | BadRow:
    (row,) = one.to_pylist(maps_as_pydicts="strict")
    plain = plain_row(row)
    if not isinstance(plain, BadRow) and len(dumps(plain)) > MAX_ROW:
        return BadRow([("", LIMIT_MESSAGE)])
    return plain
