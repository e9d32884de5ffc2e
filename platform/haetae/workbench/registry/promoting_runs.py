"""Whether a run may become the baseline of its suite: its verdict against the one that is the baseline now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haetae.core.ledger import Ledger
from haetae.core.run import Run
from haetae.core.suite import GateSpec
from haetae.core.verdict import Comparison, Verdict
from haetae.errors import ConfigError

if TYPE_CHECKING:
    from haetae.workbench.gating import Gate

_SAID = {
    Verdict.REGRESSION: "it is worse than the baseline",
    Verdict.INCONCLUSIVE: "nothing was shown",
    Verdict.NO_VERDICT: "nothing can be said of it",
}


def refusal(ledger: Ledger, gate: Gate, run: Run, baseline: str) -> ConfigError | None:
    """Why a run does not become this baseline, None where it may: there is none yet, it is that run, or it passed.

    An inconclusive verdict refuses as well: of such a run nothing was shown, and what is let through a step at a time
    adds up. The exit code is that of the verdict, never 0.
    """
    against = ledger.baseline(run.suite, baseline)
    if against is None or against.id == run.id:
        return None
    said = _comparison(ledger, gate, run, against)
    if said.verdict is Verdict.PASS:
        return None
    default = baseline == GateSpec.model_fields["baseline"].default
    command = f"haetae promote {run.id}{'' if default else f' --baseline {baseline}'}"
    refused = ConfigError(
        f"{run.id} does not become the baseline {baseline!r}, which stays {against.id}. "
        f"{said.verdict.value.capitalize()}: {_SAID[said.verdict]}. {said.reason.rstrip('.')}. "
        f"Where it shall none the less: {command} --force --reason WHY"
    )
    refused.exit_code = said.verdict.exit_code or Verdict.NO_VERDICT.exit_code
    return refused


def overruled(ledger: Ledger, run_id: str) -> list[str]:
    """A line for each time that the run became a baseline against its verdict."""
    promotions = [promotion for promotion in ledger.promotions(run_id=run_id) if promotion.reason]
    return [
        f"baseline {p.baseline!r} since {p.at:%Y-%m-%d %H:%M} UTC, its verdict overruled: {p.reason}"
        for p in promotions
    ]


def _comparison(ledger: Ledger, gate: Gate, run: Run, against: Run) -> Comparison:
    """What was said of the run against this baseline, be it by an early look; else what is to be said now."""
    said = ledger.comparison(run.id)
    return said if said is not None and said.baseline[:1] == (against.id,) else gate(run, against)
