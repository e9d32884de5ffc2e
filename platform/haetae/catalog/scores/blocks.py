"""The lines of a data file, many at a time: for files of which each line is small and there are millions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from haetae.catalog.lines import LIMIT_MESSAGE, MAX_ROW, TooLong, open_regular, read_lines
from haetae.catalog.unpacking import is_packed
from haetae.errors import DatasetError, Problem

_BYTES = 256 * 1024
_LINES = 8192
_MARK = b"\xef\xbb\xbf"


def read_blocks(path: Path, file: str) -> Iterator[tuple[int, bytes]]:
    """(number of its first line, whole lines of about 256 kB together), no end after the last line.

    Raises DatasetError: what `read_lines` raises, and a line over the limit.
    """
    blocks = _packed(path, file) if is_packed(path) else _plain(path, file)
    for number, block in blocks:
        yield number, block.removeprefix(_MARK) if number == 1 else block


def _plain(path: Path, file: str) -> Iterator[tuple[int, bytes]]:
    number = 1
    try:
        with open_regular(path) as stream:
            while block := stream.read(_BYTES):
                if not block.endswith(b"\n"):
                    block += (last := stream.readline(MAX_ROW))
                    if len(last) == MAX_ROW and not last.endswith(b"\n"):
                        raise DatasetError(Problem(LIMIT_MESSAGE, file, number + block.count(b"\n")))
                yield number, block.removesuffix(b"\n")
                number += block.count(b"\n")
    except OSError as exc:
        raise DatasetError(Problem(f"cannot be read: {exc}", file=file)) from exc


def _packed(path: Path, file: str) -> Iterator[tuple[int, bytes]]:
    numbered = read_lines(path, file)
    while batch := list(islice(numbered, _LINES)):
        lines = []
        for number, line in batch:
            if isinstance(line, TooLong):
                raise DatasetError(Problem(LIMIT_MESSAGE, file, number))
            lines.append(line)
        yield batch[0][0], b"\n".join(lines)
