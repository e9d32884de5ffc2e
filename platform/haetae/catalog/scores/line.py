"""One line of a plain score file: a sound row, or every fault of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite

from haetae.catalog.explain import found, nearest
from haetae.catalog.jsonl import parse_json
from haetae.catalog.rows import BadRow, Fault, id_fault
from haetae.core.canonical import Json
from haetae.core.tool_score import ToolScore

NEEDED = frozenset({"id", "metric", "score"})
FIELDS = NEEDED | {"sample", "cluster", "tags", "reason"}
MAX_REPEAT = 2**31 - 1
_LISTED = f"; there are {', '.join(sorted(FIELDS))}"


def row_of(number: int, line: bytes) -> ToolScore | None:
    """The row on a line, None for a blank one. Raises BadRow with every fault."""
    return None if not line or line.isspace() else score_row(number, parse_row(line))


def score_row(number: int, row: Json) -> ToolScore:
    """A parsed line as a row. Raises BadRow with every fault."""
    faults = list(_faults(row))
    if faults:
        raise BadRow(faults)
    cluster, score = row.get("cluster"), row["score"]
    return ToolScore(
        str(row["id"]),
        str(row["metric"]),
        None if score is None else float(score),
        sample=row.get("sample") or 0,
        cluster=None if cluster is None else str(cluster),
        tags=row.get("tags") or {},
        reason=row.get("reason") or "",
        line=number,
    )


def parse_row(line: bytes) -> Json:
    """Strict JSON; a line that only NaN or Infinity spoils is kept, so that the field can be named. Raises BadRow."""
    try:
        return parse_json(line)
    except BadRow as bad:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise bad from None
        if isinstance(row, dict) and _is_infinite(row.get("score")):
            return row
        raise


def name_fault(value: Json) -> str | None:
    """Why a value cannot be an id, a metric or a cluster, or None."""
    if type(value) is int:  # `7` and `"7"` are one id
        return None
    if not isinstance(value, str):
        return f"expected text, got {found(value)}"
    return id_fault(value) if value else "may not be empty"


def tag_faults(tags: Json) -> list[Fault]:
    """What is wrong with the tags of a row."""
    if not isinstance(tags, dict):
        return [("tags", f"expected a mapping of texts, got {found(tags)}")]
    faults = []
    for name, value in tags.items():
        if not name or "=" in name or not name.isprintable():
            faults.append(("tags", f"expected a printable name without =, got {name[:60]!a}"))
        elif not isinstance(value, str):
            quote = "; write it in quotes" if isinstance(value, bool | int | float) else ""
            faults.append((f"tags.{name}", f"expected text, got {found(value)}{quote}"))
        elif fault := id_fault(value):
            faults.append((f"tags.{name}", fault.replace("an id", "a tag")))
    return faults


def _faults(row: Json) -> Iterator[Fault]:
    if not isinstance(row, dict):
        yield "", f"expected a JSON object, got {found(row)}"
        return
    for name in ("id", "metric"):
        fault = name_fault(row[name]) if name in row else "missing"
        if fault:
            yield name, fault
    yield from _score_faults(row)
    repeat = 0 if row.get("sample") is None else row["sample"]
    if type(repeat) is not int or not 0 <= repeat <= MAX_REPEAT:
        yield "sample", f"expected the number of a repeat, 0 or more, got {found(repeat)}"
    if row.get("cluster") is not None and (fault := name_fault(row["cluster"])):
        yield "cluster", fault.replace("an id", "a cluster")
    if row.get("tags") is not None:
        yield from tag_faults(row["tags"])
    if not isinstance(row.get("reason") or "", str):
        yield "reason", f"expected text, got {found(row['reason'])}"
    for name in row.keys() - FIELDS:
        yield name[:80], f"unknown field{nearest(name, FIELDS) or _LISTED}"


def _score_faults(row: Json) -> Iterator[Fault]:
    score = row.get("score")
    if "score" not in row:
        yield "score", "missing; write null where the sample is unscored"
    elif isinstance(score, bool):
        yield "score", f"expected a number or null, got {found(score)}; write 1 or 0"
    elif score is not None and not isinstance(score, int | float):
        yield "score", f"expected a number or null, got {found(score)}"
    elif score is not None and _is_infinite(score):
        yield "score", f"expected a finite number, got {_spelled(score)}; write null where the sample is unscored"


def _is_infinite(score: Json) -> bool:
    try:
        return isinstance(score, int | float) and not isfinite(score)
    except OverflowError:  # a whole number too large for a float
        return True


def _spelled(score: float) -> str:
    """As JSON writers spell it."""
    if isinstance(score, int):
        return "a whole number too large for one"
    return "NaN" if score != score else "Infinity" if score > 0 else "-Infinity"
