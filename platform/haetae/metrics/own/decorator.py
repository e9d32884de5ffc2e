"""A metric of one's own: a function with type hints and one decorator.

    @haetae.metric(high=1.0)
    def polite(output: str, *, ending: str = "요") -> float:
        return float(output.rstrip(".!? ").endswith(ending))

A suite names it by `{ function: checks:polite, ending: 니다 }`, or as `polite` where a package offers it as an
entry point of the group `haetae.metrics`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias, overload

from haetae.core.metric import MetricFacts
from haetae.core.score import Score
from haetae.errors import ConfigError, Problem
from haetae.metrics.choices import one_of
from haetae.metrics.own.function import MetricFunction

Result: TypeAlias = float | Score | None
"""What a function returns: a number, True or False, a Score, or None for an answer that it cannot score."""
_NEEDS = ("reference", "contexts", "usage", "latency", "cost")


@overload
def metric(function: Callable[..., Result | Awaitable[Result]], /) -> MetricFunction: ...


@overload
def metric(
    *,
    version: str = "1",
    low: float | None = 0.0,
    high: float | None = 1.0,
    higher_is_better: bool = True,
    needs: Iterable[str] = (),
) -> Callable[[Callable[..., Result | Awaitable[Result]]], MetricFunction]: ...


def metric(
    function: Callable[..., Any] | None = None,
    /,
    *,
    version: str = "1",
    low: float | None = 0.0,
    high: float | None = 1.0,
    higher_is_better: bool = True,
    needs: Iterable[str] = (),
) -> MetricFunction | Callable[[Callable[..., Any]], MetricFunction]:
    """Make a metric of a function: `@metric`, or `@metric(high=5, higher_is_better=False)`.

    The function asks by name for `output`, `input`, `reference` (the first), `references`, `contexts`,
    `metadata`, `sample` and `generation`; a parameter of theirs with a default is left out where the sample
    lacks it. Its other parameters have type hints, and are checked against them in suite files. `low` and
    `high` are its range (None: no bound). `version` changes when its numbers change for a reason that its own
    module does not show. `needs` names what else a sample must have: `usage`, `latency`, `cost`.
    """

    def made(decorated: Callable[..., Any]) -> MetricFunction:
        try:
            facts = MetricFacts(
                text=f"{decorated.__module__}:{decorated.__qualname__}",
                version=version,
                low=low,
                high=high,
                higher_is_better=higher_is_better,
                needs=frozenset(one_of(decorated.__qualname__, "needs", need, _NEEDS) for need in needs),
                deterministic=False,  # what else the function rests on is not known
            )
            _check_range(decorated.__qualname__, low, high)
            return MetricFunction(decorated, facts)
        except ConfigError as exc:
            raise _at(decorated, exc) from exc

    return made if function is None else made(function)


def _at(decorated: Callable[..., Any], error: ConfigError) -> ConfigError:
    """The mistake at the file and line of its function: it stops the import of the whole module."""
    code = getattr(inspect.unwrap(decorated), "__code__", None)
    if code is None:
        return error
    return ConfigError([Problem(p.message, code.co_filename, code.co_firstlineno) for p in error.problems])


def _check_range(name: str, low: float | None, high: float | None) -> None:
    ends = [end for end in (low, high) if end is not None]
    if not all(isinstance(end, int | float) and math.isfinite(end) for end in ends) or ends != sorted(set(ends)):
        raise ConfigError(f"{name}: the range {low} to {high} is not one; low is below high, and None is no bound")
