"""The rule that Haetae is compared with: a gated mean that is more than 2 points of 100 lower is an alarm."""

from __future__ import annotations

from collections.abc import Mapping

from haetae.core.ledger import Ledger
from haetae.core.run import Run
from haetae.core.verdict import Estimate

POINTS = 2


def alarms(ledger: Ledger, run: Run, baseline: str) -> bool:
    """Whether a gated mean of the run is that much below the baseline run's; slices are not looked at."""
    then = {e.metric: e for e in ledger.estimates(baseline) if not e.slice}
    return any(_fell(e, then, run) for e in ledger.estimates(run.id))


def _fell(estimate: Estimate, baseline: Mapping[str, Estimate], run: Run) -> bool:
    facts, then = run.manifest.metrics[estimate.metric], baseline.get(estimate.metric)
    gated = estimate.metric in run.manifest.suite["gate"]["metrics"] and not estimate.slice
    if not gated or then is None or then.value is None or estimate.value is None:
        return False
    return then.value - estimate.value > POINTS / 100 * ((facts.high or 1.0) - (facts.low or 0.0))
