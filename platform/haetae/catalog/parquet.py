"""Parquet, read by pyarrow a few hundred rows at a time. Line numbers are row numbers, from 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow  # type: ignore[import-untyped]  # ships no types
import pyarrow.parquet  # type: ignore[import-untyped]  # ships no types

from haetae.catalog.record_batches import MOST_ROWS, rows_of
from haetae.catalog.rows import BadRow
from haetae.core.canonical import Json
from haetae.errors import DatasetError, Problem

_BUFFER = 256 * 1024
"""How much of a column is read from the file at once: whole, the columns of a row group may be the whole file."""


def read_parquet(path: Path, file: str) -> Iterator[tuple[int, Json | BadRow]]:
    """(row, the row as an object, or why there is none). Nulls and NaN are nothing.

    `metadata` is a struct or map column, or columns `metadata.<key>`. Raises DatasetError for a file
    that is not Parquet.
    """
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path, memory_map=False, buffer_size=_BUFFER) as table:
            batches = table.iter_batches(batch_size=MOST_ROWS, use_threads=False)
            for number, row in enumerate(rows_of(batches), start=1):
                yield number, row
    except (pyarrow.ArrowException, OSError) as exc:
        raise DatasetError(Problem(f"cannot be read as Parquet: {exc}", file=file, line=number or None)) from exc
