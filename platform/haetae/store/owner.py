"""Who works on a run: a process, told apart from a later one that got the same number."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """A process on a host. `started` is the kernel's start time of the process, "" where it tells none."""

    host: str
    pid: int
    started: str

    @property
    def is_near(self) -> bool:
        """Whether the process would be on this machine, so that `is_alive` can know."""
        return self.host == socket.gethostname() and sys.platform != "win32"

    def is_alive(self) -> bool:
        """Whether the process runs on this machine. A zombie does not, nor does another with its number."""
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
    return Owner(socket.gethostname(), pid, _state(pid)[1])


def this_process() -> Owner:
    """The running process; asked anew after a fork."""
    return _me(os.getpid())


def _state(pid: int) -> tuple[str, str]:
    """State letter and start time (ticks since boot) of a process; empty where there is no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    fields = stat.rpartition(")")[2].split()  # the name in parentheses may hold spaces
    return fields[0], fields[19]
