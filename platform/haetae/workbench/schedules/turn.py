"""How far a suite was served, for somebody who looks now: by one clock, by the line that its file has now."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from haetae.catalog.suite_file import LoadedSuite, load_suite
from haetae.core.calendar import due_between
from haetae.core.ledger import Ledger
from haetae.core.suite import ScheduleSpec
from haetae.core.turn import Turn
from haetae.errors import ConfigError
from haetae.workbench.schedules.due import LATE, NO_SCHEDULE, Due, both_zones, due_of, next_due
from haetae.workbench.words import counted

_AHEAD = timedelta(days=1)
"""How far a scheduler's clock may be ahead of the ledger's and be believed, and the longest that somebody who looks by
himself may be late."""


@dataclass(frozen=True)
class Standing:
    """The newest turn of a suite as it counts `now`, by the clock of all who share the ledger. What was due up to
    `since` is served, or of no concern. `asked` is the time for which a scheduler started this, where it is believed;
    what was due no longer ago than `grace` is not missed. `notes` are for people."""

    suite: str
    schedule: ScheduleSpec
    line: str
    file: str
    turn: Turn
    now: datetime
    since: datetime
    grace: timedelta
    asked: datetime | None
    notes: tuple[str, ...] = ()

    @property
    def due(self) -> Due | None:
        """The newest time that is not served, None where there is none."""
        return due_of(self.schedule, self.turn, self.now, self.asked, self.since)

    def next_due(self, *served: datetime) -> datetime:
        """When it is due next, where these times are served too: a scheduler may be ahead."""
        return next_due(self.schedule, max(self.now, self.turn.due_at, *served))


def standing(
    ledger: Ledger, loaded: LoadedSuite, home: Path, env: Mapping[str, str], asked: datetime | None = None
) -> Standing:
    """Where a suite stands. Raises ConfigError for one without a schedule, and where another suite of its name has one
    on this ledger."""
    schedule, name = loaded.suite.schedule, loaded.suite.suite
    if schedule is None:
        raise ConfigError(loaded.problem("suite", NO_SCHEDULE))
    line, file, notes = f"{schedule.cron} {schedule.timezone}", _place(loaded.path, home), []
    now, seen = ledger.now(), ledger.turn(name)
    if asked is not None and asked - now > _AHEAD:
        notes.append(
            f"the scheduler that started this asked for {both_zones(asked, schedule)}; its clock is "
            f"{_days(asked - now)} ahead of the ledger's, and it was not believed"
        )
        asked = None
    if seen is not None:
        _refuse_another(loaded, home / seen.file, env)
    apart = None if seen is None or asked is not None else seen.looks_apart
    grace = LATE if apart is None else max(LATE, min(2 * apart, _AHEAD))
    since = _newest_within(grace, schedule, asked or now)
    turn = seen
    if seen is not None and seen.ended and seen.due_at - now > _AHEAD:
        notes.append(
            f"it was served up to {both_zones(seen.due_at, schedule)} by a clock that was {_days(seen.due_at - now)} "
            "ahead; what is due counts from now on again"
        )
        turn = ledger.watch_from(name, since, seen, line, file)
    elif seen is None or (seen.ended and seen.schedule != line):  # what was due by another line was not missed
        turn = ledger.watch_from(name, since if seen is None else max(since, seen.due_at), seen, line, file)
    assert turn is not None  # noqa: S101  # a suite that had none has one now
    if asked is None:
        ledger.looked(name)
    counted_from = turn.due_at if turn.schedule == line else max(turn.due_at, since)
    return Standing(name, schedule, line, file, turn, now, counted_from, grace, asked, tuple(notes))


def _newest_within(grace: timedelta, schedule: ScheduleSpec, at: datetime) -> datetime:
    """From where on counts what is due, for whoever looks first: of what was due within the grace, the newest alone."""
    last = deque(due_between(schedule.cron, schedule.timezone, at - grace, at), maxlen=1)
    return last[0] - timedelta(microseconds=1) if last else at - grace


def _place(file: Path, home: Path) -> str:
    """A suite's file as it lies from the ledger's home."""
    try:
        return os.path.relpath(file, home)
    except ValueError:  # on another drive
        return str(file)


def _refuse_another(loaded: LoadedSuite, other: Path, env: Mapping[str, str]) -> None:
    """Two suites of one name would take each other's turns. One that moved, or lies here twice, is one suite."""
    other = Path(os.path.normpath(other))
    if not other.is_file() or other.samefile(loaded.path):
        return
    try:
        theirs = load_suite(other, env).suite
    except (ConfigError, OSError):  # it was a suite once
        return
    ours = loaded.suite
    if theirs.suite == ours.suite and theirs.schedule is not None and theirs.as_json() != ours.as_json():
        why = (
            f"{other} is another suite of this name with a schedule, served from this ledger too: of the two, each "
            "would count the other's runs as its own; rename one, or give it a ledger of its own (HAETAE_HOME)"
        )
        raise ConfigError(loaded.problem("suite", why))


def _days(span: timedelta) -> str:
    return counted(span.days, "day")
