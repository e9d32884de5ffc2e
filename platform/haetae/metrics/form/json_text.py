"""An output read as JSON: as it is, or out of one Markdown fence where that is allowed."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass

from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.metrics.choices import canonical, flag
from haetae.metrics.text import EMPTY_OUTPUT

_FENCE = re.compile(r"\s*```[ \t]*+(?:json)?+[ \t]*+\n(.*)\n[ \t]*+```\s*", re.DOTALL | re.IGNORECASE)
"""Blanks are not given back once they are read: two ways to share out a line of them would be tried in all pairs."""

_SHOWN = 60
"""Characters of a key or a number that a fault names."""


@dataclass(frozen=True, slots=True)
class Read:
    """The value that a text holds, or the `fault` for which it is not JSON."""

    value: Json = None
    fault: str | None = None


def read_json(text: str, *, fenced: bool) -> Read:
    """Read the whole text as one JSON value; `fenced` takes off a Markdown fence that stands around it.

    Whole numbers are exact, however long. As I-JSON asks (RFC 7493), a key that stands twice in an object is a
    fault, as it says two things, and so is a number beyond all floats. NaN and infinity are not JSON, nor is what
    is nested deeper than the parser can follow (about 1,000).
    """
    if not text.strip():
        return Read(fault=EMPTY_OUTPUT)
    if fenced and (inner := _FENCE.fullmatch(text)):
        text = inner[1]
    try:
        return Read(json.loads(text, object_pairs_hook=_object, parse_float=_float, parse_constant=_refused))
    except json.JSONDecodeError as exc:
        return Read(fault=f"line {exc.lineno}, column {exc.colno}: {exc.msg}")
    except ValueError as exc:  # of the three below, and an integer of thousands of digits
        return Read(fault=str(exc))
    except RecursionError:
        return Read(fault="nested too deep")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice[:_SHOWN]!r} stands twice in one object")
    return found


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:_SHOWN]} is beyond all floats")
    return value


def _refused(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class JsonValid:
    """1 where the whole output is one JSON value (RFC 8259) that can be read in one way, else 0 with the fault.

    `fenced: true` also takes JSON inside one Markdown fence (```` ```json ````). NaN, comments, single
    quotes, trailing commas and prose around the value are faults, and so are a key that stands twice in an object
    and a number beyond all floats (RFC 7493). Range 0 to 1, higher is better. Never
    unscored.
    """

    def __init__(self, *, fenced: bool = False) -> None:
        self._fenced = flag("json_valid", "fenced", fenced)
        self.facts = MetricFacts(text=canonical("json_valid", fenced=(fenced, False)), version="2")

    def score(self, sample: Sample, generation: Generation) -> Score:
        fault = read_json(generation.output, fenced=self._fenced).fault
        return Score(float(fault is None), explanation=fault)
