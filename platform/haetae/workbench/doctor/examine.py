"""All that `haetae doctor` looks at, at once: none of it waits for another, and a silent one is left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from haetae.core.clock import SystemClock
from haetae.core.secrets import redact
from haetae.settings import Settings
from haetae.store.health import Finding
from haetae.workbench.doctor.ledger import disk, ledger
from haetae.workbench.doctor.machine import metrics, parts, zones
from haetae.workbench.doctor.mlflow import mlflow
from haetae.workbench.doctor.models import models
from haetae.workbench.doctor.people import alerts, dashboard
from haetae.workbench.doctor.prefect import prefect
from haetae.workbench.doctor.wandb import wandb

_PATIENCE_S = 20.0
"""How long all of it may take; a ledger in a file is read through in its own time."""
_LOOKS: dict[str, Callable[[Settings], Iterator[Finding]]] = {
    "parts": parts,
    "metrics": metrics,
    "disk": disk,
    "zones": zones,
    "ledger": ledger,
    "models": models,
    "mlflow": mlflow,
    "wandb": wandb,
    "prefect": prefect,
    "alerts": alerts,
    "dashboard": dashboard,
}


@dataclass(frozen=True, slots=True)
class Examined:
    """One thing found, and about what."""

    about: str
    finding: Finding


def examine(settings: Settings) -> list[Examined]:
    """What there is to be said of an installation and its servers. Changes nothing, and calls no model."""
    clock = SystemClock()
    heard: dict[str, list[Finding]] = {about: [] for about in _LOOKS}

    def look(about: str) -> None:
        try:
            heard[about].extend(_LOOKS[about](settings))
        except Exception as exc:  # a look that fails is a finding, and no reason to look at nothing else
            heard[about].append(Finding("problem", redact(f"the look at {about} failed: {type(exc).__name__}: {exc}")))

    threads = {about: threading.Thread(target=look, args=(about,), daemon=True) for about in _LOOKS}
    for thread in threads.values():
        thread.start()
    end = clock.monotonic() + _PATIENCE_S
    for about, thread in threads.items():
        in_a_file = about == "ledger" and settings.ledger.startswith("sqlite")
        thread.join(None if in_a_file else max(end - clock.monotonic(), 0))
        if thread.is_alive():
            said = f"the look at {about} took more than {_PATIENCE_S:g} s and was left; what it asks does not answer"
            heard[about].append(Finding("problem", said))
    return [Examined(about, finding) for about, found in heard.items() for finding in list(found)]
