"""How far an output agrees with a reference that is JSON."""

from __future__ import annotations

from collections.abc import Sequence

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.metrics.choices import canonical, flag, one_of
from haetae.metrics.form.json_text import read_json
from haetae.metrics.text import nfc, no_reference, references

_Places = dict[tuple[int, str | int], int]
"""The number of each path by the number of the path before it, 0 of the whole, and its last step.

Paths that are spelled out would be as long together as the leaves are many and the nesting deep."""
_Fields = dict[int, Json]


class JsonMatch:
    """Agreement of parsed JSON with the reference's, whatever the order of keys, the blanks and the escapes.

    With `measure` `equal`: 1 where the values are equal, else 0. With `fields`: the share of fields that are
    equal, |equal| / |fields of the output ∪ fields of the reference|, so that a field that is missing and
    one that is too many cost the same. A field is a path to a text, number, boolean, null, empty object or
    empty list; places in a list are part of the path. 1 and 1.0 are one number, whole numbers are exact however
    long, true is no number, texts are compared in NFC. Range 0 to 1, higher is better; the best reference counts.
    An output that is not JSON, or has a key twice in an object, is 0. Unscored where no reference is JSON.
    `fenced: true` takes a Markdown fence off the output.
    """

    def __init__(self, measure: str = "equal", *, fenced: bool = False) -> None:
        self._equal = one_of("json_match", "measure", measure, ("equal", "fields")) == "equal"
        self._fenced = flag("json_match", "fenced", fenced)
        positional = [] if measure == "equal" else [measure]
        self.facts = MetricFacts(
            text=canonical("json_match", *positional, fenced=(fenced, False)),
            version="2",
            needs=frozenset({"reference"}),
            signature={"unicode": "NFC"},
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        read = [read_json(reference, fenced=False) for reference in references(sample)]
        if not read:
            return no_reference()
        places: _Places = {}
        wanted = [_fields(each.value, places) for each in read if each.fault is None]
        if not wanted:
            return Score.unscored(reasons.MISSING_REFERENCE, f"no reference is JSON: {read[0].fault}")
        given = read_json(generation.output, fenced=self._fenced)
        if given.fault is not None:
            return Score(0.0, explanation=f"the output is not JSON: {given.fault}")
        found = _fields(given.value, places)
        if self._equal:
            return Score(float(found in wanted))
        return Score(max(_share(found, fields) for fields in wanted))


def _fields(value: Json, places: _Places) -> _Fields:
    """Every leaf of a value under the number of its path; without recursion, so that no nesting is too deep."""
    fields: _Fields = {}
    waiting: list[tuple[int, Json]] = [(0, value)]
    while waiting:
        path, value = waiting.pop()
        steps: Sequence[tuple[str | int, Json]] = ()
        if isinstance(value, dict):
            steps = [(nfc(key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            steps = list(enumerate(value))
        if steps:
            waiting += [(places.setdefault((path, step), len(places) + 1), inner) for step, inner in steps]
        else:
            fields[path] = _leaf(value)
    return fields


def _leaf(value: Json) -> Json:
    """A leaf as Python compares it right: to Python true is 1."""
    if isinstance(value, str):
        return nfc(value)
    return [value] if isinstance(value, bool) else value


def _share(found: _Fields, wanted: _Fields) -> float:
    equal = sum(1 for path, leaf in found.items() if path in wanted and wanted[path] == leaf)
    return equal / len(found.keys() | wanted.keys())
