"""Parquet, read by pyarrow a few rows at a time. Line numbers are row numbers, from 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow  # type: ignore[import-untyped]  # ships no types
import pyarrow.parquet  # type: ignore[import-untyped]  # ships no types

from haetae.catalog.lines import check_growth
from haetae.catalog.record_batches import MOST_ROWS, rows_of
from haetae.catalog.rows import BadRow
from haetae.core.canonical import Json
from haetae.errors import DatasetError, Problem

_BUFFER = 64 * 1024
"""How much of a column is read from the file at once: whole, the columns of a row group may be the whole file."""


def read_parquet(path: Path, file: str) -> Iterator[tuple[int, Json | BadRow]]:
    """(row, the row as an object, or why there is none). Nulls and NaN are nothing.

    `metadata` is a struct or map column, or columns `metadata.<key>`. Raises DatasetError for a file
    that is not Parquet, or unpacks to too much.
    """
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER) as table:
            check_growth(_unpacked(table.metadata), path.stat().st_size, file)
            batches = table.iter_batches(batch_size=MOST_ROWS, use_threads=False)
            for number, row in enumerate(rows_of(batches, file), start=1):
                yield number, row
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as exc:
        raise DatasetError(Problem(f"cannot be read as Parquet: {exc}", file=file, line=number or None)) from exc


def _unpacked(metadata: Any) -> int:
    """How many bytes the file says that its columns unpack to."""
    return sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
