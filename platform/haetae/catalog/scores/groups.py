"""Score files whose rows say more than a score: who gave it, or which run it is of. One set of scores a group."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import TypeVar

from haetae.catalog.explain import found
from haetae.catalog.rows import BadRow, Fault
from haetae.catalog.scores.blocks import read_blocks
from haetae.catalog.scores.gathering import MAX_PROBLEMS, Gathering
from haetae.catalog.scores.line import parse_row, score_row
from haetae.catalog.scores.plain import parse_block, take_rows
from haetae.core.canonical import Json
from haetae.core.score_columns import ScoreColumns
from haetae.core.tool_score import ToolScore
from haetae.errors import DatasetError, NoSamplesError, Problem

Key = TypeVar("Key", bound=Hashable)
Take = Callable[[dict[str, Json], list[Fault]], Key]
"""Removes from a row what is more than a score, adds what is wrong with it, and says which group the row is of."""


def read_groups(path: Path, file: str, take: Take[Key]) -> dict[Key, ScoreColumns]:
    """The scores of each group, in the order in which groups appear; what `take` leaves of a row is that of
    a plain score file. It may be asked about a row twice.

    Raises DatasetError naming file, line and field, as `read_scores` does, within each group;
    NoSamplesError for a file without a score.
    """
    groups: dict[Key, Gathering] = {}
    problems: list[Problem] = []
    for first, block in read_blocks(path, file):
        lines = block.split(b"\n")
        parts = _parts(first, block, take)
        if parts is None:
            problems += _look_closer(enumerate(lines, first), take, groups, file)
            parts = {}
        for key, (rows, numbers) in parts.items():
            if not take_rows(rows, numbers, groups.setdefault(key, Gathering(file))):
                numbered = [(number, lines[number - first]) for number in numbers]
                problems += _look_closer(numbered, take, groups, file)
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        raise DatasetError(problems[:MAX_PROBLEMS])
    if not groups:
        raise NoSamplesError(Problem("holds no score; expected one JSON object a line", file))
    return {key: gathering.columns() for key, gathering in groups.items()}


def _parts(first: int, block: bytes, take: Take[Key]) -> dict[Key, tuple[list[Json], list[int]]] | None:
    """The rows of a block by group, with their lines; None where it needs a closer look."""
    parts: dict[Key, tuple[list[Json], list[int]]] = {}
    faults: list[Fault] = []
    for number, row in enumerate(parse_block(block) or [None], first):
        if not isinstance(row, dict):
            return None
        rows, numbers = parts.setdefault(take(row, faults), ([], []))
        rows.append(row)
        numbers.append(number)
    return None if faults else parts


def _look_closer(
    lines: Iterable[tuple[int, bytes]], take: Take[Key], groups: dict[Key, Gathering], file: str
) -> list[Problem]:
    """Take lines row by row, and say what is wrong with which."""
    waiting: dict[Key, list[ToolScore]] = {}
    problems: list[Problem] = []
    for number, line in lines:
        if not line or line.isspace():
            continue
        try:
            key, row = _row(number, line, take)
        except BadRow as bad:
            problems += [Problem(text, file, number, field=field or None) for field, text in bad.faults]
        else:
            waiting.setdefault(key, []).append(row)
    for key, rows in waiting.items():
        groups.setdefault(key, Gathering(file)).add_rows(rows)
    return problems


def _row(number: int, line: bytes, take: Take[Key]) -> tuple[Key, ToolScore]:
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
