"""Recorded outputs: a JSONL file of what a system has already answered, joined to samples by id."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, get_type_hints

from haetae.catalog.data_file import find_data, problems, reader_of
from haetae.catalog.explain import found, nearest
from haetae.catalog.files import shown
from haetae.catalog.jsonl import read_jsonl
from haetae.catalog.pipeline import stages_of, transcript_of
from haetae.catalog.rows import BadRow, Fault, id_fault, tool_calls
from haetae.core.amounts import MOST, is_amount, is_count
from haetae.core.canonical import Json
from haetae.core.generation import Generation, Usage
from haetae.core.sample import ToolCall
from haetae.errors import DatasetError, Problem

_MEASURES = ("cost_usd", "latency_s")
_TEXTS = ("model", "finish_reason")
_PARTS = ("contexts", "tool_calls", "stages", "transcript")
FIELDS = frozenset({"id", "output", "usage", "scores", *_PARTS, *_MEASURES, *_TEXTS})
_PLAIN = frozenset({"id", "output"})
_BUCKETS = frozenset(get_type_hints(Usage))


def open_outputs(path: Path, root: Path) -> Iterator[tuple[str, Generation]]:
    """(sample id, generation) for each line, streamed.

    A line has `id` and `output`; or only scores, given as `scores: {name: number}` or as further
    numeric fields (`win_probability: 0.7`). Also `contexts`, `tool_calls`, `usage` (tokens by bucket),
    `cost_usd`, `latency_s` (seconds), `model`, `finish_reason`, `stages` of a pipeline and the
    `transcript` of a dialogue. No attempts were made: nothing was called. Raises DatasetError at once for a file
    that cannot be opened, and at its line for a row that cannot be read or an id that came before.
    """
    real = _found(path, root)
    return _unique(real, shown(real, root))


def check_outputs(path: Path, root: Path) -> tuple[str, ...]:
    """Read all of a file once, so that nothing is wrong with it when it is read along with the samples; the names of
    the stages that any answer has. Raises DatasetError as `open_outputs` does.

    Eight bytes are kept of each id. Only where two ids share them is the file read again, to say which came twice.
    """
    real = _found(path, root)
    ids, stages = array("Q"), dict[str, None]()
    for _, name, generation in _stream(real, shown(real, root)):
        ids.append(int.from_bytes(blake2b(name.encode(), digest_size=ids.itemsize).digest(), "big"))
        stages.update((stage.name, None) for stage in generation.stages)
    if _comes_twice(ids):
        deque(open_outputs(path, root), maxlen=0)
    return tuple(stages)


def checked_outputs(path: Path, root: Path) -> Iterator[tuple[str, Generation]]:
    """What `open_outputs` gives, of a file that `check_outputs` has read."""
    real = _found(path, root)
    return ((name, generation) for _, name, generation in _stream(real, shown(real, root)))


def _found(path: Path, root: Path) -> Path:
    real = find_data(Path(path), root)
    if reader_of(real) is not read_jsonl:
        raise DatasetError(f"{real.name}: recorded outputs are .jsonl or .ndjson (each also .gz, .bz2, .xz, .zst)")
    return real


def _comes_twice(ids: array[int]) -> bool:
    if len(ids) < _MANY:
        return len(set(ids)) < len(ids)
    import numpy as np

    every = np.frombuffer(ids, np.uint64).copy()
    every.sort()
    return bool((every[1:] == every[:-1]).any())


_MANY = 10_000
"""From how many ids on numpy pays, which has to be imported."""


def _unique(path: Path, file: str) -> Iterator[tuple[str, Generation]]:
    lines: dict[str, int] = {}
    for line, name, generation in _stream(path, file):
        if name in lines:
            message = f"the id {name!r} stands twice, on lines {lines[name]} and {line}"
            raise DatasetError(Problem(message, file, line, None, "id"))
        lines[name] = line
        yield name, generation


def _stream(path: Path, file: str) -> Iterator[tuple[int, str, Generation]]:
    """(line, sample id, generation) for each row, wherever an id came before."""
    for line, row in read_jsonl(path, file):
        try:
            if isinstance(row, BadRow):
                raise row
            name, generation = _generation(row)
        except BadRow as bad:
            raise DatasetError(problems(file, line, bad)) from bad
        yield line, name, generation


def _generation(row: Json) -> tuple[str, Generation]:
    if not isinstance(row, dict):
        raise BadRow([("", f"expected a JSON object, got {found(row)}")])
    name, output = row.get("id"), row.get("output")
    if len(row) == len(_PLAIN) and type(name) is str and name and not id_fault(name) and type(output) is str:
        return name, Generation(output, attempts=0)  # most rows
    faults: list[Fault] = []
    row = {name: value for name, value in row.items() if value is not None}
    name = row.pop("id", None)
    name = str(name) if type(name) is int else name
    if not isinstance(name, str) or not name:
        faults.append(("id", "missing" if name in (None, "") else f"expected text, got {found(name)}"))
    elif fault := id_fault(name):
        faults.append(("id", fault))
    parts: dict[str, Any] = {"recorded_scores": _scores(row, faults), "attempts": 0}
    if "output" not in row and not parts["recorded_scores"] and not faults:
        faults.append(("output", "missing; expected text, or scores"))
    parts["output"] = _text("output", row.get("output", ""), faults)
    parts |= {field: _text(field, row[field], faults) for field in _TEXTS if field in row}
    parts |= {field: _amount(field, row[field], faults) for field in _MEASURES if field in row}
    if "usage" in row:
        parts["usage"] = _usage(row["usage"], faults)
    if "contexts" in row:
        contexts = row["contexts"] if isinstance(row["contexts"], list) else [None]
        parts["contexts"] = tuple(_text("contexts", context, faults) for context in contexts)
    if "tool_calls" in row:
        checked: dict[str, Json] = {"tool_calls": []}
        tool_calls(checked, "tool_calls", row["tool_calls"], faults)
        parts["tool_calls"] = tuple(ToolCall(call["name"], call["arguments"]) for call in checked["tool_calls"])
    if "stages" in row:
        parts["stages"] = stages_of(row["stages"], faults)
    if "transcript" in row:
        parts["transcript"] = transcript_of(row["transcript"], faults)
    if faults or not isinstance(name, str):
        raise BadRow(faults)
    return name, Generation(**parts)


def _scores(row: dict[str, Json], faults: list[Fault]) -> dict[str, float]:
    """The scores under `scores`, and every further numeric field."""
    out: dict[str, float] = {}
    given = row.get("scores", {})
    if not isinstance(given, dict):
        faults.append(("scores", f"expected a mapping of numbers, got {found(given)}"))
        given = {}
    for name, value in given.items():
        if value is None:
            continue
        if _is_number(value):
            out[name] = float(value)
        else:
            faults.append((f"scores.{name}", f"expected a number, got {found(value)}"))
    for name, value in row.items():
        if name in FIELDS:
            continue
        if not _is_number(value):
            faults.append((name, f"unknown field{nearest(name, FIELDS)}; only numbers become scores"))
        elif name in out:
            faults.append((name, "given twice: also under scores"))
        else:
            out[name] = float(value)
    return out


def _usage(value: Json, faults: list[Fault]) -> Usage | None:
    if not isinstance(value, dict):
        faults.append(("usage", f"expected a mapping of token counts, got {found(value)}"))
        return None
    before = len(faults)
    for name, count in value.items():
        if name not in _BUCKETS:
            listed = ", ".join(sorted(_BUCKETS))
            faults.append((f"usage.{name}", f"unknown bucket{nearest(name, _BUCKETS) or f'; there are {listed}'}"))
        elif not is_count(count):
            faults.append((f"usage.{name}", f"expected a whole number from 0 to {MOST:,}, got {found(count)}"))
    return Usage(**value) if len(faults) == before else None


def _text(field: str, value: Json, faults: list[Fault]) -> str:
    if isinstance(value, str):
        return value
    faults.append((field, f"expected {'a list of texts' if field == 'contexts' else 'text'}, got {found(value)}"))
    return ""


def _amount(field: str, value: Json, faults: list[Fault]) -> float | None:
    if is_amount(value):
        return float(value)
    faults.append((field, f"expected a number from 0 to {MOST:,}, got {found(value)}"))
    return None


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
