"""How far an output agrees with a reference that is JSON."""

from __future__ import annotations

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.metrics.choices import canonical, flag, one_of
from haetae.metrics.form.json_text import read_json
from haetae.metrics.text import nfc, no_reference, references

_Place = tuple[str | int, ...]
_Fields = dict[_Place, Json]


class JsonMatch:
    """Agreement of parsed JSON with the reference's, whatever the order of keys, the blanks and the escapes.

    With `measure` `equal`: 1 where the values are equal, else 0. With `fields`: the share of fields that are
    equal, |equal| / |fields of the output ∪ fields of the reference|, so that a field that is missing and
    one that is too many cost the same. A field is a path to a text, number, boolean, null, empty object or
    empty list; places in a list are part of the path. 1 and 1.0 are one number, true is no number, texts
    are compared in NFC. Range 0 to 1, higher is better; the best reference counts. An output that is not
    JSON is 0. Unscored where no reference is JSON. `fenced: true` takes a Markdown fence off the output.
    """

    def __init__(self, measure: str = "equal", *, fenced: bool = False) -> None:
        self._equal = one_of("json_match", "measure", measure, ("equal", "fields")) == "equal"
        self._fenced = flag("json_match", "fenced", fenced)
        positional = [] if measure == "equal" else [measure]
        self.facts = MetricFacts(
            text=canonical("json_match", *positional, fenced=(fenced, False)),
            version="1",
            needs=frozenset({"reference"}),
            signature={"unicode": "NFC"},
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        read = [read_json(reference, fenced=False) for reference in references(sample)]
        if not read:
            return no_reference()
        wanted = [_fields(each.value) for each in read if each.fault is None]
        if not wanted:
            return Score.unscored(reasons.MISSING_REFERENCE, f"no reference is JSON: {read[0].fault}")
        given = read_json(generation.output, fenced=self._fenced)
        if given.fault is not None:
            return Score(0.0, explanation=f"the output is not JSON: {given.fault}")
        found = _fields(given.value)
        if self._equal:
            return Score(float(found in wanted))
        return Score(max(_share(found, fields) for fields in wanted))


def _fields(value: Json) -> _Fields:
    """Every leaf of a value under its path; without recursion, so that no nesting is too deep."""
    fields: _Fields = {}
    waiting: list[tuple[_Place, Json]] = [((), value)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting += [((*path, nfc(key)), inner) for key, inner in value.items()]
        elif isinstance(value, list) and value:
            waiting += [((*path, place), inner) for place, inner in enumerate(value)]
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
