"""The records of a file become score rows, one by one, and all their faults are told together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from haetae.catalog.explain import found
from haetae.catalog.rows import BadRow, id_fault
from haetae.catalog.scores.gathering import MAX_PROBLEMS
from haetae.core.canonical import Json
from haetae.core.tool_score import ToolScore
from haetae.errors import DatasetError, Problem

MAX_REASON = 200
"""Longest reason that is kept, in characters."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record and its place: a line from 1, or the dotted field of its document."""

    value: Json
    line: int = 0
    field: str = ""


class Scored(NamedTuple):
    """A value, or why there is none."""

    value: float | None
    reason: str = ""


def convert(
    records: Iterable[Record], rows_of: Callable[[dict[str, Json], int], list[ToolScore]], file: str
) -> Iterator[ToolScore]:
    """The rows of every record; `rows_of` takes a record and its line, and raises BadRow for an unsound one.

    Raises DatasetError with up to twenty problems, each at its place.
    """
    problems: list[Problem] = []
    for record in records:
        try:
            if not isinstance(record.value, dict):
                raise BadRow([("", f"expected a JSON object, got {found(record.value)}")])
            yield from rows_of(record.value, record.line)
        except BadRow as bad:
            for field, message in bad.faults:
                place = ".".join(part for part in (record.field, field) if part)
                problems.append(Problem(message, file, record.line or None, field=place or None))
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        raise DatasetError(problems[:MAX_PROBLEMS])


def sample_id(field: str, value: Json) -> str:
    """A text or a whole number as an id. Raises BadRow at `field`."""
    if type(value) is int:
        return str(value)
    if not isinstance(value, str) or not value:
        raise BadRow([(field, f"expected the id of a sample, got {found(value)}")])
    if fault := id_fault(value):
        raise BadRow([(field, fault)])
    return value


def reason_of(value: Json, otherwise: str) -> str:
    """Why there is no score, in one short line."""
    told = value.get("message") if isinstance(value, dict) else value
    text = " ".join(told.split()) if isinstance(told, str) else ""
    return text[:MAX_REASON] or otherwise
