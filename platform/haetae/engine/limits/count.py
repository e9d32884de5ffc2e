"""How many do something at this moment."""

from __future__ import annotations

from types import TracebackType


class Count:
    """Counts who is inside: `with count:`."""

    def __init__(self) -> None:
        self.now = 0

    def __enter__(self) -> None:
        self.now += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.now -= 1
