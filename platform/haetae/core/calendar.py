"""When a schedule comes due: a cron line in a time zone.

On the days on which clocks change the rule is that of Debian's cron (`man 8 cron`), as `cronsim` has it. A time that
the clock leaves out comes at the first minute after the gap; a time that it shows twice comes once, the first time.
So what is due daily comes once every day. Lines with `*` in front in the minute or the hour follow the hours as they
pass: they come whenever the clock shows such a time, also where it shows it twice. A day that a month lacks (the
31st, 29 February) is passed over.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from haetae.core.cron_of_prefect import unread_by_prefect

_FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_RANGES = ("0-59", "0-23", "1-31, L", "1-12, JAN-DEC", "0-7, SUN-SAT")
_ANY = ("*",) * 5
_LAST_DAY = "* * L * *"
"""The one form of L that Prefect reads as well."""
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_SET_BACK = timedelta(hours=3)
"""More than any clock is set back at once, which is two hours (Antarctica/Troll): what it shows twice began later."""
_OF_THE_MACHINE = frozenset({"localtime", "Factory"})
"""In the database, and no places: what the machine is set to, and what one that nobody has set shows."""
_CALLED = {
    "KST": "Asia/Seoul",
    "JST": "Asia/Tokyo",
    "SGT": "Asia/Singapore",
    "BST": "Europe/London",
    "CEST": "Europe/Berlin",
    "EDT": "America/New_York",
    "CDT": "America/Chicago",
    "MDT": "America/Denver",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
}
"""Where people most often are who write so; the database has none of these."""
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
    """Why a text is no cron line of five fields that ever comes due, and that Prefect reads as we do; or None."""
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
    read = CronSim(cron, _ANY_TIME)
    if unread := unread_by_prefect(cron, frozenset(read.days), frozenset(read.months)):
        place, expected = unread
        said = f"the {_FIELDS[place]} of {cron!r} is {parts[place]!r}, which Prefect does not read so"
        return f"{said}; expected {expected}"
    return None


def _parses(cron: str) -> bool:
    try:
        CronSim(cron, _ANY_TIME)
    except CronSimError:
        return False
    return True


def zone_fault(name: str) -> str | None:
    """Why a text is no time zone of the IANA database, or None."""
    if name in _OF_THE_MACHINE:
        return f"{name!r} is another clock on every machine; name the zone, as Asia/Seoul or UTC are"
    known = available_timezones()
    if name in known:
        return None
    cities = sorted(zone for zone in known if zone.rpartition("/")[2].lower() == name.lower())
    meant = [_CALLED[name.upper()]] if name.upper() in _CALLED else cities or difflib.get_close_matches(name, known, 1)
    return f"there is no time zone {name!r}{f'; did you mean {meant[0]!r}?' if meant else ', as Asia/Seoul or UTC are'}"


def comes_due(cron: str, timezone: str, after: datetime) -> Iterator[datetime]:
    """The moments after `after` at which a line comes due, in UTC, in order, each once, to the end of the calendar.

    Raises ValueError for an `after` without a time zone, CronSimError and ZoneInfoNotFoundError for what
    `cron_fault` and `zone_fault` tell.
    """
    if after.tzinfo is None:
        raise ValueError("a time without a time zone")
    passes = any(part.startswith("*") for part in cron.split()[:2])
    with suppress(OverflowError):  # Python's calendar ends with the year 9999
        last, there = after.astimezone(UTC), after.astimezone(ZoneInfo(timezone))
        for moment in _as_they_pass(cron, there) if passes else CronSim(cron, there):
            due = moment.astimezone(UTC)
            if due > last:  # two times of one gap come due together; a repeated hour begins before `after`
                last = due
                yield due


def _as_they_pass(cron: str, after: datetime) -> Iterator[datetime]:
    """Every moment at which the clock of a zone shows a time of a line, from before `after` on, in order.

    Not by `cronsim`, which counts such a line in whole hours: where the clock is set by half an hour, or back at
    02:45, that leaves times out, or never ends.
    """
    zone, shown_twice = after.tzinfo, list[datetime]()
    for time in CronSim(cron, after.replace(tzinfo=None) - _SET_BACK):
        first, second = (time.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if second < first:  # the clock was set forward over it
            continue
        while shown_twice and shown_twice[0] <= first:
            yield heappop(shown_twice)
        yield first
        if first < second:
            heappush(shown_twice, second)


def due_between(cron: str, timezone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """Those of `comes_due` up to and with `until`."""
    return takewhile(lambda due: due <= until, comes_due(cron, timezone, after))
