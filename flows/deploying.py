"""Applies the deployments of a project to a Prefect server: twice comes to the same."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from pathlib import PurePosixPath
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate, WorkPoolCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    DeploymentFilterTags,
    FlowFilter,
    FlowFilterName,
)
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.events import DeploymentEventTrigger
from prefect.exceptions import ObjectNotFound
from prefect.utilities.callables import parameter_schema
from prefect.workers.base import BaseWorker
from prefect.workers.utilities import get_available_work_pool_types

from haetae.flows.automations import install
from haetae.flows.owning import Owner, owner_of, taken
from haetae.flows.planning import TAG, Deployment, pull_step, trigger_of
from haetae.flows.prefect_file import job_variables
from haetae.flows.refused import Refused
from haetae.flows.server import asking

_PAGE = 200
_PROCESS = "process"
_OURS = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
_APART = (
    "nothing was deployed. --project NAME keeps evaluate, gate and the others of two projects apart; nights have the "
    "names of their suites: call one otherwise (suite: NAME), or give one project a Prefect server of its own. Where "
    "this is the same project, moved or called otherwise: --take-over"
)
_WAITS = ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)


def deploy(
    plan: Sequence[Deployment],
    owner: Owner,
    places: Collection[str],
    pool: str,
    kind: str | None,
    *,
    take_over: bool = False,
) -> Sequence[str]:
    """Apply a plan, and pause the nights of this owner's suites that lie in `places` (a file, or a folder with all
    below it, from the project's folder) and are in no plan any more. The work pool is made where it is not there, of
    this kind, default process. What was done, a line each.

    Raises Refused before anything is made: where deployments of these names are those of others, unless they are taken
    over; for a kind that there is not.
    """
    with asking():
        return asyncio.run(_deploy(plan, owner, places, pool, kind, take_over))


async def _deploy(
    plan: Sequence[Deployment], owner: Owner, places: Collection[str], pool: str, kind: str | None, take_over: bool
) -> Sequence[str]:
    async with get_client() as client:
        before = {deployment.id: deployment for deployment in await _read(client, _OURS)}
        if (others := taken(await _there(client, plan), owner)) and not take_over:
            raise Refused("\n".join([*others, _APART]))
        lines = [await _pool(client, pool, kind)]
        applied = {}
        for deployment in plan:
            applied[await _apply(client, deployment, str(owner.folder), pool)] = deployment
        lines += [_said_of(deployment, before.get(made), owner) for made, deployment in applied.items()]
        for left in before.values():
            if left.id not in applied and not left.paused and _is_of(left, owner, places):
                await client.update_deployment(left.id, DeploymentUpdate(paused=True))
                lines.append(f"nightly/{left.name}: paused; no suite of that name has a schedule there any more")
        await install(client)
    return lines


async def _pool(client: PrefectClient, name: str, kind: str | None) -> str:
    try:
        found = await client.read_work_pool(name)
    except ObjectNotFound:
        made = kind or _PROCESS
        if made not in BaseWorker.get_all_available_worker_types():  # a server may have to ask the internet for others
            known = await get_available_work_pool_types()
            if made not in known:
                raise Refused(f"there is no type {made!r} of work pools; Prefect knows {', '.join(known)}") from None
        await client.create_work_pool(WorkPoolCreate(name=name, type=made))
        command = "haetae schedule work" if made == _PROCESS else "prefect worker start"
        return f"work pool {name}: made, of type {made}; start a worker: {command} --pool {name}"
    if kind not in (None, found.type):
        raise Refused(f"the work pool {name} is of type {found.type}, not {kind}: name another with --pool")
    return f"work pool {name}: there, of type {found.type}"


async def _read(client: PrefectClient, which: DeploymentFilter) -> Sequence[DeploymentResponse]:
    found: list[DeploymentResponse] = []
    while page := await client.read_deployments(deployment_filter=which, limit=_PAGE, offset=len(found)):
        found += page
    return found


async def _there(client: PrefectClient, plan: Sequence[Deployment]) -> Mapping[str, DeploymentResponse]:
    """Those of a plan that are on the server, whosever they are, by their full names."""
    flows = FlowFilter(name=FlowFilterName(any_=sorted({deployment.flow for deployment in plan})))
    names = {flow.id: flow.name for flow in await client.read_flows(flow_filter=flows)}
    called = DeploymentFilter(name=DeploymentFilterName(any_=sorted({deployment.name for deployment in plan})))
    there = {f"{names.get(found.flow_id)}/{found.name}": found for found in await _read(client, called)}
    return {deployment.full_name: there[deployment.full_name] for deployment in plan if deployment.full_name in there}


async def _apply(client: PrefectClient, deployment: Deployment, folder: str, pool: str) -> UUID:
    module, _, name = deployment.entrypoint.rpartition(".")
    schedules = []
    if deployment.cron:
        cron = CronSchedule(cron=deployment.cron, timezone=deployment.timezone)
        schedules = [DeploymentScheduleCreate(schedule=cron, active=True)]
    made = await client.create_deployment(
        flow_id=await client.create_flow_from_name(deployment.flow),
        name=deployment.name,
        description=deployment.description,
        entrypoint=deployment.entrypoint,
        parameter_openapi_schema=parameter_schema(getattr(import_module(module), name)).model_dump(exclude_unset=True),
        enforce_parameter_schema=True,
        parameters=dict(deployment.parameters),
        schedules=schedules,
        concurrency_limit=1 if deployment.is_alone else None,
        concurrency_options=_WAITS if deployment.is_alone else None,
        tags=list(deployment.tags),
        work_pool_name=pool,
        job_variables=job_variables(),
        pull_steps=[pull_step(folder)],
        paused=False,
    )
    await client.delete_resource_owned_automations(f"prefect.deployment.{made}")
    for alias in deployment.aliases:
        trigger = DeploymentEventTrigger.model_validate(trigger_of(alias))
        trigger.set_deployment_id(made)
        await client.create_automation(trigger.as_automation())
    return made


def _said_of(deployment: Deployment, before: DeploymentResponse | None, owner: Owner) -> str:
    when = f" ({deployment.cron} {deployment.timezone})" if deployment.cron else ""
    if before is None:
        return f"{deployment.full_name}: made{when}"
    was = owner_of(before)
    moved = "" if was.may_be(owner) else f"; before, it was that of {was}"
    return f"{deployment.full_name}: brought up to date{when}{moved}"


def _is_of(deployment: DeploymentResponse, owner: Owner, places: Collection[str]) -> bool:
    """Whether it is the night of a suite in these places of this owner's folder."""
    files = deployment.parameters.get("suites") or []
    within = (PurePosixPath(file).is_relative_to(place) for file in files for place in places)
    return owner_of(deployment).may_be(owner) and any(within)
