"""Many small transactions one after the other, between which whoever waits for the lock gets it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import Final, TypeVar

from sqlalchemy.engine import Connection

from haetae.store.database import Database

T = TypeVar("T")

_LONGEST_S: Final = 0.2


def breathing(database: Database, what: str, work: Callable[[Connection], T]) -> tuple[T, float]:
    """Do `work` and commit it, then stay away from the lock for as long as that took; what it gave, and the seconds.

    Who waits for an SQLite file asks again after at most a tenth of a second, and would else hardly ever come.
    """
    begun = monotonic()
    done = database.write(what, work)
    took = monotonic() - begun
    sleep(min(took, _LONGEST_S))
    return done, took
