"""What is due of a suite's schedule: which time is run now, which were missed, and whose turn it is to run it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from haetae.catalog.suite_file import load_suite
from haetae.core.calendar import comes_due, due_between
from haetae.core.canonical import Json
from haetae.core.clock import Clock
from haetae.core.ledger import Ledger, TakenTurn, Turn
from haetae.core.run import RunStatus
from haetae.core.suite import ScheduleSpec
from haetae.engine.watch import Watcher
from haetae.errors import ConfigError
from haetae.workbench.interrupt import by_a_signal
from haetae.workbench.leasing import kept_turn
from haetae.workbench.report import Report
from haetae.workbench.words import counted

if TYPE_CHECKING:
    from haetae.workbench.bench import Workbench

_LATE = timedelta(minutes=10)
"""What was due no longer ago than this is not missed: a worker takes its time to start."""
_EARLY = timedelta(hours=1)
"""How long before it is due a scheduler may start what a clock leaves out: as long as the gap."""
_MOST_COUNTED = 10_000
"""Times that were missed; a line of every minute has as many in a week."""


@dataclass(frozen=True)
class Due:
    """The newest time that nobody served, and how many before it nobody served either, from the oldest on. It was
    `begun` where somebody had the turn, who died, failed or was interrupted over it."""

    at: datetime
    missed: int = 0
    since: datetime | None = None
    begun: bool = False

    def is_late(self, now: datetime) -> bool:
        """Whether nothing could run when it was due."""
        return not self.begun and now - self.at > _LATE

    def note(self, schedule: ScheduleSpec, now: datetime) -> str | None:
        """What was missed, for people; None where nothing was."""
        if self.missed and self.since is not None:
            more = " or more" if self.missed >= _MOST_COUNTED else ""
            return (
                f"missed: it was due {counted(self.missed, 'time')}{more} since {both_zones(self.since, schedule)}, "
                "and no run was made of it; this one stands for all of them"
            )
        return f"late: it was due at {both_zones(self.at, schedule)}" if self.is_late(now) else None


@dataclass(frozen=True)
class NotDue:
    """Why a suite was not run, and when it is due next. `asked` is the time for which a scheduler had started it."""

    suite: str
    why: str
    next_at: datetime
    schedule: ScheduleSpec
    asked: datetime | None = None

    @property
    def is_early(self) -> bool:
        """Whether a scheduler was ahead: where a clock leaves a time out some start before it is due, and not again."""
        if self.asked is None or not timedelta(0) < self.next_at - self.asked <= _EARLY:
            return False
        before = self.asked - timedelta(microseconds=1)
        return next(comes_due(self.schedule.cron, self.schedule.timezone, before)) != self.asked

    @property
    def text(self) -> str:
        return f"{self.suite}: {self.why}; due next at {both_zones(self.next_at, self.schedule)}"

    def as_json(self) -> Json:
        return {"suite": self.suite, "run": None, "why": self.why, "next_at": self.next_at.isoformat()}


def due_of(schedule: ScheduleSpec, turn: Turn, now: datetime, asked: datetime | None = None) -> Due | None:
    """The newest time up to `now` that is not served, None where there is none.

    `turn` is the newest that was taken; one that has not ended is due still. `asked` is the time for which a scheduler
    started this; its clock may be ahead of this machine's.
    """
    begun = None if turn.ended else turn.due_at
    until = max(asked or now, now)
    newest, first, count = begun, begun, int(begun is not None)
    for newest in due_between(schedule.cron, schedule.timezone, turn.due_at, until):
        first, count = first or newest, count + 1
        if count > _MOST_COUNTED:
            newest = _newest(schedule, until) or newest
            break
    if newest is None:
        return None
    return Due(newest, count - 1, first if count > 1 else None, begun=newest == begun)


def _newest(schedule: ScheduleSpec, now: datetime) -> datetime | None:
    """The newest time of a line that comes due often."""
    last = deque(due_between(schedule.cron, schedule.timezone, now - timedelta(days=1), now), maxlen=1)
    return last[0] if last else None


def run_due(
    bench: Workbench, clock: Clock, suite: Path, asked: datetime | None, watcher: Watcher | None, track: bool
) -> Report | NotDue:
    """`run_due` of `haetae.workbench.bench.Workbench`."""
    loaded, now = load_suite(suite, bench.settings.env), clock.now()
    schedule, name = loaded.suite.schedule, loaded.suite.suite
    if schedule is None:
        raise ConfigError(loaded.problem("suite", NO_SCHEDULE))
    found = due_of(schedule, bench.ledger.watch_from(name, min(asked or now, now) - _LATE), now, asked)

    def not_due(why: str) -> NotDue:
        return NotDue(name, why, next_due(schedule, now), schedule, asked)

    if found is None:
        return not_due("nothing is due")
    when = both_zones(found.at, schedule)
    taken = bench.ledger.take_turn(name, found.at, now)
    if taken is TakenTurn.SERVED:
        return not_due(f"what was due at {when} is served already")
    if taken is TakenTurn.BUSY:
        return not_due(f"it is being run; what was due at {when} waits for that to end")
    served = False
    try:
        with kept_turn(bench.ledger, clock, name):
            if schedule.missed == "skip" and found.is_late(now):
                served = True
                return not_due(f"what was due at {when} was missed and is left out, as declared")
            if _is_done(bench.ledger, name, found.at):  # who did it died before it could say so
                served = True
                return not_due(f"what was due at {when} is served already")
            report = bench.run(suite, fresh=True, watcher=watcher, tags={"due": found.at.isoformat()}, track=track)
            served = not by_a_signal(report.run)
    finally:
        bench.ledger.end_turn(name, served=served)
    note = found.note(schedule, now)
    return report if note is None else replace(report, notes=(note, *report.notes))


def _is_done(ledger: Ledger, suite: str, due_at: datetime) -> bool:
    """Whether a run of that time is finished and its report made."""
    runs = (run for run in ledger.runs(suite, limit=10) if run.tags.get("due") == due_at.isoformat())
    return any(run.status is RunStatus.FINISHED and ledger.estimates(run.id) for run in runs)


NO_SCHEDULE = 'the suite has no schedule; add one: schedule: { cron: "0 6 * * *", timezone: Asia/Seoul }'


def next_due(schedule: ScheduleSpec, now: datetime) -> datetime:
    """When it is due next."""
    return next(comes_due(schedule.cron, schedule.timezone, now))


def both_zones(at: datetime, schedule: ScheduleSpec) -> str:
    """A time as the schedule's own clock shows it and in UTC: `2026-11-28 06:00 Asia/Seoul (2026-11-27 21:00 UTC)`."""
    local = f"{at.astimezone(ZoneInfo(schedule.timezone)):%Y-%m-%d %H:%M} {schedule.timezone}"
    return local if schedule.timezone == "UTC" else f"{local} ({at.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"


def preview(
    schedules: Iterable[tuple[str, ScheduleSpec]], now: datetime, count: int
) -> Sequence[tuple[datetime, str, ScheduleSpec]]:
    """The next `count` times of each schedule, all in order."""
    found = []
    for suite, schedule in schedules:
        moments = comes_due(schedule.cron, schedule.timezone, now)
        found += [(next(moments), suite, schedule) for _ in range(count)]
    return sorted(found, key=lambda one: (one[0], one[1]))
