"""When a schedule comes due: a cron line in a time zone.

On the days on which clocks change the rule is that of Debian's cron (`man 8 cron`), as `cronsim` has it. A time that
the clock leaves out comes at the first minute after the gap; a time that it shows twice comes once, the first time.
So what is due daily comes once every day. Lines with `*` in front in the minute or the hour follow the hours as they
pass. A day that a month lacks (the 31st, 29 February) is passed over.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

_FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_RANGES = ("0-59", "0-23", "1-31, L", "1-12, JAN-DEC", "0-7, SUN-SAT")
_ANY = ("*",) * 5
_LAST_DAY = "* * L * *"
"""The one form of L that Prefect reads as well."""
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_IN_WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def cron_fault(cron: str) -> str | None:
    """Why a text is no cron line of five fields that ever comes due, or None."""
    parts = cron.split()
    if len(parts) != len(_FIELDS):
        if meant := _IN_WORDS.get(cron.strip().lower()):
            return f"expected five fields, got {cron!r}; write {meant!r}"
        return f"expected five fields ({', '.join(_FIELDS)}), got {len(parts)} in {cron!r}"
    for place, (part, name, allowed) in enumerate(zip(parts, _FIELDS, _RANGES, strict=True)):
        alone = " ".join((*_ANY[:place], part, *_ANY[place + 1 :]))
        if not _parses(alone) or (name.startswith("day") and "L" in part.upper() and alone.upper() != _LAST_DAY):
            return f"the {name} of {cron!r} is {part!r}; expected {allowed}, lists, ranges or steps of these, or *"
    if not _parses(cron) or next(CronSim(cron, _ANY_TIME), None) is None:
        return f"{cron!r} never comes due: no month has such a day"
    return None


def _parses(cron: str) -> bool:
    try:
        CronSim(cron, _ANY_TIME)
    except CronSimError:
        return False
    return True


def zone_fault(name: str) -> str | None:
    """Why a text is no time zone of the IANA database, or None."""
    known = available_timezones()
    if name in known:
        return None
    near = difflib.get_close_matches(name, known, 1)
    return f"there is no time zone {name!r}{f'; did you mean {near[0]!r}?' if near else ', as Asia/Seoul or UTC are'}"


def comes_due(cron: str, timezone: str, after: datetime) -> Iterator[datetime]:
    """The moments after `after` at which a line comes due, in UTC, in order, each once, without end.

    Raises ValueError for an `after` without a time zone, CronSimError and ZoneInfoNotFoundError for what
    `cron_fault` and `zone_fault` tell.
    """
    if after.tzinfo is None:
        raise ValueError("a time without a time zone")
    last = after.astimezone(UTC)
    for moment in CronSim(cron, after.astimezone(ZoneInfo(timezone))):
        due = moment.astimezone(UTC)
        if due > last:  # two times of one gap come due together; a repeated hour begins before `after`
            last = due
            yield due


def due_between(cron: str, timezone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """Those of `comes_due` up to and with `until`."""
    return takewhile(lambda due: due <= until, comes_due(cron, timezone, after))
