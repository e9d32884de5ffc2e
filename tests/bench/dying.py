"""A `haetae` that dies at a named point: python dying.py LEDGER SAID POINT ARGUMENT… of haetae.

Nothing in the product knows of this: methods and the connections of sqlite3 are wrapped before the command
starts. After every commit of rows the ids that are acknowledged with it are appended to the file SAID.
"""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from haetae.cli.main import main
from haetae.store.ledger import Recording
from haetae.store.outbox import Outbox
from haetae.workbench.telling import Telling

MIDDLE_BATCH = 4
LAST = "the last"


class Point:
    """Where to die: `is_at` counts how often each place was passed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._passed: dict[str, int] = {}

    def passed(self, place: str, *, last: bool = False) -> None:
        """Die here when this is the place, for the n-th time or for the last."""
        self._passed[place] = number = self._passed.get(place, 0) + 1
        if self.text == "memory" and (place, number) == ("after commit", MIDDLE_BATCH):
            hoard()
        if self.text in (f"{place} {number}", place) or (last and self.text == f"{place} {LAST}"):
            os.kill(os.getpid(), signal.SIGKILL)


def hoard() -> None:
    """Take memory until the kernel ends the process; where it does not, end it as the kernel would."""
    hoarded = [b"x" * (4 << 20) for _ in range(100)]
    os.kill(os.getpid(), signal.SIGKILL if hoarded else 0)


def wrapped(owner: Any, name: str, before: Callable[..., None], after: Callable[..., None]) -> None:
    """Call `before` and `after` with the arguments of every call of a method."""
    method = getattr(owner, name)

    def call(*arguments: Any, **options: Any) -> Any:
        before(*arguments, **options)
        result = method(*arguments, **options)
        after(*arguments, **options)
        return result

    setattr(owner, name, call)


def connections(point: Point, recording: Callable[[], bool], is_last: Callable[[], bool]) -> None:
    """Have sqlite3 make connections that pass the commits of rows, and the statements that change a schema."""

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *parameters: Any) -> Any:
            if sql.lstrip().partition(" ")[0] in {"CREATE", "ALTER", "DROP"}:
                point.passed("migration")
            return super().execute(sql, *parameters)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def commit(self) -> None:
            of_rows = recording()
            if of_rows:
                point.passed("before commit", last=is_last())
            super().commit()
            if of_rows:
                point.passed("after commit", last=is_last())

    connect = sqlite3.dbapi2.connect
    sqlite3.dbapi2.connect = lambda *given, **options: connect(*given, **{"factory": Connection, **options})  # type: ignore[assignment]


def die_in_a_checkpoint(ledger: Path) -> None:
    """Let the kernel end the process in the middle of a page that a checkpoint adds to the ledger."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = ledger.stat().st_size + 3 * 4096 + 1000
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)


def prepare(ledger: Path, said: Path, point: Point, rows: int) -> None:
    """Wrap what leads past the point; `rows` is how many generations and scores a whole run has."""
    told = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    state = {"inside": False, "rows": 0}

    def before(_ledger: Any, _run: str, _samples: Any, generations: Any, scores: Any, *_at: Any) -> None:
        state["inside"] = True
        state["rows"] += len(list(generations)) + len(list(scores))

    def after(_ledger: Any, _run: str, _samples: Any, generations: Any, scores: Any, *_at: Any) -> None:
        state["inside"] = False
        ids = [f"{row.sample_id}\t" for row in generations] + [f"{row.sample_id}\t{row.metric}" for row in scores]
        os.write(told, "".join(f"{line}\n" for line in ids).encode())

    wrapped(Recording, "record", before, after)
    connections(point, lambda: bool(state["inside"]), lambda: state["rows"] >= rows)
    for owner, name in ((Recording, "finish"), (Outbox, "enqueue")):
        wrapped(
            owner,
            name,
            lambda *_, name=name, **__: point.passed(f"before {name}"),
            lambda *_, name=name, **__: point.passed(f"after {name}"),
        )
    Telling.drain = lambda self, deadline_s, patience: []  # type: ignore[method-assign]  # no tracker is opened
    if point.text == "checkpoint":
        die_in_a_checkpoint(ledger)


if __name__ == "__main__":
    prepare(Path(sys.argv[1]), Path(sys.argv[2]), Point(sys.argv[3]), int(sys.argv[4]))
    sys.argv = ["haetae", *sys.argv[5:]]
    main()
