"""How hard the endpoints of a run were asked, as lines of its report: told where one pushed back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from haetae.core.canonical import Json
from haetae.core.run import LimitChange
from haetae.engine.course import GROWN

_MOST = 6
"""Changes of one endpoint that a report shows; JSON has all."""


def course_lines(course: Sequence[LimitChange], run_id: str) -> list[str]:
    """A line per endpoint whose limit was lowered, and one per change that lowered or restored it."""
    lines = []
    for place in dict.fromkeys(change.endpoint for change in course):
        changes = [change for change in course if change.endpoint == place]
        told = [change for before, change in pairwise(changes) if _is_told(before, change)]
        if not told:
            continue
        limits = [change.limit for change in changes]
        lines.append(f"{place}: asked {min(limits)} to {max(limits)} calls at once")
        lines += [f"  at {change.at_s:.1f} s {change.limit}: {change.why}" for change in told[:_MOST]]
        if len(told) > _MOST:
            lines.append(f"  and {len(told) - _MOST} changes more: haetae show {run_id} --json")
    return lines


def course_json(course: Sequence[LimitChange]) -> Json:
    """Every change, for scripts."""
    return [{"at_s": round(c.at_s, 3), "endpoint": c.endpoint, "limit": c.limit, "why": c.why} for c in course]


def _is_told(before: LimitChange, change: LimitChange) -> bool:
    return change.limit < before.limit or change.why != GROWN
