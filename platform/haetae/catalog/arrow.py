"""Arrow files, in either of Arrow's two forms, and folders of them that `datasets` saved. Rows are numbered from 1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow  # type: ignore[import-untyped]  # ships no types
import pyarrow.ipc  # type: ignore[import-untyped]  # ships no types

from haetae.catalog.record_batches import rows_of
from haetae.catalog.rows import BadRow
from haetae.catalog.saved_folder import data_files
from haetae.core.canonical import Json
from haetae.errors import DatasetError, Problem

_MAGIC = b"ARROW1"


def read_arrow(path: Path, file: str) -> Iterator[tuple[int, Json | BadRow]]:
    """(row, the row as an object, or why there is none). Raises DatasetError for a file that is not Arrow."""
    yield from _numbered([path], file)


def read_saved(folder: Path, file: str) -> Iterator[tuple[int, Json | BadRow]]:
    """The same of all files of a saved dataset, numbered throughout. Nothing else of the folder is read."""
    yield from _numbered(data_files(folder), file)


def _numbered(paths: Iterable[Path], file: str) -> Iterator[tuple[int, Json | BadRow]]:
    number = 0
    try:
        for path in paths:
            for row in rows_of(_batches(path)):
                number += 1
                yield number, row
    except (pyarrow.ArrowException, OSError) as exc:
        raise DatasetError(Problem(f"cannot be read as Arrow: {exc}", file=file, line=number or None)) from exc


def _batches(path: Path) -> Iterator[Any]:
    with pyarrow.OSFile(str(path)) as source:
        if source.read(len(_MAGIC)) == _MAGIC:
            reader = pyarrow.ipc.open_file(source)
            yield from (reader.get_batch(number) for number in range(reader.num_record_batches))
        else:
            source.seek(0)
            yield from pyarrow.ipc.open_stream(source)
