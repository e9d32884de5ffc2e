"""Models that called themselves by several names in one run: what it measured may not be one model."""

from __future__ import annotations

from haetae.core.ledger import Ledger

_MOST_SHOWN = 3


def renamed(ledger: Ledger, run_id: str) -> tuple[str, ...]:
    """`the target called itself m-2026 and m-2027 in this run`, a note for the target and for each metric."""
    notes = []
    for metric, names in sorted(ledger.reported_models(run_id).items()):
        if len(names) > 1:
            who = f"the judge of {metric}" if metric else "the target"
            shown, more = sorted(names)[:_MOST_SHOWN], len(names) - _MOST_SHOWN
            listed = f"{', '.join(shown)} and {more} more names" if more > 0 else " and ".join(shown)
            notes.append(f"{who} called itself {listed} in this run: it may not have been one model")
    return tuple(notes)
