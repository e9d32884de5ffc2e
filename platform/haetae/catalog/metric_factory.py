"""A metric's line in a suite file becomes a Metric: entry points make them, annotations say what of.

    chrf: chrf                                   → factory()
    faithful: ragas/faithfulness                 → factory("faithfulness") of the kind `ragas`
    rouge: { rouge: L, tokenizer: korean }       → factory("L", tokenizer="korean")
    form: { json_valid: true, fenced: true }     → factory(fenced=True): `true` stands for no value of its own
    polite: { judge: polite.md, model: judge@2 } → factory(Prompt, model=LanguageModel)
    kind: { function: checks:kind, words: [감사] } → the factory is a function of the project, decorated with @metric

A parameter annotated `LanguageModel`, `Prompt`, `Path` or `Outputs` is a reference in the file and resolved
(`metric_references`), one annotated `tuple[LanguageModel, ...]` a list of them; every other value is checked
strictly against its annotation (`metric_arguments`). Only registered entry points are ever called
(`metric_kinds`), and functions decorated as metrics.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from haetae.catalog.explain import found
from haetae.catalog.metric_arguments import OMIT, Arguments
from haetae.catalog.metric_kinds import FUNCTION, known_metrics, lacking, load_kind
from haetae.catalog.metric_line import MetricLine, form
from haetae.catalog.metric_references import WORDS, Resolver
from haetae.core.canonical import Json
from haetae.core.metric import Metric
from haetae.engine.contained import Left, contained
from haetae.errors import ConfigError, MissingExtra, Problem


def build_metric(
    name: str, spec: str | Mapping[str, Json], resolve: Resolver, problem: Callable[[str, str], Problem]
) -> Metric:
    """The metric that a suite calls `name`; `problem` makes a Problem at a dotted field of its file.

    Raises ConfigError with every wrong parameter, MissingExtra for a library that is not installed.
    """
    return _Builder(name, resolve, problem).build(spec)


class _Builder:
    def __init__(self, name: str, resolve: Resolver, problem: Callable[[str, str], Problem]) -> None:
        self._name = name
        self._field = f"metrics.{name}"
        self._resolve = resolve
        self._problem = problem
        self._arguments = Arguments(self._field, resolve, problem)

    def build(self, spec: str | Mapping[str, Json]) -> Metric:
        try:
            line = MetricLine.read(self._field, spec)
        except ConfigError as exc:
            raise self._placed(exc, {}) from exc
        if line.kind == FUNCTION:
            factory = self._function(line.own, line.own_field)
            line = replace(line, kind=str(line.own), own=None)
        else:
            factory = self._factory(line.kind)
        parameters = self._parameters(factory, line.kind)
        given = line.given(parameters, self._arguments.complain)
        arguments = {p.name: self._arguments.value(p, line.kind, given.get(p.name)) for p in parameters.values()}
        if self._arguments.problems:
            raise ConfigError(self._arguments.problems)
        return self._call(factory, line.kind, {k: v for k, v in arguments.items() if v is not OMIT}, given)

    def _function(self, first: Json, field: str) -> Callable[..., Any]:
        if not isinstance(first, str):
            raise ConfigError(self._problem(field, f"expected module:function, got {found(first)}"))
        factory = self._arguments.referred(field, self._resolve.function, first)
        if factory is OMIT:
            raise ConfigError(self._arguments.problems)
        return factory  # type: ignore[no-any-return]  # what the resolver gave

    def _factory(self, kind: str) -> Callable[..., Any]:
        try:
            return load_kind(kind)
        except MissingExtra:
            raise
        except ConfigError as exc:
            hint = f"; {form(self._name, [kind])}" if self._is_a_parameter(kind) else ""
            raise ConfigError([self._problem(self._field, f"{p.message}{hint}") for p in exc.problems]) from exc

    def _is_a_parameter(self, kind: str) -> bool:
        """Whether what stands for the kind is a parameter of the kind that the metric is called after."""
        known = known_metrics()
        called = self._name if kind not in known and self._name in known else None
        return called is not None and kind in self._parameters(load_kind(called), called)

    def _parameters(self, factory: Callable[..., Any], kind: str) -> dict[str, inspect.Parameter]:
        try:
            signature = inspect.signature(factory, eval_str=True, locals=WORDS)
        except (NameError, TypeError, ValueError) as exc:
            raise ConfigError(self._problem(self._field, f"metric {kind!r} has no readable signature: {exc}")) from exc
        variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return {name: p for name, p in signature.parameters.items() if p.kind not in variadic}

    def _call(
        self,
        factory: Callable[..., Any],
        kind: str,
        arguments: Mapping[str, Any],
        given: Mapping[str, tuple[str, Json]],
    ) -> Metric:
        try:
            with contained():
                metric = factory(**arguments)
        except ImportError as exc:
            raise self._placed(lacking(kind, exc), given) from exc
        except ConfigError as exc:
            raise self._placed(exc, given) from exc
        except (TypeError, ValueError, Left) as exc:
            raise ConfigError(self._problem(self._field, f"{kind}: {exc}")) from exc
        if not isinstance(metric, Metric):
            raise ConfigError(self._problem(self._field, f"{kind} made {type(metric).__name__}, which is no metric"))
        return metric

    def _placed(self, error: ConfigError, given: Mapping[str, tuple[str, Json]]) -> ConfigError:
        """A metric's complaints at the fields of the parameters that they name."""
        if isinstance(error, MissingExtra):
            return error
        placed = []
        for problem in error.problems:
            name, dot, inner = (problem.field or "").partition(".")
            field = given[name][0] if name in given else ".".join(filter(None, (self._field, name)))
            placed.append(problem if problem.file else self._problem(f"{field}{dot}{inner}", problem.message))
        return ConfigError(placed)
