"""Which suites' schedules nobody serves any more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from haetae.catalog.suite_file import LoadedSuite
from haetae.core.canonical import Json
from haetae.core.suite import ScheduleSpec, Suite
from haetae.core.turn import Turn
from haetae.engine.patience.later import may_pass
from haetae.errors import Problem
from haetae.workbench.schedules.due import both_zones, due_of
from haetae.workbench.schedules.scheduled import scheduled, scheduled_if_any
from haetae.workbench.words import counted

if TYPE_CHECKING:
    from haetae.workbench.face.parts import Parts

_OVERDUE = timedelta(hours=1)
"""What was due no longer ago than this may be served yet: by a command that cron starts every hour, by a full queue."""


@dataclass(frozen=True)
class Served:
    """How the schedule of a suite is served: up to `until`, and where that is too long ago, `overdue` since a time and
    `more` times after it."""

    suite: Suite
    until: datetime
    overdue: datetime | None = None
    more: int = 0

    @property
    def text(self) -> str:
        """The sentence for people."""
        schedule, name = self.suite.schedule, self.suite.suite
        assert schedule is not None  # noqa: S101  # those without one were left out
        if self.overdue is None:
            return f"{name}: its schedule is served"
        more = f" and {counted(self.more, 'time')} since" if self.more else ""
        return (
            f"{name} was due at {both_zones(self.overdue, schedule)}{more}, and nobody has run it: is haetae schedule "
            "still started, and what does it say?"
        )

    def as_json(self) -> Json:
        since = None if self.overdue is None else self.overdue.isoformat()
        return {"suite": self.suite.suite, "overdue_since": since, "times": self.more + 1 if since else 0}


def served(bench: Parts, places: Collection[str | Path]) -> tuple[Sequence[Served], Sequence[Problem]]:
    """How each suite with a schedule in files and folders is served, but those being run, and every mistake in others;
    where none are named those in this one, which may be none.

    One that nobody ever served counts from the first time that this is asked.
    """
    suites, problems = (scheduled if places else scheduled_if_any)(places or ["."], bench.settings.env)
    unfinished = bench.ledger.unfinished_runs()
    under_way = {one.run.suite for one in unfinished if one.worked_on_by is not None}
    tried = {(one.run.suite, one.run.tags.get("due", "")) for one in unfinished if may_pass(one.run.note)}
    return [_served(bench, loaded, tried) for loaded in suites if loaded.suite.suite not in under_way], problems


def _served(bench: Parts, loaded: LoadedSuite, tried: Collection[tuple[str, str]]) -> Served:
    """`tried` are times of suites of which there is a run that waits for its endpoint: people know of it."""
    suite, schedule, now = loaded.suite, loaded.suite.schedule, bench.ledger.now()
    assert schedule is not None  # noqa: S101  # those without one were left out
    turn = _turn(bench, suite.suite, schedule, now)
    due = due_of(schedule, turn, now)
    oldest = None if due is None else due.since or due.at
    patience = max(_OVERDUE, 2 * turn.looks_apart) if turn.looks_apart else _OVERDUE
    waits = due is not None and due.begun and not due.missed and (suite.suite, due.at.isoformat()) in tried
    if due is None or oldest is None or waits or now - oldest <= patience:
        return Served(suite, turn.due_at)
    return Served(suite, turn.due_at, oldest, due.missed)


def _turn(bench: Parts, name: str, schedule: ScheduleSpec, now: datetime) -> Turn:
    """The newest turn; what was due by another line than the suite has now was not missed."""
    line, turn = f"{schedule.cron} {schedule.timezone}", bench.ledger.turn(name)
    if turn is not None and (not turn.ended or turn.schedule == line):
        return turn
    since = now if turn is None else max(now, turn.due_at)
    return bench.ledger.watch_from(name, since, turn, line, "")  # whoever serves it says from which file
