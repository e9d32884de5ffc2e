"""Score files whose rows say more than a score: who gave it, or which run it is of. One set of scores a group."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

from haetae.catalog.explain import found
from haetae.catalog.lines import LIMIT_MESSAGE, TooLong, read_lines
from haetae.catalog.rows import BadRow, Fault
from haetae.catalog.score_columns import BATCH, MAX_PROBLEMS, Gathering
from haetae.catalog.score_line import parse_row, score_row
from haetae.core.canonical import Json
from haetae.core.score_columns import ScoreColumns
from haetae.core.score_row import ScoreRow
from haetae.errors import DatasetError, NoSamplesError, Problem

Key = TypeVar("Key", bound=Hashable)
Take = Callable[[dict[str, Json], list[Fault]], Key]
"""Removes from a row what is more than a score, adds what is wrong with it, and says which group the row is of."""


def read_groups(path: Path, file: str, take: Take[Key]) -> dict[Key, ScoreColumns]:
    """The scores of each group, in the order in which groups appear; what `take` leaves of a row is that of
    a plain score file.

    Raises DatasetError naming file, line and field, as `read_scores` does, within each group;
    NoSamplesError for a file without a score.
    """
    groups: dict[Key, Gathering] = {}
    waiting: dict[Key, list[ScoreRow]] = {}
    problems: list[Problem] = []
    for number, line in read_lines(path, file):
        if not isinstance(line, TooLong) and (not line or line.isspace()):
            continue
        try:
            key, row = _row(number, line, take)
        except BadRow as bad:
            problems += [Problem(text, file, number, field=field or None) for field, text in bad.faults]
            if len(problems) >= MAX_PROBLEMS:
                break
            continue
        batch = waiting.setdefault(key, [])
        batch.append(row)
        if len(batch) == BATCH:
            groups.setdefault(key, Gathering(file)).add_rows(batch)
            batch.clear()
    if problems:
        raise DatasetError(problems[:MAX_PROBLEMS])
    if not waiting:
        raise NoSamplesError(Problem("holds no score; expected one JSON object a line", file))
    for key, batch in waiting.items():
        gathering = groups.setdefault(key, Gathering(file))
        if batch:
            gathering.add_rows(batch)
    return {key: groups[key].columns() for key in waiting}


def _row(number: int, line: bytes | TooLong, take: Take[Key]) -> tuple[Key, ScoreRow]:
    if isinstance(line, TooLong):
        raise BadRow([("", LIMIT_MESSAGE)])
    row, faults = parse_row(line), list[Fault]()
    if not isinstance(row, dict):
        raise BadRow([("", f"expected a JSON object, got {found(row)}")])
    key = take(row, faults)
    try:
        score = score_row(number, row)
    except BadRow as bad:
        raise BadRow([*faults, *bad.faults]) from bad
    if faults:
        raise BadRow(faults)
    return key, score
