"""What there is to score with: a list of all metrics, and a page of each, from its code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

from haetae.catalog.explain import nearest
from haetae.catalog.metric_factory import build_metric
from haetae.catalog.metric_kinds import FUNCTION, GROUP, known_metrics, load_kind
from haetae.catalog.metric_references import WORDS
from haetae.core.canonical import Json
from haetae.core.metric import MetricFacts
from haetae.errors import ConfigError, MissingExtra, Problem
from haetae.metrics.about import ABOUT, About
from haetae.workbench.metric_source import docstring, source_of, written_parameters
from haetae.workbench.metric_words import flow, takes, words_of
from haetae.workbench.stand_ins import StandIns

_OURS = "haetae.metrics."
_OWN = EntryPoint(FUNCTION, f"{_OURS}own.function:FunctionMetric", GROUP)


@dataclass(frozen=True)
class MetricPage:
    """One metric as people look it up. `parameters` are (name, what it takes, default) as text.

    `with_parameters` is a line that gives one; `extras` say what else is to be installed, and `lacks` what is not
    installed here, so that the facts are not known.
    """

    name: str
    korean: str | None
    doc: str
    example: Json
    facts: MetricFacts | None
    parameters: tuple[tuple[str, str, str], ...]
    with_parameters: str = ""
    extras: tuple[str, ...] = ()
    lacks: str = ""

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
            "with_parameters": self.with_parameters,
            "extras": list(self.extras),
            "facts": facts,
            "parameters": parameters,
        }


def listed() -> dict[str, str]:
    """The first sentence of every metric, by its name; no metric is loaded."""
    return {name: _sentence(point) for name, point in _points().items()}


def page_of(name: str) -> MetricPage:
    """One metric, from its code, or from its source where a library that it needs is not installed.

    Raises ConfigError for a name that is none, and for a metric that cannot be loaded.
    """
    points = _points()
    if name not in points:
        raise ConfigError(f"no metric is called {name}{nearest(name, points)}; there are {', '.join(points)}")
    about, point = ABOUT.get(name, About(name)), points[name]
    facts, lacks = None, ""
    parameters: tuple[inspect.Parameter, ...] = ()
    try:
        factory = point.load() if name == FUNCTION else load_kind(name)
        doc = _doc(factory)
        if name != FUNCTION:
            parameters = tuple(inspect.signature(factory, eval_str=True, locals=WORDS).parameters.values())
            facts = _facts(name, about)
    except MissingExtra as exc:
        lacks, source = str(exc), source_of(point)
        doc, parameters = docstring(source), tuple(written_parameters(source))
    shown = tuple(_shown(parameter) for parameter in parameters)
    line = _with_parameters(name, about.example, parameters)
    return MetricPage(name, about.korean, doc, about.example, facts, shown, line, _extras(about), lacks)


def pages() -> Iterator[MetricPage]:
    """All metrics of this package, in order of their names."""
    return (page_of(name) for name, point in _points().items() if point.value.startswith(_OURS))


def _points() -> Mapping[str, EntryPoint]:
    found = {name: points[0] for name, points in known_metrics().items()} | {FUNCTION: _OWN}
    return dict(sorted(found.items()))


def _sentence(point: EntryPoint) -> str:
    """The first sentence of the docstring, and which package the metric is from where it is not ours."""
    doc = docstring(source_of(point))
    sentence = " ".join(doc.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")
    if point.value.startswith(_OURS):
        return sentence
    origin = f"from {point.module if point.dist is None else point.dist.name}"
    return f"{sentence} ({origin})" if sentence else origin


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


def _shown(parameter: inspect.Parameter) -> tuple[str, str, str]:
    required = parameter.default is parameter.empty
    default = "" if required else "none" if parameter.default is None else flow(parameter.default)
    return parameter.name, takes(parameter.annotation), default


def _with_parameters(name: str, example: Json, parameters: Iterable[inspect.Parameter]) -> str:
    """The line of an example that has no parameters, with one that has a value by itself."""
    optional = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is not p.empty]
    if not isinstance(example, str) or not optional:
        return ""
    shown = next((p for p in optional if p.default is not None), optional[0])
    value = "…" if shown.default is None else flow(shown.default)
    _, slash, own = example.partition("/")
    return f"{name}: {{ {name}: {own if slash else 'true'}, {shown.name}: {value} }}"


def _extras(about: About) -> tuple[str, ...]:
    """What each extra is needed for, and how it is installed."""
    return tuple(
        f"{what or 'It'} needs the extra `{extra}`: `pip install -e '.[{extra}]'`."
        for extra, what in about.extras.items()
    )


def _problem(field: str, message: str) -> Problem:
    return Problem(message, field=field)
