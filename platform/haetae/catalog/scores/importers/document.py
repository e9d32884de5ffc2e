"""JSON as other tools write it: whole documents of a known size, with NaN where a score is missing."""

from __future__ import annotations

import json
import math
from pathlib import Path

from haetae.core.canonical import Json, loads
from haetae.errors import DatasetError, Problem

MAX_DOCUMENT = 512 * 1024**2
"""Largest JSON document, in bytes."""
MAX_TAG = 100
"""Longest text that is still a tag, in characters."""
_CONSTANTS = (b"NaN", b"Infinity")


def parse(raw: bytes) -> Json:
    """JSON in which NaN, Infinity and -Infinity are numbers. Raises ValueError, mostly json.JSONDecodeError."""
    try:
        return loads(raw)
    except ValueError:
        if not any(constant in raw for constant in _CONSTANTS):
            raise
    try:
        return json.loads(raw)
    except RecursionError:
        raise json.JSONDecodeError("nested too deep", "", 0) from None


def read_document(path: Path, file: str) -> Json:
    """The value of a whole JSON file; `file` is its name in messages.

    Raises DatasetError: cannot be read, over 512 MB, not JSON (with line and column).
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_DOCUMENT + 1)
    except OSError as exc:
        raise DatasetError(Problem(f"cannot be read: {exc}", file)) from exc
    if len(raw) > MAX_DOCUMENT:
        raise DatasetError(Problem(f"the document is over the limit of {MAX_DOCUMENT // 1024**2} MB", file))
    return parse_document(raw.removeprefix(b"\xef\xbb\xbf"), file)


def parse_document(raw: bytes, file: str) -> Json:
    """`parse`, with DatasetError at its place for what is not JSON."""
    try:
        return parse(raw)
    except json.JSONDecodeError as exc:
        raise DatasetError(Problem(f"not JSON: {exc.msg}", file, exc.lineno, exc.colno)) from exc
    except ValueError as exc:
        raise DatasetError(Problem(f"not JSON: {exc}", file)) from exc


def finite(value: Json) -> float | None:
    """A number or a truth as a float, None for everything else: text, nothing, NaN, too large."""
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def tags_of(fields: Json) -> dict[str, str]:
    """What a sample can be sliced by: the short texts of a mapping; nothing of anything else.

    A slice is called `name=value`, so that a name with = cannot be one.
    """
    if not isinstance(fields, dict):
        return {}
    return {
        name: value
        for name, value in fields.items()
        if isinstance(value, str) and 0 < len(value) <= MAX_TAG and not name.startswith("_") and "=" not in name
    }
