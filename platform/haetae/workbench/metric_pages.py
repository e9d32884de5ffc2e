"""What there is to score with: a list of all metrics, and a page of each, from its code."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from haetae.catalog.explain import nearest
from haetae.catalog.metric_factory import build_metric
from haetae.catalog.metric_kinds import FUNCTION, GROUP, known_metrics
from haetae.core.canonical import Json
from haetae.core.metric import MetricFacts
from haetae.errors import ConfigError, MissingExtra, Problem
from haetae.metrics.about import ABOUT, About
from haetae.workbench.metric_words import flow, takes, words_of
from haetae.workbench.stand_ins import StandIns

_OURS = "haetae.metrics."
_OWN = EntryPoint(FUNCTION, f"{_OURS}own.function:FunctionMetric", GROUP)


@dataclass(frozen=True)
class MetricPage:
    """One metric as people look it up. `parameters` are (name, what it takes, default) as text."""

    name: str
    korean: str | None
    doc: str
    example: Json
    facts: MetricFacts | None
    parameters: tuple[tuple[str, str, str], ...]

    @property
    def written(self) -> str:
        """The metric's line in a suite file."""
        if isinstance(self.example, str):
            return f"{self.name}: {self.example}"
        inner = ", ".join(f"{key}: {flow(value)}" for key, value in self.example.items())
        return f"{self.name}: {{ {inner} }}"

    @property
    def said(self) -> tuple[str, ...]:
        """What its facts say, in words; nothing where they hang on what it is made of."""
        return () if self.facts is None else words_of(self.facts)

    def as_json(self) -> Json:
        """The page as one JSON object."""
        facts = None if self.facts is None else self.facts.as_json()
        parameters = [{"name": name, "takes": takes, "default": default} for name, takes, default in self.parameters]
        return {
            "name": self.name,
            "korean": self.korean,
            "doc": self.doc,
            "example": self.example,
            "facts": facts,
            "parameters": parameters,
        }


def listed() -> dict[str, str]:
    """The first sentence of every metric, by its name; no metric is loaded."""
    return {name: _sentence(name, point) for name, point in _points().items()}


def page_of(name: str) -> MetricPage:
    """One metric, loaded. Raises ConfigError for a name that is none, MissingExtra for a library that lacks."""
    points = _points()
    if name not in points:
        raise ConfigError(f"no metric is called {name}{nearest(name, points)}; there are {', '.join(points)}")
    about = ABOUT.get(name, About(name))
    point = points[name]
    facts = None if name == FUNCTION else _facts(name, about)
    factory = point.load()
    parameters = () if name == FUNCTION else tuple(_parameters(factory))
    return MetricPage(name, about.korean, _doc(factory), about.example, facts, parameters)


def pages() -> Iterator[MetricPage]:
    """All metrics of this package, in order of their names."""
    return (page_of(name) for name, point in _points().items() if point.value.startswith(_OURS))


def _points() -> Mapping[str, EntryPoint]:
    found = {name: points[0] for name, points in known_metrics().items()} | {FUNCTION: _OWN}
    return dict(sorted(found.items()))


def _sentence(name: str, point: EntryPoint) -> str:
    """The first sentence of the docstring, read in the source without importing it."""
    if not point.value.startswith(_OURS):
        return f"from {point.dist.name}" if point.dist is not None else f"from {point.module}"
    spec = importlib.util.find_spec(point.module)
    if spec is None or spec.origin is None:
        return ""
    tree = ast.parse(Path(spec.origin).read_text("utf-8"))
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == point.attr)
    doc = next((ast.get_docstring(node) for node in classes), None) or ""
    return " ".join(doc.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def _facts(name: str, about: About) -> MetricFacts | None:
    """The facts of the metric that the example makes; None where it would have to be there in earnest."""
    try:
        return build_metric(name, about.example, StandIns(about.prompt), _problem).facts
    except MissingExtra:
        raise
    except ConfigError:
        return None


def _doc(factory: Callable[..., Any]) -> str:
    """The class's docstring, and the source that its module names where it names none."""
    doc = inspect.getdoc(factory) or ""
    module = inspect.getdoc(inspect.getmodule(factory)) or ""
    sources = [paragraph for paragraph in module.split("\n\n") if paragraph.startswith("Source:")]
    return "\n\n".join([doc, *([] if "Source" in doc else sources)])


def _parameters(factory: Callable[..., Any]) -> Iterator[tuple[str, str, str]]:
    for parameter in inspect.signature(factory, eval_str=True).parameters.values():
        required = parameter.default is parameter.empty
        default = "" if required else "none" if parameter.default is None else flow(parameter.default)
        yield parameter.name, takes(parameter.annotation), default


def _problem(field: str, message: str) -> Problem:
    return Problem(message, field=field)
