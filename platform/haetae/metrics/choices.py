"""The checks that metric constructors share, and the canonical text of a metric."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any

from haetae.core.canonical import Json, dumps, loads
from haetae.errors import ConfigError, Problem

_PLAIN = re.compile(r'(?:[^,()="]|\([^,()"]*+\))++')
"""A text without the marks that part arguments, other than inside a pair of its own brackets."""

_EXACT = 2**53
"""Below it every whole number is a float."""


def one_of(metric: str, parameter: str, value: object, known: Iterable[str]) -> str:
    """The value if it is known. Raises ConfigError with the known values, the nearest first."""
    names = list(known)
    if isinstance(value, str) and value in names:
        return value
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise _wrong(metric, parameter, value, f"is none of {', '.join(names)}{hint}")


def whole(metric: str, parameter: str, value: object, low: int, high: int) -> int:
    """The value if it is a whole number from low to high. Raises ConfigError."""
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise _wrong(metric, parameter, value, f"is not a whole number from {low} to {high}")


def flag(metric: str, parameter: str, value: object) -> bool:
    """The value if it is true or false. Raises ConfigError."""
    if isinstance(value, bool):
        return value
    raise _wrong(metric, parameter, value, "is neither true nor false")


def bounds(metric: str, scale: object) -> tuple[float, float]:
    """A scale [low, high] as two floats. Raises ConfigError unless low and high are finite and low < high."""
    if isinstance(scale, list | tuple) and len(scale) == 2 and _are_numbers(scale):
        low, high = scale
        if float("-inf") < low < high < float("inf"):
            return float(low), float(high)
    shown = [f"{end:g}" for end in scale] if isinstance(scale, list | tuple) and _are_numbers(scale) else None
    written = repr(scale) if shown is None else f"[{', '.join(shown)}]"
    wrong = f"{metric}: scale {written} is not [low, high] with low below high, such as [1, 5]"
    raise ConfigError(Problem(wrong, field="scale"))


def canonical(kind: str, /, *positional: Json, **parameters: tuple[Json, Json]) -> str:
    """`rouge(L, tokenizer=korean)`: the kind, its first argument, and every parameter that is not the default.

    Each parameter is given as (value, default), `...` where it has none. Other values make another text: a text
    is written as it is where it can be read as nothing else, `x`, and as JSON where it could, `"true"`, `"a, b"`.
    Numbers of the same value make the same: 1.0 is written 1.
    """
    shown = [_shown(value) for value in positional]
    for name, (value, default) in parameters.items():
        if default is ... or _shown(value) != _shown(default):
            shown.append(f"{name}={_shown(value)}")
    return f"{kind}({', '.join(shown)})" if shown else kind


def _shown(value: Json) -> str:
    return value if isinstance(value, str) and _is_plain(value) else dumps(_one_number(value))


def _is_plain(text: str) -> bool:
    if not _PLAIN.fullmatch(text) or text != text.strip() or not text.isprintable():
        return False
    try:
        loads(text)
    except json.JSONDecodeError:
        return True
    except ValueError:  # an integer of thousands of digits
        return False
    return False


def _one_number(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, list | tuple):
        return [_one_number(inner) for inner in value]
    return {key: _one_number(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _wrong(metric: str, parameter: str, value: object, why: str) -> ConfigError:
    """The mistake, at its parameter."""
    return ConfigError(Problem(f"{metric}: {parameter} {value!r} {why}", field=parameter))


def _are_numbers(ends: list[Any] | tuple[Any, ...]) -> bool:
    return all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends)
