"""Flow runs that nobody runs any more are ended: each holds the one place of its deployment, and nothing starts there.

The server gives the place back when the state says that the flow run has ended. As one that has crashed it is taken up
again by the automation, and the ledger knows what of it is due still.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.states import Cancelled, Crashed

from haetae.flows.planning import SILENT_S

_BEGUN = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
_SILENT = timedelta(seconds=SILENT_S)
_DIED = "the process that served it has ended"


async def end_all(client: PrefectClient, deployment: UUID) -> None:
    """End those that have begun, whose processes this one has started and seen end."""
    for run in await _begun(client, deployment):
        await _end(client, run)


async def end_the_silent(client: PrefectClient, deployment: UUID) -> None:
    """End those that a process which died has left: where no flow has begun yet, and where none has said for two
    heartbeats that it lives. What was started by a process that died may live on by itself."""
    for run in await _begun(client, deployment):
        if run.state_type == StateType.PENDING or await _is_silent(client, run):
            await _end(client, run)


async def _begun(client: PrefectClient, deployment: UUID) -> Sequence[FlowRun]:
    return await client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_BEGUN))),
    )


async def _is_silent(client: PrefectClient, run: FlowRun) -> bool:
    since = datetime.now(UTC) - _SILENT
    if run.state is None or run.state.timestamp > since:
        return False
    heartbeats = EventFilter(
        occurred=EventOccurredFilter(since=since),
        event=EventNameFilter(name=["prefect.flow-run.heartbeat"]),
        resource=EventResourceFilter(id=[f"prefect.flow-run.{run.id}"]),
    )
    return not (await client.read_events(heartbeats, limit=1)).events


async def _end(client: PrefectClient, run: FlowRun) -> None:
    """What has ended by itself meanwhile the server leaves as it is; who is being cancelled can be nothing else."""
    state: State[Any] = Cancelled(message=_DIED) if run.state_type == StateType.CANCELLING else Crashed(message=_DIED)
    await client.set_flow_run_state(run.id, state)
