"""Which process serves a deployment: noted in its description, so that people read it and no second one begins."""

from __future__ import annotations

import os
import re
import socket
import sys
from pathlib import Path
from typing import NamedTuple

from prefect.client.schemas.objects import DeploymentStatus
from prefect.client.schemas.responses import DeploymentResponse

_NOTE = re.compile(r"^Served by process (\d+) on (\S+) from (.+)$", re.MULTILINE)


class Holder(NamedTuple):
    """A process, and the folder that it was started in."""

    pid: int
    host: str
    folder: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} from {self.folder}"

    def is_gone(self) -> bool:
        """Whether this machine knows that it does not run any more."""
        if self.host != socket.gethostname() or sys.platform == "win32":
            return False
        if self.pid == os.getpid():  # of a container that is started again, each process has the number of the last
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # it is there, and somebody else's
            pass
        return False


def this_process() -> Holder:
    """The running process."""
    return Holder(os.getpid(), socket.gethostname(), str(Path.cwd()))


def description(suite: str, holder: Holder | None) -> str:
    """What the description of a served deployment says; without a holder, that nobody serves it."""
    what = f"Runs {suite} when it is due by its schedule, once, whoever calls."
    return what if holder is None else f"{what}\n\nServed by {holder}"


def noted(deployment: DeploymentResponse) -> Holder | None:
    """Who is noted there, alive or not."""
    found = _NOTE.search(deployment.description or "")
    return None if found is None else Holder(int(found[1]), found[2], found[3])


def holder_of(deployment: DeploymentResponse) -> Holder | None:
    """The process that serves it now. The server knows a minute later that who served polls no more; this machine
    knows of its own processes at once."""
    holder = noted(deployment)
    if holder is None or deployment.status != DeploymentStatus.READY or holder.is_gone():
        return None
    return holder
