"""Who works on a run: a process, told apart from a later one that got the same number."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_APART: Final = "/"
"""Between a host's name, which has none, and its table of processes."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, by its number in a table of processes: machines and containers that share a name have one each.

    `place` is the host's name and its table, as in `web-1/<boot>/<namespace>`, or the name alone where the table cannot
    be told or an older version wrote it. `started` is the kernel's start time of the process, "" where it tells none.
    """

    place: str
    pid: int
    started: str

    @property
    def host(self) -> str:
        return self.place.partition(_APART)[0]

    @property
    def is_near(self) -> bool:
        """Whether the process would be in the table of this one, so that `is_alive` knows."""
        return _APART in self.place and self.place == this_process().place

    @property
    def may_be_near(self) -> bool:
        """Whether nobody knows in whose table it would be, while the host's name is ours: to be seen alive here is to
        be alive, and not to be seen says nothing."""
        return _APART not in self.place and self.host == this_process().host and sys.platform != "win32"

    def is_alive(self) -> bool:
        """Whether the process runs here. A zombie does not, nor does another with its number."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # it is there, and someone else's
        state, started = _state(self.pid)
        return state not in {"Z", "X"} and (not started or not self.started or started == self.started)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@cache
def _me(pid: int) -> Owner:
    table = _table(pid)
    return Owner(socket.gethostname() + (_APART + table if table else ""), pid, _state(pid)[1])


def this_process() -> Owner:
    """The running process; asked anew after a fork."""
    return _me(os.getpid())


def _table(pid: int) -> str:
    """What tells this table of processes from every other: the boot of the kernel and the namespace of the numbers.

    "" where that cannot be told, and where /proc shows another table than the one that signals go by.
    """
    if sys.platform == "darwin":
        return "darwin"  # one table for a machine, and no /proc to look in
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        numbers = "".join(filter(str.isdigit, os.readlink("/proc/self/ns/pid")))
        shown = os.readlink("/proc/self")
    except OSError:
        return ""
    return f"{boot}{_APART}{numbers}" if shown == str(pid) else ""


def _state(pid: int) -> tuple[str, str]:
    """State letter and start time (ticks since boot) of a process; empty where there is no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    fields = stat.rpartition(")")[2].split()  # the name in parentheses may hold spaces
    return fields[0], fields[19]
