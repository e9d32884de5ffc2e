"""The flow of a schedule: run those suites that are due, each once, and end in the worst of their verdicts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.states import Completed

from haetae import Report, Workbench
from haetae.flows.showing import show

_WORST = ("Regressed", "NoVerdict", "Inconclusive", "Passed", "Completed")


@flow(name="nightly", persist_result=False)
async def nightly(suites: list[str]) -> State[Any]:
    """Run those of the suites (paths of their files) that are due, one after the other.

    The ledger knows what is due: a time that was served already, by whomever, is not run again, and of all that was
    missed one run is made. Ends as the worst of them did, as `NotDue` where none was due; each says its own in
    artifacts. Raises the error of the last suite that had one, after the others were run.
    """
    due = runtime.flow_run.scheduled_start_time if "auto-scheduled" in runtime.flow_run.tags else None
    ended: list[State[Any]] = []
    idle: list[str] = []
    error: Exception | None = None
    for suite in suites:
        try:
            said = await asyncio.to_thread(_run_due, suite, due)
            if not isinstance(said, Report) and said.is_early:
                await asyncio.sleep((said.next_at - datetime.now(UTC)).total_seconds())
                said = await asyncio.to_thread(_run_due, suite, said.next_at)
        except Exception as exc:  # the next suite has its turn all the same
            error = exc
            continue
        if isinstance(said, Report):
            ended.append(await show(said))
        else:
            idle.append(said.text)
    if error is not None:
        raise error
    if not ended:
        return Completed(name="NotDue", message="; ".join(idle) or "no suite was named")
    return min(ended, key=lambda state: _WORST.index(state.name or ""))


def _run_due(suite: str, due: datetime | None) -> Any:
    with Workbench() as workbench:
        return workbench.run_due(suite, due=due)
