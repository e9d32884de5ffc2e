"""A row of a table or of a program becomes plain JSON, by the rules of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isinf, isnan
from numbers import Integral, Real

from haetae.catalog.rows import MAX_DEPTH, BadRow, Fault
from haetae.core.canonical import Json

_NOTHING = frozenset({"NAType", "NaTType"})
"""The types of what pandas writes for nothing."""


def plain_row(row: Mapping[str, Json]) -> Json | BadRow:
    """The row as an object, or why there is none. None, NaN and the like of pandas are nothing.

    `metadata` is a mapping, or columns `metadata.<key>`.
    """
    out: dict[str, Json] = {}
    metadata: dict[str, Json] = {}
    faults: list[Fault] = []
    for column, value in row.items():
        if not isinstance(column, str):
            faults.append(("", f"the name of a field is text, got {type(column).__name__}"))
            continue
        plain = _plain(value, column, faults)
        if plain is None:
            continue
        if column.startswith("metadata."):
            metadata[column.removeprefix("metadata.")] = plain
        elif column == "metadata" and isinstance(plain, dict):
            metadata |= {key: inner for key, inner in plain.items() if inner is not None}
        else:
            out[column] = plain
    if metadata:
        out["metadata"] = metadata
    return BadRow(faults) if faults else out


def _plain(value: Json, field: str, faults: list[Fault], level: int = 1) -> Json:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Real):
        return _number(value, field, faults)
    fault = f"expected text, a number, a list or a mapping, got {type(value).__name__}"
    if level > MAX_DEPTH:
        fault = f"nested over {MAX_DEPTH} levels"
    elif isinstance(value, Mapping):
        if all(isinstance(key, str | int) for key in value):
            return {str(key): _plain(inner, f"{field}.{key}", faults, level + 1) for key, inner in value.items()}
        fault = "a key of it is no text"
    elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(inner, f"{field}.{index}", faults, level + 1) for index, inner in enumerate(value)]
    elif type(value).__name__ in _NOTHING:
        return None
    faults.append((field, fault))
    return None


def _number(value: Real, field: str, faults: list[Fault]) -> int | float | None:
    """A number as JSON has it: an integer over 64 bits is a float."""
    if isinstance(value, Integral) and -(2**63) <= int(value) < 2**64:
        return int(value)
    try:
        number = float(value)
    except OverflowError:
        faults.append((field, "holds a number that is not finite"))
        return None
    return None if isnan(number) or isinf(number) else number
