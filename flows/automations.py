"""What the server does by itself where a flow run dies: it says so, and starts the suite again."""

from __future__ import annotations

from datetime import timedelta

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from haetae.flows.endings import NAMES
from haetae.flows.planning import SILENT_S, TAG

_RUN = "prefect.flow-run."
_OURS = {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"}
_NIGHTLY = {"prefect.resource.role": "flow", "prefect.resource.name": "nightly"}
_DIED = "{{ (flow_run.parameters.died or 0) + 1 }}"
_DEMANDED = "{{ (flow_run.parameters.demanded or none) | tojson }}"
"""It may have waited for another's run yet, so that no turn tells of it."""
_ENDED = {f"{_RUN}{name}" for name in NAMES}
_ELSEWHERE = {f"{_RUN}{name}" for name in ("Scheduled", "AwaitingConcurrencySlot", "Cancelling")}
"""What else becomes of one that was about to begin: it waits again, or a person cancels it."""
_REST = timedelta(seconds=30)
"""A worker that is being stopped takes what comes due within ten seconds, and what it takes dies with it."""

SILENT = AutomationCore(
    name="haetae: a flow run that falls silent has crashed",
    description="Whose process or machine died sends no heartbeat any more.",
    trigger=EventTrigger(
        posture=Posture.Proactive,
        after={f"{_RUN}heartbeat"},
        expect={f"{_RUN}heartbeat", *_ENDED},
        match={"prefect.resource.id": f"{_RUN}*"},
        match_related=_OURS,
        for_each={"prefect.resource.id"},
        threshold=1,
        within=timedelta(seconds=SILENT_S),
    ),
    actions=[
        ChangeFlowRunState(state=StateType.CRASHED, message=f"no heartbeat for {SILENT_S} seconds: its process died")
    ],
)
NOT_BEGUN = AutomationCore(
    name="haetae: a flow run that does not begin has crashed",
    description="Whose worker died after it took it is begun by nobody, and keeps the one place of its deployment.",
    trigger=EventTrigger(
        posture=Posture.Proactive,
        after={f"{_RUN}Pending"},
        expect={f"{_RUN}Running", *_ENDED, *_ELSEWHERE},
        match={"prefect.resource.id": f"{_RUN}*"},
        match_related=_OURS,
        for_each={"prefect.resource.id"},
        threshold=1,
        within=timedelta(minutes=4),
    ),
    actions=[ChangeFlowRunState(state=StateType.CRASHED, message="it did not begin in 4 minutes: its worker died")],
)
AGAIN = AutomationCore(
    name="haetae: a night that crashed is taken up again",
    description="Its deployment is run again, and goes on where the ledger says that it was left.",
    trigger=EventTrigger(
        posture=Posture.Reactive,
        expect={f"{_RUN}Crashed"},
        match={"prefect.resource.id": f"{_RUN}*"},
        match_related=[_OURS, _NIGHTLY],
    ),
    actions=[
        RunDeployment(
            source="inferred",
            schedule_after=_REST,
            parameters={
                "died": {"__prefect_kind": "json", "value": {"__prefect_kind": "jinja", "template": _DIED}},
                "demanded": {"__prefect_kind": "json", "value": {"__prefect_kind": "jinja", "template": _DEMANDED}},
            },
        )
    ],
)


async def install(client: PrefectClient) -> None:
    """Have all three on the server, once, by their names, as they are here.

    One that is so already is left alone: what is written anew forgets which flow runs it waits to hear of.
    """
    for automation in (SILENT, NOT_BEGUN, AGAIN):
        there = await client.read_automations_by_name(automation.name)
        if not there:
            await client.create_automation(automation)
        for number, found in enumerate(there):
            if number:
                await client.delete_automation(found.id)
            elif AutomationCore(**{name: getattr(found, name) for name in AutomationCore.model_fields}) != automation:
                await client.update_automation(found.id, automation)
