"""The Workbench: one object that every door calls: run, compare, gate, promote, register, look back.

What computes is imported where it is called: looking back and registering load no numpy, and a run no plan.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from haetae.workbench.face.judging import Judged
from haetae.workbench.face.looking_back import LookingBack
from haetae.workbench.face.promoting import Promoting
from haetae.workbench.face.registry import Registered
from haetae.workbench.face.sharing import Shared
from haetae.workbench.face.telling import Told


class Workbench(Promoting, Shared, Registered, Judged, Told, LookingBack):
    """Runs suites and remembers them. Use it as a context manager, or `close` it.

    `settings` says where things are (default: the HAETAE_* environment variables); `clock` tells the time.
    Every method raises the errors of `haetae.errors` and no others.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
