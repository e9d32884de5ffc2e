"""How a suite writes a metric: a kind, perhaps a value of its own, and parameters beside it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from haetae.catalog.explain import nearest
from haetae.catalog.metric_references import mentions, takes_mapping
from haetae.core.canonical import Json
from haetae.errors import ConfigError

Complain = Callable[[str, str], None]
"""Takes a problem: the field where it stands, and what it is."""


@dataclass(frozen=True)
class MetricLine:
    """A metric's line, taken apart. `own` is the kind's own value, at `own_field`; `others` are its parameters."""

    field: str
    kind: str
    own: Json
    own_field: str
    others: Mapping[str, Json]

    @classmethod
    def read(cls, field: str, spec: str | Mapping[str, Json]) -> MetricLine:
        """The line at a field. Raises ConfigError for an empty mapping."""
        if isinstance(spec, str):
            kind, slash, own = spec.partition("/")
            return cls(field, kind, own if slash else None, field, {})
        if not spec:
            raise ConfigError("expected a kind of metric, got an empty mapping")
        kind, *keys = spec
        return cls(field, kind, spec[kind], f"{field}.{kind}", {key: spec[key] for key in keys})

    def given(self, parameters: Mapping[str, inspect.Parameter], complain: Complain) -> dict[str, tuple[str, Json]]:
        """Of each parameter that is given its field and its value; `true` is no value but stands for the default."""
        given: dict[str, tuple[str, Json]] = {}
        first = next((p for p in parameters.values() if p.kind is not p.KEYWORD_ONLY), None)
        if isinstance(self.own, dict) and _are_parameters(self.own, parameters, first):
            complain(self.own_field, form(self.kind, self.own))
        elif first is None and not (self.own is None or self.own is True):
            wish = f"; {form(self.kind, parameters)}" if parameters else ""
            complain(self.own_field, f"{self.kind} takes no value of its own{wish}")
        elif first is not None and self.own is not None and not (self.own is True and _may_be_left_out(first)):
            given[first.name] = (self.own_field, self.own)
        for key, value in self.others.items():
            where = f"{self.field}.{key}"
            if key not in parameters:
                hint = nearest(key, parameters) or f"; there are {', '.join(parameters) or 'none'}"
                complain(where, f"unknown parameter of {self.kind}{hint}")
            elif key in given:
                complain(where, f"{key} is given twice: also as the value of {self.kind}")
            else:
                given[key] = (where, value)
        return given


def form(kind: str, parameters: Iterable[str]) -> str:
    """How a line gives these parameters."""
    return f"parameters stand beside the kind: {{ {kind}: true, {', '.join(f'{name}: …' for name in parameters)} }}"


def _may_be_left_out(first: inspect.Parameter) -> bool:
    """Whether `true` stands for the default of a kind's own value rather than for a value."""
    return first.default is not first.empty and not mentions(first.annotation, bool)


def _are_parameters(own: Mapping[str, Json], known: Collection[str], first: inspect.Parameter | None) -> bool:
    """Whether a mapping in the place of a value that is none holds parameters."""
    return bool(own) and all(key in known for key in own) and not (first and takes_mapping(first.annotation))
