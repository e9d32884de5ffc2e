"""The lines of a data file, one at a time: bounded memory whatever the file holds, compressed or not."""

from __future__ import annotations

import io
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from haetae.catalog.unpacking import is_packed, unpacked
from haetae.errors import DatasetError, Problem

MAX_ROW = 8 * 1024 * 1024
"""Longest row, in bytes."""
MAX_UNPACKED = 64 * 1024**3
"""Most bytes that a compressed file may unpack to."""
MAX_RATIO = 200
"""Most that a compressed file may grow, looked at from its first 64 MB on."""
_RATIO_FROM = 64 * 1024**2
_CHUNK = 1024 * 1024


class TooLong:
    """Stands for a row over `MAX_ROW`."""


TOO_LONG = TooLong()
LIMIT_MESSAGE = f"the row is over the limit of {MAX_ROW // 1024**2} MB"


def read_lines(path: Path, file: str, *, keep_ends: bool = False) -> Iterator[tuple[int, bytes | TooLong]]:
    """(line number from 1, the line without a byte-order mark and, by default, its end). A line over the limit
    is `TOO_LONG` and the next ones follow.

    Raises DatasetError: the file vanished or cannot be read, it is a broken compressed file or one that unpacks to
    too much. MissingExtra for .zst without zstandard.
    """
    try:
        packed = is_packed(path)
        with open_regular(path) as raw, unpacked(raw, path) as stream:
            number, grown = 0, 0
            size = path.stat().st_size
            while line := stream.readline(MAX_ROW + 2):
                number += 1
                grown += len(line)
                if len(line) == MAX_ROW + 2 and not line.endswith(b"\n"):
                    grown += _skip_line(stream, _most(size) - grown if packed else None)
                    yield number, TOO_LONG
                else:
                    if number == 1:
                        line = line.removeprefix(b"\xef\xbb\xbf")
                    yield number, line if keep_ends else line.rstrip(b"\r\n")
                if packed:
                    check_growth(grown, size, file)
    except (OSError, EOFError, zlib.error) as exc:
        raise DatasetError(Problem(f"cannot be read: {exc}", file=file)) from exc


def open_regular(path: Path) -> io.BufferedReader:
    """A file to read from. Raises OSError also for a pipe or a device, which could wait or go on for ever."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError("it is not a regular file")
    return path.open("rb")


def _skip_line(stream: IO[bytes], most: int | None) -> int:
    """Read on to the end of the line, or past `most` bytes; how many bytes that were."""
    skipped = 0
    while part := stream.readline(_CHUNK):
        skipped += len(part)
        if part.endswith(b"\n") or (most is not None and skipped > most):
            break
    return skipped


def _most(size: int) -> int:
    """Most bytes that a compressed file of so many may unpack to."""
    return min(MAX_UNPACKED, max(_RATIO_FROM, size * MAX_RATIO))


def check_growth(grown: int, size: int, file: str) -> None:
    """Raises DatasetError where a compressed file of `size` bytes grew to too many."""
    if grown > MAX_UNPACKED:
        raise DatasetError(Problem(f"it unpacks to over the limit of {MAX_UNPACKED // 1024**3} GB", file=file))
    if grown > _most(size):
        raise DatasetError(Problem(f"it grows over the limit of {MAX_RATIO} times its size", file=file))
