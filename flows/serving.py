"""A process that serves suites by their schedules, from a Prefect server."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from haetae.flows.automations import install
from haetae.flows.holding import Holder, description, holder_of, noted, this_process
from haetae.flows.left_behind import end_all, end_the_silent
from haetae.flows.nightly import nightly
from haetae.flows.outlasting import OutlastingRunner, wait_for_the_server
from haetae.flows.planning import HEARTBEAT_S, TAG
from haetae.flows.refused import Refused
from haetae.flows.server import asking
from haetae.flows.stopping import children_first

_LOOK_S = 15.0
"""How often a process looks whether what it serves was taken over."""
_GRACE_S = 10.0
"""How long the end waits for the server: it may be away, and who stops us does not wait for ever."""
_TAKEN = (
    "nothing is served here. One process serves a suite: stop that one, or name more suites for it. Where it cannot be "
    "reached, it is free a minute after it died; --take-over takes it at once, and the other ends"
)
_ONE = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
_log = logging.getLogger("haetae.serving")


class Served(NamedTuple):
    """A suite, its file, its schedule, and a time that was due and that nobody has served, None where there is none."""

    suite: str
    file: str
    cron: str
    timezone: str
    waiting: datetime | None

    @property
    def deployment(self) -> str:
        """Of a work pool the deployment has the suite's own name. This one no suite can have."""
        return f"{self.suite} (served)"


def reach() -> None:
    """Wait until the Prefect server is there. Raises a HaetaeError where it is, and refuses."""
    with asking():
        asyncio.run(wait_for_the_server())


def serve(suites: Sequence[Served], at_once: int, begun: Callable[[], None], *, take_over: bool = False) -> None:
    """Serve until the process is stopped, `at_once` suites at the same time; what has been missed is run first.
    `begun` is called when all is there.

    Deployments are named after their suites: to serve them again changes them, and makes none anew. Those of a work
    pool have other names, and are left alone. Raises Refused, before anything is made, where another process serves one
    of them, unless it is taken over.
    """
    os.environ["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] = str(HEARTBEAT_S)
    with asking():
        asyncio.run(_serve(suites, at_once, begun, take_over))


async def _serve(suites: Sequence[Served], at_once: int, begun: Callable[[], None], take_over: bool) -> None:
    runner = OutlastingRunner(name="haetae", limit=at_once, pause_on_shutdown=False)  # _leave does
    me = this_process()
    made: dict[UUID, Served] = {}
    async with get_client() as client:
        held = await _held(client, suites)
        if held and not take_over:
            said = [f"nightly/{name} is served already, by {holder}" for name, holder in held.items()]
            raise Refused("\n".join([*said, _TAKEN]))
        await install(client)
        with children_first() as stop:
            runner.handle_sigterm = stop  # type: ignore[method-assign]  # it would kill what it started
            try:
                for served in suites:
                    await _pause_the_old(client, served.suite)
                    deployment = await _put(runner, served, me)
                    made[deployment] = served
                    if served.deployment not in held:  # who still lives ends its own
                        await end_the_silent(client, deployment)
                    if served.waiting is not None:
                        missed = f"missed {served.waiting:%Y-%m-%d %H:%M}"
                        await client.create_flow_run_from_deployment(deployment, name=missed)
                begun()
                looking = asyncio.create_task(_look(runner, made, me))
                try:
                    await runner.start()
                finally:
                    looking.cancel()
            finally:
                await _leave(made, me)


async def _held(client: PrefectClient, suites: Sequence[Served]) -> Mapping[str, Holder]:
    """Those of these deployments that a process serves now, by their names."""
    held = {}
    for served in suites:
        found = await _read(client, served.deployment)
        if found is not None and (holder := holder_of(found)) is not None:
            held[served.deployment] = holder
    return held


async def _put(runner: OutlastingRunner, served: Served, me: Holder) -> UUID:
    deployment = await nightly.ato_deployment(
        name=served.deployment,
        description=description(served.suite, me),
        schedule=Cron(served.cron, timezone=served.timezone),
        parameters={"suites": [served.file]},
        tags=[TAG, f"suite:{served.suite}"],
        concurrency_limit=_ONE,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return await runner.aadd_deployment(deployment)


async def _look(runner: OutlastingRunner, made: Mapping[UUID, Served], me: Holder) -> None:
    """See what others take over: that is served here no more, and without any the process ends."""
    async with get_client() as client:
        while len(runner.taken) < len(made):
            await asyncio.sleep(_LOOK_S)
            for deployment in made.keys() - runner.taken:
                try:
                    other = noted(await client.read_deployment(deployment))
                except (httpx.HTTPError, ObjectNotFound):  # the next look tells
                    continue
                if other not in (None, me):
                    _log.warning("nightly/%s was taken over, by %s", made[deployment].deployment, other)
                    runner.taken.add(deployment)
    signal.raise_signal(signal.SIGTERM)


async def _leave(made: Mapping[UUID, Served], me: Holder) -> None:
    """Of what is served here still, nothing shall start any more, and no flow run that this process began stay open."""
    try:
        async with asyncio.timeout(_GRACE_S), get_client() as client:
            for deployment, served in made.items():
                if noted(await client.read_deployment(deployment)) == me:
                    left = DeploymentUpdate(paused=True, description=description(served.suite, None))
                    await client.update_deployment(deployment, left)
                    await end_all(client, deployment)
    except (httpx.HTTPError, PrefectHTTPStatusError, ObjectNotFound, TimeoutError) as exc:
        _log.warning(
            "the Prefect server was not told that nothing is served here any more (%s); it is told by the next who "
            "serves it",
            str(exc).partition("\n")[0] or type(exc).__name__,
        )


async def _read(client: PrefectClient, name: str) -> DeploymentResponse | None:
    try:
        return await client.read_deployment_by_name(f"{nightly.name}/{name}")
    except ObjectNotFound:
        return None


async def _pause_the_old(client: PrefectClient, suite: str) -> None:
    """Serving once made the deployment under the suite's own name, and nobody runs what that would start any more."""
    found = await _read(client, suite)
    if found is not None and TAG in found.tags and found.work_pool_name is None and not found.paused:
        await client.update_deployment(found.id, DeploymentUpdate(paused=True))
