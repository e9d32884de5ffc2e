"""A large file of JSON lines is checked by as many processes as there are cores, each reading a part of it.

Most files have no fault and no id twice, and then the parts together say all there is to say. For any other file
there is no answer here, and it is read row by row.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from binascii import hexlify
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np

from haetae.catalog.compactly import CleanFile, any_twice
from haetae.catalog.lines import MAX_ROW
from haetae.catalog.part import ID_BYTES, NUMBER_BYTES

_MOST_PARTS = 8
_BLOCK = 1024 * 1024


def check_in_parts(path: Path, require: Mapping[str, str]) -> CleanFile | None:
    """Check a file, or None: read it row by row.

    The processes are programs of their own, not copies of this one: the program that asks may have threads,
    and need not guard its main module. Whatever goes wrong in one of them is no answer.
    """
    try:
        return _asked(path, require)
    except OSError:  # no process could be started, or the file went away: reading it says which
        return None


def _asked(path: Path, require: Mapping[str, str]) -> CleanFile | None:
    bounds = _bounds(path, min(os.cpu_count() or 1, _MOST_PARTS))
    version, longest, ids = hashlib.sha256(), 0, []
    with ExitStack() as stack:
        processes = []
        for start, stop in pairwise(bounds):
            processes.append(stack.enter_context(_started(path, start, stop, require)))
            stack.callback(processes[-1].kill)
        for process in processes:
            assert process.stdout is not None  # noqa: S101  # it was opened as a pipe
            count, row = _number(process.stdout), _number(process.stdout)
            ids.append(np.frombuffer(process.stdout.read(count * ID_BYTES), np.uint64))
            while block := process.stdout.read(_BLOCK):
                version.update(hexlify(block))
            if process.wait() != 0:
                return None
            longest = max(longest, row)
    every = np.concatenate(ids)
    if any_twice(every):
        return None
    return CleanFile(len(every), version.hexdigest(), longest)


def _started(path: Path, start: int, stop: int, require: Mapping[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "haetae.catalog.part", str(path), str(start), str(stop), *sorted(require)]
    nothing = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing)  # noqa: S603  # our own program, no shell


def _number(stream: IO[bytes]) -> int:
    return int.from_bytes(stream.read(NUMBER_BYTES), sys.byteorder)


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
