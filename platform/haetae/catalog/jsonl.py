"""JSON lines: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from haetae.catalog.lines import LIMIT_MESSAGE, TooLong, read_lines
from haetae.catalog.rows import BadRow
from haetae.core.canonical import Json, loads


def read_jsonl(path: Path, file: str) -> Iterator[tuple[int, Json | BadRow]]:
    """(line, the parsed row, or why there is none). Blank lines are passed over."""
    for number, line in read_lines(path, file):
        if isinstance(line, TooLong):
            yield number, BadRow([("", LIMIT_MESSAGE)])
        elif line and not line.isspace():
            try:
                yield number, parse_json(line)
            except BadRow as bad:
                yield number, bad


def parse_json(raw: bytes) -> Json:
    """Strict JSON. Raises BadRow."""
    try:
        value = loads(raw)
    except json.JSONDecodeError as exc:
        raise BadRow([("", f"not JSON at column {exc.pos + 1}: {exc.msg}")]) from exc
    except UnicodeDecodeError as exc:
        raise BadRow([("", f"not UTF-8 at byte {exc.start} of the line; save as UTF-8")]) from exc
    except ValueError as exc:  # a number of thousands of digits
        raise BadRow([("", f"not JSON: {exc}")]) from exc
    return value
