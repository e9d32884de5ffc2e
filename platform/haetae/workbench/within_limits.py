"""What a suite's budget and the rates of its models mean for a run, said before it starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from haetae.core.canonical import Json, digest
from haetae.core.suite import BudgetSpec
from haetae.workbench.assemble import Assembly
from haetae.workbench.forecast import Forecast, calls_of
from haetae.workbench.words import counted


def ends_early(budget: BudgetSpec | None, spending: Forecast, samples: int) -> Iterator[str]:
    """A line for each limit of the budget that a whole run would exceed, as far as is known what it takes."""
    if budget is None:
        return
    limits: dict[str, tuple[float | None, float | None]] = {
        counted(budget.calls or 0, "call"): (budget.calls, spending.calls),
        counted(budget.tokens or 0, "token"): (budget.tokens, spending.tokens),
        f"${budget.usd or 0:,.10g}": (budget.usd, spending.cost_usd),
    }
    for text, (limit, needed) in limits.items():
        if limit is not None and needed is not None and needed > limit:
            reached = int(samples * limit / needed)
            yield f"the budget ({text}) ends the run after about {reached:,} of {counted(samples, 'sample')}"


def slowest_rate(assembly: Assembly) -> tuple[int, float] | None:
    """The requests a minute that hold the run up longest, and the seconds that it takes at least for them.

    None where no model has such a rate.
    """
    calls: Counter[str] = Counter()
    models: dict[str, Mapping[str, Json]] = {}
    for times, fingerprint in calls_of(assembly):
        models[digest(dict(fingerprint))] = fingerprint
        calls[digest(dict(fingerprint))] += times
    rates = {key: assembly.resolver.requests_per_minute(model) for key, model in models.items()}
    held = [(rate, 60 * calls[key] / rate) for key, rate in rates.items() if rate]
    return max(held, key=lambda one: one[1], default=None)
