"""The flow of the outbox: what trackers and people have missed is delivered; registries follow each other."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from haetae import Workbench
from haetae.flows.endings import ended
from haetae.flows.events import alias_moved
from haetae.flows.working import at_the_bench


@flow(name="deliver", persist_result=False)
def deliver(deadline_s: float = 240.0) -> State[Any]:
    """Deliver what waits, and end as `Delivered`, `NothingWaits`, or `Waiting` where a tracker did not take it or the
    registry of MLflow could not be looked through.

    What it did not take stays in the outbox, and the next time tries again: nothing is delivered twice.
    """
    lines, left, whole = at_the_bench("deliver", lambda bench: _deliver(bench, deadline_s))
    message = "; ".join(lines)
    if left or not whole:
        return ended("Waiting", message or f"{left} wait for their trackers")
    return ended("Delivered" if lines else "NothingWaits", message or "no tracker has missed anything")


def _deliver(bench: Workbench, deadline_s: float) -> tuple[list[str], int, bool]:
    """A line for each thing that people should know, how much waits still, and whether the registries follow."""
    lines = bench.sync(deadline_s)
    if find_spec("mlflow") is None:
        return lines, bench.waiting(), True
    synced = bench.sync_registry(deadline_s)
    lines += synced.lines
    for move in synced.moves:
        env = bench.settings.env
        if (untold := alias_moved(env, move.kind, move.name, move.alias, move.number, move.before)) is not None:
            lines.append(untold)
            break  # nor would it hear of the others
    return lines, bench.waiting(), synced.whole
