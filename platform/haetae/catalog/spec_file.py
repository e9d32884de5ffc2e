"""A strict YAML file against a specification: every mistake of the file at once, sorted by line."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TypeVar

from pydantic import ValidationError

from haetae.catalog.explain import explain
from haetae.catalog.places import Places, dotted
from haetae.core.canonical import Json
from haetae.core.secrets import redact
from haetae.core.suite import Spec
from haetae.errors import ConfigError, Problem

S = TypeVar("S", bound=Spec)


def validated(kind: type[S], value: Json, places: Places, earlier: Iterable[Problem], known: tuple[str, ...] = ()) -> S:
    """The specification in a file's value, or a ConfigError with `earlier` and every further problem.

    `known` are the secrets to keep out of messages. Rules between fields are only looked at by
    pydantic when every field is right; so faulty fields are set aside and it looks once more.
    """
    problems = list(earlier)
    try:
        spec = kind.model_validate(value)
    except ValidationError as error:
        schema = kind.model_json_schema()
        first = explain(error, value, schema, places)
        problems += first
        problems += _second_look(kind, value, schema, places, error, {problem.field or "" for problem in first})
        spec = None
    if spec is None or problems:
        raise ConfigError(list(dict.fromkeys(_redacted(problem, known) for problem in problems)))
    return spec


def _second_look(
    kind: type[S], value: Json, schema: Json, places: Places, error: ValidationError, faulty: set[str]
) -> list[Problem]:
    mended = copy.deepcopy(value)
    invented = {_set_aside(mended, detail["loc"], detail["type"]) for detail in error.errors(include_url=False)}
    try:
        kind.model_validate(mended)
    except ValidationError as again:
        return [
            problem
            for problem in explain(again, mended, schema, places, only="value_error")
            if problem.field not in (None, *faulty)
            and not any(f"{name}.".startswith(f"{problem.field}.") for name in invented if name)
        ]
    return []


def _set_aside(node: Json, loc: tuple[str | int, ...], kind: str) -> str | None:
    """Take a faulty value away; where text was expected, invent some and return its field."""
    for index, part in enumerate(loc):
        if not isinstance(node, dict) or part not in node:
            return None
        if isinstance(node[part], dict) and any(step in node[part] for step in loc[index + 1 :]):
            node = node[part]
        elif kind == "string_type" and not isinstance(node[part], list):
            node[part] = "?"
            return dotted(loc[: index + 1])
        elif kind not in ("value_error", "missing"):
            del node[part]
            return None
    return None


def _redacted(problem: Problem, known: tuple[str, ...]) -> Problem:
    return Problem(redact(problem.message, known), problem.file, problem.line, problem.column, problem.field)
