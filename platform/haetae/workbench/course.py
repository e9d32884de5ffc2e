"""How hard the endpoints of a run were asked, as lines of its report: told where one pushed back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from haetae.core.canonical import Json
from haetae.core.run import LimitChange
from haetae.engine.limits.course import GROWN, START

_MOST = 6
"""Changes of one endpoint that a report shows; JSON has all."""


def course_lines(course: Sequence[LimitChange], run_id: str) -> list[str]:
    """A line per endpoint whose limit was lowered, and one per change that lowered or restored it."""
    lines = []
    for place in dict.fromkeys(change.endpoint for change in course):
        changes = [change for change in course if change.endpoint == place]
        told = list(_told(changes))
        if not told:
            continue
        least, most = (end(change.limit for change in changes) for end in (min, max))
        asked = f"{most:,}" if least == most else f"{least:,} to {most:,}"
        lines.append(f"{place}: asked {asked} calls at once")
        lines += told[:_MOST]
        if len(told) > _MOST:
            lines.append(f"  and {len(told) - _MOST:,} changes more: haetae show {run_id} --json")
    return lines


def course_json(course: Sequence[LimitChange]) -> Json:
    """Every change, for scripts."""
    return [{"at_s": round(c.at_s, 3), "endpoint": c.endpoint, "limit": c.limit, "why": c.why} for c in course]


def _told(changes: Sequence[LimitChange]) -> Iterator[str]:
    """Lines of what is news: neither a limit that only grew nor a start. Where the run was gone on with, times begin
    anew, which is said."""
    before, again = 0, ""
    for change in changes:
        if change.why == START:
            again = "after going on, " if before else ""
        elif change.limit < before or change.why != GROWN:
            way = "down to" if change.limit < before else "up to" if change.limit > before else "still"
            yield f"  {again}{_clock(change.at_s)}  {way} {change.limit:,} calls at once: {change.why}"
        before = change.limit


def _clock(seconds: float) -> str:
    """`1:02.5`."""
    minutes, tenths = divmod(round(10 * seconds), 600)
    return f"{minutes}:{tenths // 10:02}.{tenths % 10}"
