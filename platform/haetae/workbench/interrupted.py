"""How a run that was interrupted says so: reports read it, without anything of signals."""

from __future__ import annotations

from haetae.core.run import Run, RunStatus

INTERRUPTED = "interrupted"
"""Why a run ends that a signal asked to."""


def by_a_signal(run: Run) -> bool:
    """Whether somebody ended the run, and not its deadline."""
    return run.status is RunStatus.INTERRUPTED and (run.note or "").startswith(f"{INTERRUPTED};")
