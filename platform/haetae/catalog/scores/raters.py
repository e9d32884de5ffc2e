"""Plain files of human scores: score rows that may name their rater."""

from __future__ import annotations

from pathlib import Path

from haetae.catalog.label_file import RATER
from haetae.catalog.rows import Fault
from haetae.catalog.scores.groups import read_groups
from haetae.catalog.scores.line import name_fault
from haetae.core.canonical import Json
from haetae.core.score_columns import ScoreColumns


def read_raters(path: Path, file: str) -> dict[str, ScoreColumns]:
    """Read `{"id", "metric", "score", "sample": 0, "rater": "ann"}` a line: the scores of each rater.

    Raises DatasetError naming file, line and field, also for one rater's second score of one answer.
    """
    return read_groups(path, file, _take)


def _take(row: dict[str, Json], faults: list[Fault]) -> str:
    rater = row.pop("rater", RATER)
    if fault := name_fault(rater):
        faults.append(("rater", fault.replace("an id", "a rater")))
    return str(rater)
