"""What is due of a suite's schedule: which time is run now, which were missed, and how that is said."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import ClassVar
from zoneinfo import ZoneInfo

from haetae.core.calendar import comes_due, due_between
from haetae.core.canonical import Json
from haetae.core.suite import ScheduleSpec
from haetae.core.turn import Turn
from haetae.workbench.report import Report
from haetae.workbench.words import counted

LATE = timedelta(minutes=10)
"""What was due no longer ago than this is not late: a worker takes its time to start."""
_EARLY = timedelta(hours=1)
"""How long before it is due a scheduler may start what a clock leaves out: as long as the gap."""
_MOST_COUNTED = 10_000
"""Times that were missed; a line of every minute has as many in a week."""
_MOST_LISTED = 5
"""Times that were missed and are named one by one."""
_GONE_ON_WITH = timedelta(hours=1)
"""How long after its time a run that died is gone on with before what came due since: later it is of another day."""
_BEFORE = timedelta(microseconds=1)


@dataclass(frozen=True)
class Due:
    """The newest time that nobody served, and how many before it nobody served either, of which `oldest` are the first
    few. It was `begun` where somebody had the turn, who died, failed or was interrupted over it."""

    at: datetime
    missed: int = 0
    oldest: tuple[datetime, ...] = ()
    begun: bool = False

    @property
    def since(self) -> datetime | None:
        """The oldest time before it that nobody served."""
        return self.oldest[0] if self.oldest else None

    def is_late(self, now: datetime, grace: timedelta = LATE) -> bool:
        """Whether nothing could run when it was due."""
        return not self.begun and now - self.at > grace

    def note(self, schedule: ScheduleSpec, now: datetime) -> str | None:
        """What was missed, for people; None where nothing was."""
        if self.missed:
            more = " or more" if self.missed >= _MOST_COUNTED else ""
            return (
                f"missed: it was due {counted(self.missed, 'time')}{more} and no run was made of it: at "
                f"{self.listed(schedule)}; this one stands for all of them"
            )
        return f"late: it was due at {both_zones(self.at, schedule)}" if self.is_late(now) else None

    def listed(self, schedule: ScheduleSpec) -> str:
        """The times that were missed, the oldest first: the first few, and how many more."""
        times = ", ".join(both_zones(at, schedule) for at in self.oldest)
        more = self.missed - len(self.oldest)
        return f"{times} and {more:,} more" if more > 0 else times


@dataclass(frozen=True)
class NotDue:
    """Why a suite was not run, and when it is due next. `asked` is the time for which a scheduler had started it.
    `busy`: it is due, and somebody has its turn or runs it, who may also have died."""

    suite: str
    why: str
    next_at: datetime
    schedule: ScheduleSpec
    asked: datetime | None = None
    busy: bool = False

    @property
    def is_early(self) -> bool:
        """Whether a scheduler was ahead: where a clock leaves a time out some start before it is due, and not again."""
        if self.asked is None or not timedelta(0) < self.next_at - self.asked <= _EARLY:
            return False
        before = self.asked - _BEFORE
        return next(comes_due(self.schedule.cron, self.schedule.timezone, before)) != self.asked

    @property
    def text(self) -> str:
        return f"{self.suite}: {self.why}; due next at {both_zones(self.next_at, self.schedule)}"

    def as_json(self) -> Json:
        return {"suite": self.suite, "run": None, "why": self.why, "next_at": self.next_at.isoformat()}


@dataclass(frozen=True)
class Unchanged:
    """A time that was due, of which no run was made: nothing of the suite has changed since the run in `report`, whose
    answers and scores would come out again. Its verdict is over the baseline that is promoted now."""

    suite: str
    report: Report
    due_at: datetime
    next_at: datetime
    schedule: ScheduleSpec
    notes: tuple[str, ...] = ()
    is_early: ClassVar = False
    busy: ClassVar = False

    @property
    def why(self) -> str:
        """Why nothing was run."""
        run = self.report.run.id
        why = f"unchanged since {run}: the same answers and scores would come out, so nothing was run; see {run}"
        return "; ".join((why, *self.notes))

    @property
    def text(self) -> str:
        verdict = "" if self.report.verdict is None else f" ({self.report.verdict.value})"
        return f"{self.suite}: {self.why}{verdict}; due next at {both_zones(self.next_at, self.schedule)}"

    @property
    def exit_code(self) -> int:
        """That of the run that stands for this one."""
        return self.report.exit_code

    def as_json(self) -> Json:
        return {
            "suite": self.suite,
            "run": None,
            "why": self.why,
            "unchanged_since": self.report.run.id,
            "verdict": None if self.report.verdict is None else self.report.verdict.value,
            "next_at": self.next_at.isoformat(),
        }


def due_of(
    schedule: ScheduleSpec, turn: Turn, now: datetime, asked: datetime | None = None, since: datetime | None = None
) -> Due | None:
    """The newest time up to `now` that is not served, None where there is none.

    `turn` is the newest that was taken; one that has not ended is due still, and for an hour before any other. `asked`
    is the time for which a scheduler started this; its clock may be ahead of this machine's. What was due up to `since`
    does not count, where that is later than the turn.
    """
    begun = None if turn.ended else turn.due_at
    if begun is not None and timedelta(0) <= now - begun <= _GONE_ON_WITH:
        return Due(begun, begun=True)
    since, until = max(turn.due_at, since or turn.due_at), max(asked or now, now)
    newest, oldest, count = begun, [] if begun is None else [begun], int(begun is not None)
    for newest in due_between(schedule.cron, schedule.timezone, since, until):
        count += 1
        if len(oldest) <= _MOST_LISTED:
            oldest.append(newest)
        if count > _MOST_COUNTED:
            newest = _newest(schedule, newest, until)
            break
    if newest is None:
        return None
    return Due(newest, count - 1, tuple(oldest[: min(_MOST_LISTED, count - 1)]), begun=newest == begun)


def _newest(schedule: ScheduleSpec, known: datetime, until: datetime) -> datetime:
    """The newest time of a line up to `until`, of which one is known: looked for back from there, further each time."""
    span = timedelta(days=1)
    while True:
        begin = max(known - _BEFORE, until - span)
        if last := deque(due_between(schedule.cron, schedule.timezone, begin, until), maxlen=1):
            return last[0]
        span *= 4


A_SCHEDULE = 'schedule: { cron: "0 6 * * *", timezone: Asia/Seoul }'
NO_SCHEDULE = f"the suite has no schedule; add one: {A_SCHEDULE}"


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
    """The next `count` times of each schedule, all in order; fewer where the calendar ends."""
    found = [
        (at, suite, schedule)
        for suite, schedule in schedules
        for at in islice(comes_due(schedule.cron, schedule.timezone, now), count)
    ]
    return sorted(found, key=lambda one: (one[0], one[1]))
