"""Parquet, read by pyarrow a few hundred rows at a time. Line numbers are row numbers, from 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow  # type: ignore[import-untyped]  # ships no types
import pyarrow.parquet  # type: ignore[import-untyped]  # ships no types

from haetae.catalog.lines import LIMIT_MESSAGE, MAX_ROW
from haetae.catalog.rows import BadRow, Fault
from haetae.core.canonical import Json, dumps
from haetae.errors import DatasetError, Problem

_BATCH = 256


def read_parquet(path: Path, file: str) -> Iterator[tuple[int, Json | BadRow]]:
    """(row, the row as an object, or why there is none). Nulls and NaN are nothing.

    `metadata` is a struct or map column, or columns `metadata.<key>`. Raises DatasetError for a file
    that is not Parquet.
    """
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path, memory_map=False) as table:
            for batch in table.iter_batches(batch_size=_BATCH):
                heavy = batch.nbytes > MAX_ROW
                for row in batch.to_pylist(maps_as_pydicts="strict"):
                    number += 1
                    plain = _plain_row(row)
                    if heavy and not isinstance(plain, BadRow) and len(dumps(plain)) > MAX_ROW:
                        plain = BadRow([("", LIMIT_MESSAGE)])
                    yield number, plain
    except (pyarrow.ArrowException, OSError) as exc:
        raise DatasetError(Problem(f"cannot be read as Parquet: {exc}", file=file, line=number or None)) from exc


def _plain_row(row: dict[str, Json]) -> Json | BadRow:
    out: dict[str, Json] = {}
    metadata: dict[str, Json] = {}
    faults: list[Fault] = []
    for column, value in row.items():
        plain = _plain(value, column, faults)
        if plain is None:
            continue
        if column.startswith("metadata."):
            metadata[column.removeprefix("metadata.")] = plain
        elif column == "metadata" and isinstance(plain, dict):
            metadata |= {key: inner for key, inner in plain.items() if inner is not None}
        else:
            out[column] = plain
    if metadata:
        out["metadata"] = metadata
    return BadRow(faults) if faults else out


def _plain(value: Json, field: str, faults: list[Fault]) -> Json:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, list):
        return [_plain(inner, f"{field}.{index}", faults) for index, inner in enumerate(value)]
    if isinstance(value, dict):
        return {key: _plain(inner, f"{field}.{key}", faults) for key, inner in value.items()}
    faults.append((field, f"expected text, a number, a list or a mapping, got {type(value).__name__}"))
    return None
