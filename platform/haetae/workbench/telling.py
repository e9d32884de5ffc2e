"""Trackers are told, never asked: events wait in the outbox until a tracker takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from haetae.core.clock import Clock
from haetae.core.ledger import Ledger
from haetae.core.run import Run
from haetae.core.tracker import Mirror, RunRecord, Tracker
from haetae.settings import Settings
from haetae.trackers.opening import open_mlflow, open_wandb
from haetae.trackers.patience import HURRIED, PATIENT, Patience

_AFTER_RUN_S = 60.0
"""How long a run waits for its trackers at the end, at most: a silent one is left long before."""


@dataclass(frozen=True)
class Telling:
    """Hands records of runs to trackers."""

    settings: Settings
    ledger: Ledger
    clock: Clock
    record_of: Callable[[str], RunRecord]

    def run_ended(self, run: Run) -> list[str]:
        """Queue a finished run for the trackers that its suite names, and deliver what can be delivered."""
        return self.drain(_AFTER_RUN_S, HURRIED) if self._queued(run) else []

    def has_to_tell(self, run: Run) -> bool:
        """Queue a finished run where that was never done, and say whether a tracker has yet to be told of it."""
        return bool(self._queued(run)) and any(waiting.run_id == run.id for waiting in self.ledger.pending())

    def _queued(self, run: Run) -> list[str]:
        """The trackers that its suite names, for all of which the run is in the outbox now."""
        off = {"wandb"} if self.settings.wandb_mode == "off" else set()
        wanted = [tracker for tracker in run.manifest.suite.get("track") or [] if tracker not in off]
        for tracker in wanted:
            self.ledger.enqueue(tracker, run.id, f"{run.id}:{run.manifest.digest[:16]}", self.clock.now())
        return wanted

    def drain(self, deadline_s: float, patience: Patience) -> list[str]:
        """Deliver what is pending; one line per outcome."""
        from haetae.engine.outbox import drain  # most runs tell nobody

        mlflow, wandb = partial(open_mlflow, self.settings.mlflow, patience=patience), partial(self._wandb, patience)
        trackers: dict[str, Callable[[], Tracker]] = {"mlflow": mlflow}
        if self.settings.wandb_mode != "off":
            trackers["wandb"] = wandb
        outcomes = drain(self.ledger, trackers, self.record_of, self.clock, deadline_s=deadline_s)
        return [
            f"{o.tracker}: {o.receipt}"
            if o.error is None
            else f"{o.tracker}: not delivered yet ({o.error}); kept, deliver later with: haetae sync"
            for o in outcomes
        ]

    def sync(self, deadline_s: float) -> list[str]:
        """Deliver what is pending, patiently; one line per outcome, and one where what waits is told to nobody."""
        said = self.drain(deadline_s, PATIENT)
        if self.settings.wandb_mode == "off" and (waiting := self.ledger.pending("wandb")):
            said.append(f"wandb: {len(waiting)} run(s) wait while HAETAE_WANDB_MODE is off; set offline or online")
        return said

    def mirror(self) -> Mirror:
        """The tracker that `mlflow:` names resolve from."""
        return open_mlflow(self.settings.mlflow)

    def _wandb(self, patience: Patience) -> Tracker:
        folder, settings = self.settings.home / "wandb", self.settings
        mode: Literal["offline", "online"] = "online" if settings.wandb_mode == "online" else "offline"
        return open_wandb(folder, project=settings.wandb_project, mode=mode, patience=patience)
