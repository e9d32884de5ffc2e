"""The value of each parameter of a metric: resolved where it is a reference, else checked against its annotation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from haetae.catalog.explain import explain, found
from haetae.catalog.metric_references import Resolver, is_several, mentions, reference_kinds, takes_mapping
from haetae.catalog.places import Places
from haetae.core.canonical import Json, dumps
from haetae.core.model import LanguageModel
from haetae.errors import ConfigError, Problem

OMIT: Any = object()
"""In place of a value: the parameter keeps its default, or it has a problem."""
_DEFAULTS = {"model": "judge", "embeddings": "embeddings"}


class Arguments:
    """Makes the values of one metric's line, and collects what is wrong with them in `problems`.

    `field` is the metric's place in the file; `problem` makes a Problem at a dotted field.
    """

    def __init__(self, field: str, resolve: Resolver, problem: Callable[[str, str], Problem]) -> None:
        self.problems: list[Problem] = []
        self._field = field
        self._resolve = resolve
        self._problem = problem
        self._references = reference_kinds(resolve)

    def complain(self, field: str, message: str) -> None:
        """Collect a problem at a field."""
        self.problems.append(self._problem(field, message))

    def value(self, parameter: inspect.Parameter, kind: str, given: tuple[str, Json] | None) -> Any:
        """The value of a parameter that stands at a field, or of one that is not given."""
        required = parameter.default is parameter.empty
        if given is None:
            return self._absent(parameter, kind, required)
        field, value = given
        if value is None and not required:
            return OMIT
        inline = isinstance(value, dict) and takes_mapping(parameter.annotation)
        for word, what, resolve in self._references:
            if mentions(parameter.annotation, word) and not inline:
                return self._named(field, value, what, resolve, several=is_several(parameter.annotation))
        return self._checked(field, parameter, value)

    def referred(self, field: str, resolve: Callable[[str], Any], reference: str) -> Any:
        """What a reference at a field names."""
        try:
            return resolve(reference)
        except ConfigError as exc:
            self.problems += [
                p if p.file else replace(self._problem(field, p.message), variable=p.variable) for p in exc.problems
            ]
            return OMIT

    def _absent(self, parameter: inspect.Parameter, kind: str, required: bool) -> Any:
        role = _DEFAULTS.get(parameter.name) if mentions(parameter.annotation, LanguageModel) else None
        reference = None if role is None else self._resolve.default(role)
        if role is not None and reference is not None:
            return self.referred(role, self._resolve.model, reference)  # one mistake, however many metrics ask
        if required and role is not None:
            self.complain(
                self._field, f"{kind} asks a model: name one with {parameter.name}:, or {role}: for the whole suite"
            )
        elif required:
            self.complain(self._field, f"{kind} needs {parameter.name}")
        return OMIT

    def _named(self, field: str, value: Json, what: str, resolve: Callable[[str], Any], *, several: bool) -> Any:
        """What the text names, or a tuple of what the list of texts names."""
        if several and isinstance(value, list) and value:
            named = [
                self._named(f"{field}.{place}", one, what, resolve, several=False) for place, one in enumerate(value)
            ]
            return OMIT if any(one is OMIT for one in named) else tuple(named)
        if several or not isinstance(value, str):
            wish = f"a list of names of {what}s" if several else f"the name of a {what}"
            self.complain(field, f"expected {wish}, got {found(value)}")
            return OMIT
        return self.referred(field, resolve, value)

    def _checked(self, field: str, parameter: inspect.Parameter, value: Json) -> Any:
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        except (PydanticSchemaGenerationError, PydanticUserError):
            self.complain(field, f"{parameter.name} cannot be set in a suite file")
            return OMIT
        fault = _not_finite(value)
        if fault is not None:
            self.complain(field, f"expected a finite number, got {fault}")
            return OMIT
        try:
            # As JSON, so that a list fits a tuple and a text an enumeration, and nothing else is coerced.
            return adapter.validate_json(dumps(value), strict=True)
        except ValidationError as exc:
            meant = "" if field.endswith(f".{parameter.name}") else f"{parameter.name}: "
            for one in explain(exc, value, adapter.json_schema(), Places("")):
                self.complain(f"{field}.{one.field}" if one.field else field, f"{meant}{one.message}")
            return OMIT


def _not_finite(value: Json) -> float | None:
    if isinstance(value, float) and not abs(value) < float("inf"):
        return value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((fault for fault in map(_not_finite, inner) if fault is not None), None)
