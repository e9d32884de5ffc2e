"""A process that works for a pool: it runs what was deployed there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prefect.client.orchestration import PrefectClient, get_client
from prefect.workers.process import ProcessWorker

from haetae.flows.outlasting import outlasting, wait_for_the_server
from haetae.flows.refused import Refused
from haetae.flows.server import asking
from haetae.flows.stopping import children_first


def work(pool: str, at_once: int | None, healthcheck: bool, begun: Callable[[], None]) -> None:
    """Run what is due of a work pool until the process is stopped, `at_once` flow runs at the same time. `begun` is
    called when the server and the pool are there. Waits for the server; raises Refused for a pool that is not there.
    """
    with asking():
        asyncio.run(_work(pool, at_once, healthcheck, begun))


async def _work(pool: str, at_once: int | None, healthcheck: bool, begun: Callable[[], None]) -> None:
    await wait_for_the_server()
    async with get_client() as client:
        await _look_for(client, pool)
    begun()
    worker = outlasting(ProcessWorker(work_pool_name=pool, limit=at_once, create_pool_if_not_found=False))
    with children_first():
        await worker.start(with_healthcheck=healthcheck)


async def _look_for(client: PrefectClient, pool: str) -> None:
    """Raises Refused where a worker of this pool would run nothing."""
    there = {found.name: found.type for found in await client.read_work_pools()}
    if pool not in there:
        found = f"there are {', '.join(sorted(there))}" if there else "there is none"
        raise Refused(
            f"there is no work pool {pool!r}; {found}. haetae deploy --pool {pool} makes it, and puts the suites there"
        )
    if there[pool] != ProcessWorker.type:
        raise Refused(
            f"the work pool {pool} is of type {there[pool]}, and haetae schedule work is for those of type "
            f"{ProcessWorker.type}: prefect worker start --pool {pool}"
        )
