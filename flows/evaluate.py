"""The flow of one evaluation: run a suite, show its numbers, end in its verdict."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from haetae import Report, Workbench
from haetae.flows.showing import show


@flow(name="evaluate", flow_run_name="evaluate {suite}", persist_result=False)
async def evaluate(suite: str, fresh: bool = True) -> State[Any]:
    """Run a suite (the path of its file) and end as `Passed`, `Regressed`, `Inconclusive` or `NoVerdict`.

    `fresh` asks every sample again, because a hosted model drifts behind the same name. A suite
    without a gate ends as `Completed`. The numbers are an artifact `estimates-<suite>`, the report
    `verdict-<suite>`; everything else is in the ledger.
    """
    return await show(await asyncio.to_thread(_run, suite, fresh))


def _run(suite: str, fresh: bool) -> Report:
    with Workbench() as workbench:
        return workbench.run(suite, fresh=fresh)
