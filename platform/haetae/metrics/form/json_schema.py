"""Whether an output is JSON that a JSON schema allows."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema_rs

from haetae.core.canonical import Json, digest
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError, Problem
from haetae.metrics.choices import canonical, flag
from haetae.metrics.form.json_text import read_json
from haetae.metrics.form.schema_faults import Place, fault, misspelt
from haetae.metrics.text import HALF

_ERRORS = 3
"""Errors that an explanation tells."""

_LENGTH = 200
"""Characters of each: a message may quote the output."""


class JsonSchema:
    """1 where the output is JSON that the schema allows, else 0 with the first faults and their places.

    The schema is a mapping in the suite or a JSON file of the project, of draft 4 to 2020-12 (`$schema`
    says which; 2020-12 where it says nothing). `format` is checked. Patterns run in linear time. Nothing is
    fetched: a `$ref` must point into the schema itself. A wrong schema, a misspelt keyword, a remote `$ref`, an
    unknown format and a pattern with look-around are refused before the run. `fenced: true` takes off a Markdown
    fence. A text with half of a surrogate pair is allowed by no schema. Range 0 to 1, higher is better. Never
    unscored.
    """

    def __init__(self, schema: Path | dict[str, Any], *, fenced: bool = False) -> None:
        self._fenced = flag("json_schema", "fenced", fenced)
        read = _from_file(schema) if isinstance(schema, Path) else schema
        self._validator = _validator(read, str(schema) if isinstance(schema, Path) else None)
        self.facts = MetricFacts(
            text=canonical("json_schema", schema.name if isinstance(schema, Path) else schema, fenced=(fenced, False)),
            version="2",
            signature={"schema": digest(read), "validator": f"jsonschema-rs {version('jsonschema-rs')}"},
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        read = read_json(generation.output, fenced=self._fenced)
        if read.fault is not None:
            return Score(0.0, explanation=f"the output is not JSON: {read.fault}")
        if _holds_half(read.value):
            return Score(0.0, explanation="a text of the output holds half of a character (a lone surrogate)")
        if self._validator.is_valid(read.value):
            return Score(1.0)
        faults: list[str] = []
        for error in self._validator.iter_errors(read.value):
            if len(faults) == _ERRORS:
                faults.append("…")
                break
            place = "/".join(map(str, error.instance_path))
            faults.append(f"{place or 'the whole'}: {error.message[:_LENGTH]}")
        return Score(0.0, explanation="; ".join(faults))


def _holds_half(value: Json) -> bool:
    """Whether a key or text holds half of a character; the validator looks only at those that its schema speaks of."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and HALF.search(value):
            return True
        if isinstance(value, dict):
            waiting += (*value, *value.values())
        elif isinstance(value, list):
            waiting += value
    return False


def _from_file(path: Path) -> Json:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(Problem(f"the schema cannot be read: {exc}", file=str(path))) from exc
    read = read_json(text, fenced=False)
    if read.fault is not None or not isinstance(read.value, dict | bool):
        fault = read.fault or f"expected an object, got {type(read.value).__name__}"
        raise ConfigError(Problem(f"no JSON schema: {fault}", file=str(path)))
    return read.value


def _validator(schema: Json, file: str | None) -> jsonschema_rs.Validator:
    wrong = list(misspelt(schema))
    try:
        validator = jsonschema_rs.validator_for(
            schema,
            validate_formats=True,
            ignore_unknown_formats=False,
            retriever=_refuse,
            pattern_options=jsonschema_rs.RegexOptions(),  # the linear engine: no look-around, no back-references
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as exc:
        why = getattr(exc, "message", str(exc))
        wrong.append(fault(schema, tuple(getattr(exc, "instance_path", ())), why))
    if wrong:
        raise ConfigError([_problem(place, why, file) for place, why in wrong])
    return validator


def _problem(place: Place, why: str, file: str | None) -> Problem:
    """A mistake at its place of the suite, or of the schema's own file."""
    field = ".".join(map(str, place if file else ("schema", *place)))
    return Problem(f"no JSON schema that can be used: {why}", file=file, field=field or None)


def _refuse(uri: str) -> Json:
    raise ValueError(f"{uri} is not fetched")
