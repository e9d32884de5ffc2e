"""A Python function as a metric: asked for by what `@haetae.metric` says of it, called for each sample."""

from __future__ import annotations

import copy
import functools
import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, SupportsFloat

from haetae.core import reasons
from haetae.core.canonical import Json, dumps
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.engine.functions import called, code_digest
from haetae.errors import ConfigError, Problem, boundary
from haetae.metrics.choices import canonical
from haetae.metrics.own.parameters import Parameters, read_parameters


class MetricFunction:
    """A function that scores, with what its decorator says of it. Called with its parameters it makes the metric.

    `function` is the function itself, as it was written.
    """

    def __init__(self, function: Callable[..., Any], facts: MetricFacts) -> None:
        self.function = function
        self._timeout_s: float | None = None
        functools.update_wrapper(self, function)
        self._parameters = read_parameters(function, facts.text)
        self._facts = replace(facts, needs=facts.needs | self._parameters.needs)
        self.__signature__ = inspect.Signature(list(self._parameters.own.values()))

    def within(self, timeout_s: float) -> MetricFunction:
        """The same function, with a deadline of each call of the metrics that it makes."""
        bound = copy.copy(self)
        bound._timeout_s = timeout_s
        return bound

    def __call__(self, /, **given: Any) -> FunctionMetric:
        """The metric with these values of the function's own parameters. Raises ConfigError, TypeError."""
        bound = self.__signature__.bind(**given)
        bound.apply_defaults()
        shown = {name: (_shown(name, value), self._default(name)) for name, value in bound.arguments.items()}
        files = {name: _digest(value) for name, value in bound.arguments.items() if isinstance(value, Path)}
        signature = {"code": code_digest(self.function), "unicode": "NFC", **({"files": files} if files else {})}
        facts = replace(self._facts, text=canonical("function", self._facts.text, **shown), signature=signature)
        return FunctionMetric(self.function, self._parameters, bound.arguments, facts, self._timeout_s)

    def _default(self, name: str) -> Json:
        default = self._parameters.own[name].default
        return ... if default is inspect.Parameter.empty else _shown(name, default)


class FunctionMetric:
    """What the function returns, in the range that its decorator declares.

    A sync function is called in a thread of its own, so that it may block; several calls may run at once.
    None is unscored with `not_measured`, a number outside the range with `out_of_range`, NaN with
    `not_finite`, a call that exceeds the suite's `limits.timeout_s` with `timeout`; what the function raises
    costs that sample its score and no other. The code of its module and of the files among its parameters is part
    of the signature: an edited function is a new metric.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        parameters: Parameters,
        given: Mapping[str, Any],
        facts: MetricFacts,
        timeout_s: float | None,
    ) -> None:
        self._function = function
        self._parameters = parameters
        self._given = given
        self._timeout_s = timeout_s
        self.facts = facts

    async def score(self, sample: Sample, generation: Generation) -> Score:
        arguments = {**self._given, **self._parameters.fill(sample, generation)}
        found = await called(self._function, arguments, self._name, self._timeout_s)
        if isinstance(found, Score):
            return found
        if found is None:
            return Score.unscored(reasons.NOT_MEASURED, f"{self._name} returned None")
        if not isinstance(found, SupportsFloat):
            kinds = "a number, True or False, a Score or None"
            raise TypeError(f"{self._name} returned {type(found).__name__}; a metric returns {kinds}")
        return Score.of(float(found), self.facts.low, self.facts.high)

    @property
    def _name(self) -> str:
        return self._function.__qualname__


def _shown(name: str, value: Any) -> Json:
    """A parameter in the canonical text: a file by its name. Raises ConfigError for what JSON cannot hold."""
    if isinstance(value, Path):
        return value.name
    try:
        dumps(value)
    except TypeError as exc:
        raise ConfigError(Problem(f"a {type(value).__name__} cannot be kept: {exc}", field=name)) from exc
    return value


def _digest(file: Path) -> str:
    with boundary(ConfigError, f"{file} cannot be read"):
        return hashlib.sha256(file.read_bytes()).hexdigest()
