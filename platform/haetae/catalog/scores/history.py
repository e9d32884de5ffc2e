"""Plain files of many runs: score rows that name their suite and run."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

from haetae.catalog.explain import found
from haetae.catalog.rows import Fault
from haetae.catalog.scores.groups import read_groups
from haetae.catalog.scores.line import name_fault
from haetae.core.canonical import Json
from haetae.core.score_columns import ScoreColumns
from haetae.errors import DatasetError, Problem

Place = tuple[str, str]
"""(suite, run)"""


def read_history(path: Path, file: str) -> dict[str, dict[str, ScoreColumns]]:
    """Read `{"suite", "run", "id", "metric", "score", …}` a line: by suite, the scores of each run, oldest first.

    Rows of a run may stand in any order. Runs are in the order of their first rows; or of `time` (ISO 8601
    text, or a number of seconds), the earliest of a run's rows, where every run has one. Raises
    DatasetError naming file, line and field.
    """
    taking = _Taking()
    runs = read_groups(path, file, taking)
    timeless = [place for place in runs if place not in taking.times]
    if timeless and taking.times:
        line = int(runs[timeless[0]].lines[0])
        message = f"run {timeless[0][1]!r} of {timeless[0][0]} has none, and other runs do"
        raise DatasetError(Problem(message, file, line, field="time"))
    history: dict[str, dict[str, ScoreColumns]] = {}
    for suite, run in sorted(runs, key=lambda place: taking.times.get(place, 0.0)):
        history.setdefault(suite, {})[run] = runs[suite, run]
    return history


class _Taking:
    """Takes suite, run and time out of rows; `times` holds each run's earliest, in seconds."""

    def __init__(self) -> None:
        self.times: dict[Place, float] = {}

    def __call__(self, row: dict[str, Json], faults: list[Fault]) -> Place:
        place = self._name("suite", row, faults), self._name("run", row, faults)
        if (time := row.pop("time", None)) is not None:
            seconds = _seconds(time)
            if seconds is None:
                faults.append(("time", f"expected a time as in 2026-01-31T06:00:00Z, or seconds, got {found(time)}"))
            else:
                self.times[place] = min(seconds, self.times.get(place, seconds))
        return place

    def _name(self, field: str, row: dict[str, Json], faults: list[Fault]) -> str:
        name = row.pop(field, None)
        if name is None:
            faults.append((field, "missing"))
        elif fault := name_fault(name):
            faults.append((field, fault.replace("an id", f"a {field}")))
        return str(name)


def _seconds(time: Json) -> float | None:
    """A time as seconds since 1970, UTC where it names no zone; None for what is no time."""
    if isinstance(time, str):
        try:
            parsed = datetime.fromisoformat(time)
        except ValueError:
            return None
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    if isinstance(time, bool) or not isinstance(time, int | float):
        return None
    try:
        return float(time) if isfinite(time) else None
    except OverflowError:  # a whole number too large for a float
        return None
