"""Arrow files, in either of Arrow's two forms, and folders of them that `datasets` saved. Rows are numbered from 1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import SEEK_END
from pathlib import Path
from typing import Any

import pyarrow  # type: ignore[import-untyped]  # ships no types
import pyarrow.ipc  # type: ignore[import-untyped]  # ships no types

from haetae.catalog.arrow_sizes import Limited, check_unpacked
from haetae.catalog.record_batches import rows_of
from haetae.catalog.rows import BadRow
from haetae.catalog.saved_folder import data_files
from haetae.core.canonical import Json
from haetae.errors import DatasetError, Problem

_MAGIC = b"ARROW1"
_FILE_STARTS = 8
"""Where the stream starts in a file of Arrow's file form."""


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
            for row in rows_of(_batches(path), file):
                number += 1
                yield number, row
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as exc:
        raise DatasetError(Problem(f"cannot be read as Arrow: {exc}", file=file, line=number or None)) from exc


def _batches(path: Path) -> Iterator[Any]:
    """The record batches, each once its messages are known to be of a size to be read.

    Arrow's file form is its stream form between two marks, so both are read as streams.
    """
    with Limited(path) as ahead, pyarrow.OSFile(str(path)) as source:
        start = _start(ahead)
        ahead.seek(start)
        source.seek(start)
        batches = None
        for message in pyarrow.ipc.MessageReader.open_stream(pyarrow.PythonFile(ahead, "r")):
            kind = message.type
            if kind != "schema":
                check_unpacked(message)
            del message  # its bytes are not needed beside those of the batch
            batches = batches or pyarrow.ipc.open_stream(source)
            if kind == "record batch":
                yield batches.read_next_batch()
        if batches is None:
            raise OSError("it holds no schema")


def _start(file: Limited) -> int:
    """Where the stream starts. Raises OSError for Arrow's file form without its end."""
    if file.read(len(_MAGIC)) != _MAGIC:
        return 0
    file.seek(-len(_MAGIC), SEEK_END)
    if file.read(len(_MAGIC)) != _MAGIC:
        raise OSError("the file ends early")
    return _FILE_STARTS
