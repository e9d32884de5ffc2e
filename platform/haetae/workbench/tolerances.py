"""A gate's numbers against the scales of its metrics: one that could never fail, or never pass, is a mistake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from haetae.catalog.suite_file import LoadedSuite
from haetae.core.metric import Metric, MetricFacts
from haetae.core.suite import MetricGate
from haetae.errors import ConfigError, Problem


def check_tolerances(loaded: LoadedSuite, metrics: Mapping[str, Metric]) -> None:
    """Raises ConfigError at the field: a tolerance of the whole scale or more, a floor or ceiling beside it."""
    gate = loaded.suite.gate
    problems: list[Problem] = []
    for name, declared in gate.metrics.items() if gate else ():
        problems += [
            loaded.problem(f"gate.metrics.{name}.{field}", message)
            for field, message in _faults(declared, metrics[name].facts)
        ]
    if problems:
        raise ConfigError(problems)


def _faults(declared: MetricGate, facts: MetricFacts) -> Iterator[tuple[str, str]]:
    low, high = facts.low, facts.high
    if declared.max_drop is not None and declared.max_drop >= 1 and low is not None and high is not None:
        yield (
            "max_drop",
            f"expected a share of the scale from 0 to below 1, got {declared.max_drop:g}: nothing could fall so far; "
            f"0.05 is 5 points of 100, here {0.05 * (high - low):g} from {low:g} to {high:g}",
        )
    for field, bound in (("min", declared.min), ("max", declared.max)):
        if bound is None:
            continue
        if (low is not None and bound < low) or (high is not None and bound > high):
            ends = f"from {'…' if low is None else f'{low:g}'} to {'…' if high is None else f'{high:g}'}"
            yield field, f"expected a value of the metric's own scale, {ends}, got {bound:g}"
