"""What pydantic found wrong, said at its place: the field, what was expected, what was found."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from haetae.catalog.places import Path, Places, dotted
from haetae.core.canonical import Json
from haetae.core.secrets import MASK, is_secret_field
from haetae.errors import Problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, ValidationError

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "nothing",
}
_SYNONYMS = {
    "concurrency": "in_flight",
    "max_concurrency": "in_flight",
    "rpm": "requests_per_minute",
    "tpm": "tokens_per_minute",
}
"""What other tools call it."""
_OF_A_MODEL = frozenset({"requests_per_minute", "tokens_per_minute"})
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(s|m|min|h|d)\s*", re.IGNORECASE)
_UNITS = {"s": (1, "second"), "m": (60, "minute"), "min": (60, "minute"), "h": (3600, "hour"), "d": (86_400, "day")}
_RANGES = frozenset({"finite_number", "greater_than", "greater_than_equal", "less_than", "less_than_equal"})


def explain(error: ValidationError, data: Json, schema: Json, places: Places, only: str | None = None) -> list[Problem]:
    """One problem per field. `schema` is the JSON schema of what was expected, for ranges and key names.

    `data` is what was validated; `only` keeps errors of one type of pydantic's.
    """
    by_path: dict[Path, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        if only in (None, detail["type"]):
            by_path.setdefault(_real_path(detail, data), []).append(detail)
    problems = []
    for path, details in by_path.items():
        kind = details[0]["type"]
        message, path = _message(path, details, data, schema, places)
        problems.append(places.problem(dotted(path), message, at_key=kind == "extra_forbidden"))
    return problems


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean threshold?`, or nothing when no known word is near."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def found(value: Json, spelled: str | None = None) -> str:
    """What stands in the file, for messages: `text 'ten'`, `the number 1.10`, `a list`."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        text = value if spelled is None else spelled
        return f"text {text if len(text) <= 60 else text[:60] + '…'!r}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value if spelled is None else spelled}"
    return "a list" if isinstance(value, list | tuple) else "a mapping" if isinstance(value, dict) else repr(value)[:60]


def _real_path(detail: ErrorDetails, data: Json) -> Path:
    """The place of an error without the steps that only pydantic knows (the members of a union)."""
    path: list[str | int] = []
    node = data
    last = len(detail["loc"]) - 1
    for index, part in enumerate(detail["loc"]):
        inside = (isinstance(node, dict) and part in node) or (
            isinstance(node, list) and isinstance(part, int) and part < len(node)
        )
        if inside:
            node = node[part]
            path.append(part)
        elif index == last and detail["type"] == "missing":
            path.append(part)
    return tuple(path)


def _message(path: Path, details: Sequence[ErrorDetails], data: Json, schema: Json, places: Places) -> tuple[str, Path]:
    detail = details[0]
    kind, value = detail["type"], _at(data, path)
    spelled = places.spelled.get(dotted(path))
    if isinstance(value, int | float) and path and is_secret_field(str(path[-1])):
        spelled = MASK  # a secret of digits
    if kind == "extra_forbidden":
        known = {name for node in _schemas(schema, path[:-1]) for name in node.get("properties", {})}
        return f"unknown key{_hint(str(path[-1]), known)}", path
    if kind == "missing":
        return "missing", path
    if kind in _RANGES:
        allowed = next(filter(None, map(_range, _schemas(schema, path))), "a finite number")
        return f"expected {allowed}, got {spelled or value}", path
    expected = [_EXPECTED[other["type"]] for other in details if other["type"] in _EXPECTED]
    if expected and (seconds := _seconds(path, value)):
        return f"expected seconds: {seconds}, got {found(value, spelled)}", path
    if expected:
        wanted = " or ".join(dict.fromkeys(expected))
        quote = "; write it in quotes" if wanted == "text" and isinstance(value, bool | int | float) else ""
        return f"expected {wanted}, got {found(value, spelled)}{quote}", path
    if kind in ("literal_error", "enum"):
        words = detail["ctx"]["expected"]
        near = nearest(str(value), [word.strip("' ") for word in words.replace(" or ", ",").split(",")])
        return f"expected {words}, got {found(value, spelled)}{near}", path
    if kind in ("too_short", "string_too_short"):
        return "may not be empty", path
    if kind == "value_error":
        return _own_words(str(detail["ctx"]["error"]), path, places)
    return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, got {found(value, spelled)}", path


def _hint(key: str, known: Collection[str]) -> str:
    meant = _SYNONYMS.get(key.lower(), key)
    if meant in _OF_A_MODEL and meant not in known:
        return f"; {meant} belongs in the model's file: it holds for all suites that ask the model"
    if meant in known:
        return f"; did you mean {meant}?"
    return nearest(key, sorted(known)) or f"; there are {', '.join(sorted(known))}"


def _seconds(path: Path, value: Json) -> str | None:
    """`7200 for 2 hours` where a number of seconds was expected and another unit is written."""
    of_seconds = bool(path) and str(path[-1]).endswith("_s")
    written = _DURATION.fullmatch(value) if of_seconds and isinstance(value, str) else None
    if written is None:
        return None
    number, (seconds, unit) = float(written[1]), _UNITS[written[2].lower()]
    return f"{number * seconds:.10g} for {written[1]} {unit}{'' if number == 1 else 's'}"


def _own_words(message: str, path: Path, places: Places) -> tuple[str, Path]:
    """A rule of ours may begin with the field that it means: `gate.metrics.rouge: no metric of that name`."""
    field, colon, rest = message.partition(": ")
    inner = (*path, *field.split("."))
    if colon and dotted(inner) in places.values:
        return rest, inner
    return message, path


def _at(data: Json, path: Path) -> Json:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        else:
            data = data[part] if isinstance(data, list) and isinstance(part, int) and part < len(data) else None
    return data


def _schemas(root: Json, path: Sequence[str | int]) -> list[dict[str, Any]]:
    """The parts of a JSON schema that may describe the value at a path."""
    nodes = _choices(root, root)
    for part in path:
        inner: list[Json] = []
        for node in nodes:
            if isinstance(part, int):
                inner += (node.get("prefixItems") or [])[part : part + 1] or [node.get("items")]
            else:
                inner.append(node.get("properties", {}).get(part, node.get("additionalProperties")))
        nodes = [choice for one in inner if isinstance(one, dict) for choice in _choices(one, root)]
    return nodes


def _choices(node: Json, root: Json) -> list[dict[str, Any]]:
    while "$ref" in node:
        node = root["$defs"][node["$ref"].rpartition("/")[2]]
    options = node.get("anyOf")
    return [choice for option in options for choice in _choices(option, root)] if options else [node]


def _range(node: dict[str, Any]) -> str | None:
    """`a number from 0 to 1`, `a number above 0 and below 0.5`, or None for a schema without bounds."""
    low, high = node.get("minimum"), node.get("maximum")
    above, below = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
    what = "a whole number" if node.get("type") == "integer" else "a number"
    if low is not None and high is not None:
        return f"{what} from {low:g} to {high:g}"
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (("of at least", low), ("above", above), ("of at most", high), ("below", below))
        if bound is not None
    ]
    return f"{what} {' and '.join(bounds)}" if bounds else None
