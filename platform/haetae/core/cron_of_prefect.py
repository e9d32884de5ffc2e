"""Cron lines that Prefect refuses, or of which it leaves out times: read with croniter, which is not Debian's cron.

That it starts a suite more often than it is due costs nothing: the ledger knows. What it leaves out nobody starts.
"""

from __future__ import annotations

import re

_TOPS = (59, 23, 31, 12, 7)
_DAY, _MONTH, _WEEKDAY = 2, 3, 4
_NAMES = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])} | {
    name: number
    for number, name in enumerate(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1
    )
}
_ITEM = re.compile(r"(\w+)(?:-(\w+))?(?:/(\d+))?")
_EVERY = frozenset({"*", "*/1"})


def unread_by_prefect(cron: str, days: frozenset[int], months: frozenset[int]) -> tuple[int, str] | None:
    """Which field of a line that is one Prefect cannot read as it is meant, and what is expected; or None. `days` of
    the month and `months` are those that the line stands for."""
    parts = cron.upper().split()
    weekday = parts[_WEEKDAY].split(",")
    if "#" in parts[_WEEKDAY] and not all("#" in item for item in weekday):
        return _WEEKDAY, "# in every item of the list or in none"
    if "#" in parts[_WEEKDAY] and parts[_DAY] != "*":
        return _DAY, f"* where the day of week is {parts[_WEEKDAY]}"
    for place, part in enumerate(parts):
        items = part.split(",")
        if place in (_DAY, _WEEKDAY) and len(items) > 1 and _EVERY & set(items):
            return place, "* alone, or a list without it"
        for item in items:
            if expected := _expected_for(item, place):
                return place, expected
    # Its reader takes the 31st for the third day of March, the 30th for the second, and then comes to none before it.
    first = (1 in days and bool(days & {30, 31})) or ({2, 31} <= days and 30 not in days)
    if first and 29 not in days and months >= {2, 3}:
        return _DAY, "the 1st and 2nd, or the 30th and 31st, but both only with the 29th: it passes over 1 or 2 March"
    return None


def _expected_for(item: str, place: int) -> str | None:
    if not (read := _ITEM.fullmatch(item)):
        return None
    first, last, step = read.groups()
    if last is not None and _number(first) == _number(last):
        return f"{first} in place of {item}"
    if last is None and step and (place == _WEEKDAY or _number(first) == _TOPS[place]):
        return f"a range or * before the step, in place of {item}"
    return None


def _number(text: str) -> int:
    return _NAMES[text] if text in _NAMES else int(text) if text.isdecimal() else -1
