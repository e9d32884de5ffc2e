"""The flow of a schedule: run those suites that are due, each once, and end in the worst of their verdicts."""

from __future__ import annotations

import shlex
import time
from datetime import UTC, datetime
from typing import Any

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal

from haetae import Report, Workbench
from haetae.flows.endings import ended
from haetae.flows.naming import flow_run_name, is_scheduled, named, slug
from haetae.flows.progress import shown_progress
from haetae.flows.said_once import say_it_once
from haetae.flows.showing import show, state_of
from haetae.flows.working import at_the_bench, end_of, is_cancelled

_WORST = ("Regressed", "Stopped", "Interrupted", "NoVerdict", "Inconclusive", "Passed", "Completed", "Unchanged")
_BETWEEN_S = 15.0
"""How often is looked whether a suite is free that somebody has: of who died the ledger says so after five minutes."""
_MOST_DEATHS = 3


@flow(name="nightly", flow_run_name=flow_run_name, persist_result=False)
def nightly(suites: list[str], demanded: datetime | None = None, died: int = 0) -> State[Any]:
    """Run those of the suites (paths of their files) that are due, one after the other.

    The ledger knows what is due: a time that was served already, by whomever, is not run again, and of all that was
    missed one run is made. `demanded` is a time since which they are due whatever their schedules say. One that
    another process runs is waited for. Ends as the worst of them did, as `Unchanged` where the same would have come
    out, as `NotDue` where none was due; each says its own in artifacts. Raises the error of the last suite that had
    one, after the others were run.

    `died` is how often its process has died over this, one attempt after the other: after three it ends as `GivenUp`,
    and the next time that is due tries again. Cancelled by a person, what was due counts as served; stopped by a
    signal alone it is due still.
    """
    if died >= _MOST_DEATHS:
        say_it_once()
        return ended("GivenUp", f"its process died {died} times; the next time that is due tries again")
    due = _plain(runtime.flow_run.scheduled_start_time) if is_scheduled() else None
    ends: list[State[Any]] = []
    idle: list[str] = []
    error: Exception | None = None
    for suite in suites:
        try:
            said = _run(suite, due, demanded)
        except TerminationSignal:
            if is_cancelled():
                _leave_out(suite)
            raise
        except Exception as exc:  # the next suite has its turn all the same
            error = exc
            continue
        if not isinstance(said, Report):
            idle.append(said.text)
            if (stands := getattr(said, "report", None)) is not None:  # unchanged since that run
                state = state_of(stands, said.text)
                ends.append(ended("Unchanged", said.text) if state.is_completed() else state)
        elif said.is_interrupted:
            cancelled = end_of(said)
            _leave_out(suite)
            return cancelled
        else:
            ends.append(show(said, shlex.join(["haetae", "show", said.run.id])))
    if error is not None:
        raise error
    if not ends:
        return ended("NotDue", "; ".join(idle) or "no suite was named")
    return min(ends, key=lambda state: _WORST.index(state.name or ""))


def _leave_out(suite: str) -> None:
    with Workbench() as bench:
        bench.leave_out(suite)


def _plain(moment: datetime) -> datetime:
    """Prefect's own kind of time loses its zone when time is taken from it."""
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def _run(suite: str, due: datetime | None, demanded: datetime | None) -> Any:
    """Its report, or why it was not run: what is about to be due, or in another's hands, is waited for."""

    def run(bench: Workbench) -> Any:
        with shown_progress(f"progress-{slug(named(suite))}") as watcher:
            said = bench.run_due(suite, due=due, demanded=demanded, watcher=watcher)
            if not isinstance(said, Report) and said.is_early:
                time.sleep(max(0.0, (said.next_at - datetime.now(UTC)).total_seconds()))
                said = bench.run_due(suite, due=said.next_at, watcher=watcher)
            while not isinstance(said, Report) and said.busy:
                time.sleep(_BETWEEN_S)
                said = bench.run_due(suite, due=due, demanded=demanded, watcher=watcher)
        return said

    return at_the_bench(f"run {named(suite)}", run)
