"""A large file of JSON lines is checked by as many processes as there are cores, each reading a part of it.

Most files have no fault and no id twice, and then the parts together say all there is to say: how many samples,
and the version. For any other file there is no answer here, and the file is read row by row.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from binascii import hexlify
from collections.abc import Collection
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from haetae.catalog.lines import MAX_ROW
from haetae.catalog.part import COUNT_BYTES, ID_BYTES

_MOST_PARTS = 8
_BLOCK = 1024 * 1024


def check_in_parts(path: Path, require: Collection[str]) -> tuple[int, str] | None:
    """(how many samples, the SHA-256 of their digests in hexadecimal), or None: read the file row by row.

    The processes are programs of their own, not copies of this one: the program that asks may have threads,
    and need not guard its main module. Whatever goes wrong in one of them is no answer.
    """
    try:
        return _asked(path, require)
    except OSError:  # no process could be started, or the file went away: reading it says which
        return None


def _asked(path: Path, require: Collection[str]) -> tuple[int, str] | None:
    bounds = _bounds(path, min(os.cpu_count() or 1, _MOST_PARTS))
    ids, version = [], hashlib.sha256()
    with ExitStack() as stack:
        processes = []
        for start, stop in pairwise(bounds):
            processes.append(stack.enter_context(_started(path, start, stop, require)))
            stack.callback(processes[-1].kill)
        for process in processes:
            found = _answer(process, version)
            if found is None:
                return None
            ids.append(found)
    every = np.concatenate(ids)
    return (len(every), version.hexdigest()) if len(np.unique(every)) == len(every) else None


def _started(path: Path, start: int, stop: int, require: Collection[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "haetae.catalog.part", str(path), str(start), str(stop), *sorted(require)]
    nothing = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing)  # noqa: S603  # our own program, no shell


def _answer(process: subprocess.Popen[bytes], version: hashlib._Hash) -> NDArray[np.uint64] | None:
    """The ids of one part, its contents added to the version; None when the process found no answer."""
    assert process.stdout is not None  # noqa: S101  # it was opened as a pipe
    count = int.from_bytes(process.stdout.read(COUNT_BYTES), sys.byteorder)
    ids = process.stdout.read(count * ID_BYTES)
    while block := process.stdout.read(_BLOCK):
        version.update(hexlify(block))
    return np.frombuffer(ids, np.uint64) if process.wait() == 0 else None


def _bounds(path: Path, parts: int) -> list[int]:
    """Bytes at which lines start, that cut the file about evenly: the first is 0, the last its end."""
    size = path.stat().st_size
    bounds = [0]
    with path.open("rb") as stream:
        for number in range(1, parts):
            stream.seek(size * number // parts)
            stream.readline(MAX_ROW)
            bounds.append(max(bounds[-1], stream.tell()))
    return [*bounds, size]
