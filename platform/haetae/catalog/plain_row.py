"""A row of a table or of a program becomes plain JSON, by the rules of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real

from haetae.catalog.rows import BadRow, Fault
from haetae.core.canonical import Json


def plain_row(row: Mapping[str, Json]) -> Json | BadRow:
    """The row as an object, or why there is none. None and NaN are nothing.

    `metadata` is a mapping, or columns `metadata.<key>`.
    """
    out: dict[str, Json] = {}
    metadata: dict[str, Json] = {}
    faults: list[Fault] = []
    for column, value in row.items():
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


def _plain(value: Json, field: str, faults: list[Fault]) -> Json:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, f"{field}.{key}", faults) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(inner, f"{field}.{index}", faults) for index, inner in enumerate(value)]
    if isinstance(value, Integral):  # numpy's
        return int(value)
    if isinstance(value, Real):
        return _plain(float(value), field, faults)
    faults.append((field, f"expected text, a number, a list or a mapping, got {type(value).__name__}"))
    return None
