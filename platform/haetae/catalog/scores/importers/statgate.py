"""statgate's case files become score rows: JSON lines, a JSON list, or CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from haetae.catalog.explain import found
from haetae.catalog.rows import BadRow, Fault
from haetae.catalog.scores.importers.document import finite, tags_of
from haetae.catalog.scores.importers.records import Record, convert, sample_id
from haetae.catalog.scores.line import MAX_REPEAT
from haetae.core.canonical import Json
from haetae.core.tool_score import ToolScore
from haetae.errors import DatasetError, Problem

_IDS = ("case_id", "id", "test_id", "case")
"""Where a case is named; the first that is there counts."""
_MEASURED = ("score", "passed")
_FIELDS = frozenset({*_IDS, *_MEASURED, "run_index", "metadata"})
_TRUE = frozenset({"true", "1", "yes", "y", "pass", "passed"})
_FALSE = frozenset({"false", "0", "no", "n", "fail", "failed"})


def is_case(row: Json) -> bool:
    """Whether an object is a case. One that is called `id` and only has a `score` could be a plain score row."""
    if not isinstance(row, dict) or "metric" in row or not row.keys() & set(_MEASURED):
        return False
    return bool(row.keys() & {"case_id", "test_id", "case"}) or (
        "id" in row and bool(row.keys() & {"passed", "run_index"})
    )


def is_header(line: str) -> bool:
    """Whether a line is the header of a CSV of cases."""
    return is_case(dict.fromkeys(cell.strip() for cell in line.split(",")))


def rows(records: Iterable[Record], file: str) -> Iterator[ToolScore]:
    """The metric `score` of every case that has a score, and `passed` (1 or 0) of every one that has it.

    Runs of one case are its repeats. Short texts of the metadata, and of fields that statgate does not
    know, are tags. Raises DatasetError.
    """
    return convert(records, _rows, file)


def csv_records(lines: Iterable[str], file: str) -> Iterator[Record]:
    """The rows below a CSV header, each at the line where it ends; an empty cell is nothing. Raises DatasetError."""
    reader = csv.DictReader(lines)
    try:
        for row in reader:
            cells = {str(name).strip(): cell.strip() for name, cell in row.items() if isinstance(cell, str)}
            if any(cells.values()):
                yield Record({name: _cell(name, cell) for name, cell in cells.items() if cell}, reader.line_num)
    except csv.Error as exc:
        raise DatasetError(Problem(f"not CSV: {exc}", file, reader.line_num)) from exc


def _cell(name: str, cell: str) -> Json:
    """What a cell says, the cell itself where it says nothing of its kind."""
    if name == "passed" and cell.lower() in _TRUE | _FALSE:
        return cell.lower() in _TRUE
    try:
        return {"score": float, "run_index": int}[name](cell)
    except (KeyError, ValueError):
        return cell


def _rows(row: dict[str, Json], line: int) -> list[ToolScore]:
    faults: list[Fault] = []
    field = next((name for name in _IDS if row.get(name) is not None), _IDS[0])
    name, repeat = sample_id(field, row.get(field)), row.get("run_index", 0)
    if type(repeat) is not int or not 0 <= repeat <= MAX_REPEAT:
        faults.append(("run_index", f"expected a whole number from 0, got {found(repeat)}"))
    scores: dict[str, float] = {}
    for metric in _MEASURED:
        value = row.get(metric)
        if value is None:
            continue
        number = finite(value)
        if number is None or (metric == "passed" and not isinstance(value, bool)):
            expected = "true or false" if metric == "passed" else "a finite number"
            faults.append((metric, f"expected {expected}, got {found(value)}"))
        else:
            scores[metric] = number
    if not scores and not faults:
        faults.append(("score", "missing, and so is passed; a case has one of them or both"))
    if faults:
        raise BadRow(faults)
    tags = tags_of(row.get("metadata")) | tags_of({key: value for key, value in row.items() if key not in _FIELDS})
    return [ToolScore(name, metric, score, repeat, tags=tags, line=line) for metric, score in scores.items()]
