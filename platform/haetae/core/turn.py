"""A turn: whose it is to serve a suite at a time when its schedule was due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn to run a suite that was due at a time. It has `ended` where that was done: one whose process died, or was
    interrupted, has not. `schedule` and `file` are the line and the suite's file by which it was due, `looks_apart` is
    how far apart those looked last who come by themselves, None where nobody did twice."""

    due_at: datetime
    ended: bool
    schedule: str = ""
    file: str = ""
    looks_apart: timedelta | None = None


class TakenTurn(Enum):
    """What came of taking a turn: it was taken; somebody has served that time already; somebody is still at it."""

    TAKEN = "taken"
    SERVED = "served"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Taking:
    """What came of taking a turn, and who is still at it."""

    came: TakenTurn
    by: str = ""
