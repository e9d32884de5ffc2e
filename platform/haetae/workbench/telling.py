"""Trackers are told, never asked: events wait in the outbox until a tracker takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from haetae.core.clock import Clock
from haetae.core.ledger import Ledger
from haetae.core.run import Run
from haetae.core.tracker import Mirror, RunRecord, Tracker
from haetae.settings import Settings
from haetae.trackers.opening import open_mlflow, open_wandb

if TYPE_CHECKING:
    from haetae.trackers.mlflow import MlflowTracker

_AFTER_RUN_S = 60.0
"""How long a run waits for its trackers at the end, at most."""


@dataclass(frozen=True)
class Telling:
    """Hands records of runs to trackers."""

    settings: Settings
    ledger: Ledger
    clock: Clock
    record_of: Callable[[str], RunRecord]

    def run_ended(self, run: Run) -> list[str]:
        """Queue a finished run for the trackers that its suite names, and deliver what can be delivered."""
        return self.drain(_AFTER_RUN_S) if self._queued(run) else []

    def has_to_tell(self, run: Run) -> bool:
        """Queue a finished run where that was never done, and say whether a tracker has yet to be told of it."""
        return bool(self._queued(run)) and any(waiting.run_id == run.id for waiting in self.ledger.pending())

    def _queued(self, run: Run) -> list[str]:
        """The trackers that its suite names, for all of which the run is in the outbox now."""
        wanted: list[str] = run.manifest.suite.get("track") or []
        for tracker in wanted:
            self.ledger.enqueue(tracker, run.id, f"{run.id}:{run.manifest.digest[:16]}", self.clock.now())
        return wanted

    def drain(self, deadline_s: float) -> list[str]:
        """Deliver what is pending; one line per outcome."""
        from haetae.engine.outbox import drain  # most runs tell nobody

        trackers: dict[str, Callable[[], Tracker]] = {"mlflow": self._mlflow, "wandb": self._wandb}
        outcomes = drain(self.ledger, trackers, self.record_of, self.clock, deadline_s=deadline_s)
        return [
            f"{o.tracker}: {o.receipt}"
            if o.error is None
            else f"{o.tracker}: not delivered yet ({o.error}); kept, deliver later with: haetae sync"
            for o in outcomes
        ]

    def mirror(self) -> Mirror:
        """The tracker that `mlflow:` names resolve from."""
        return self._mlflow()

    def _mlflow(self) -> MlflowTracker:
        return open_mlflow(self.settings.mlflow)

    def _wandb(self) -> Tracker:
        folder = self.settings.home / "wandb"
        return open_wandb(folder, project=self.settings.wandb_project, mode=self.settings.wandb_mode)
