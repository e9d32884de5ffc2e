"""Serves suites by their schedules: a deployment for each on the Prefect server, run by this process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.exceptions import PrefectHTTPStatusError
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.settings import PREFECT_API_URL
from prefect.types.entrypoint import EntrypointType

from haetae import HaetaeError
from haetae.flows.nightly import nightly


class Served(NamedTuple):
    """A suite, its file, its schedule, and a time that was due and that nobody has served, None where there is none."""

    suite: str
    file: str
    cron: str
    timezone: str
    waiting: datetime | None


def server() -> str | None:
    """The address of the Prefect server, from PREFECT_API_URL or the profile of Prefect; None where none is named."""
    address: str | None = PREFECT_API_URL.value()
    return address


def serve(suites: Sequence[Served], at_once: int) -> None:
    """Serve until the process is stopped, `at_once` suites at the same time; what has been missed is run first.

    Deployments are named after their suites: to serve them again changes them, and makes none anew.
    """
    try:
        asyncio.run(_serve(suites, at_once))
    except (httpx.HTTPError, PrefectHTTPStatusError) as exc:
        raise HaetaeError(f"the Prefect server at {server()} cannot be asked: {exc}") from exc


async def _serve(suites: Sequence[Served], at_once: int) -> None:
    runner = Runner(name="haetae", limit=at_once)
    one_at_a_time = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
    for served in suites:
        deployment = await nightly.ato_deployment(
            name=served.suite,
            schedule=Cron(served.cron, timezone=served.timezone),
            parameters={"suites": [served.file]},
            tags=["haetae", served.suite],
            concurrency_limit=one_at_a_time,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        made = await runner.aadd_deployment(deployment)
        if served.waiting is not None:
            async with get_client() as client:
                await client.create_flow_run_from_deployment(made, name=f"missed {served.waiting:%Y-%m-%d %H:%M}")
    await runner.start()
