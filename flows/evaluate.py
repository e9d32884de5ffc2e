"""The flow of a scheduled evaluation: run a suite, show its numbers, end in its verdict."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from haetae import Workbench

_ROWS = 99
_ENDINGS = {
    "pass": (Completed, "Passed"),
    "regression": (Failed, "Regressed"),
    "inconclusive": (Completed, "Inconclusive"),
    "no verdict": (Failed, "NoVerdict"),
}


@flow(name="evaluate", flow_run_name="evaluate {suite}", persist_result=False)
async def evaluate(suite: str, fresh: bool = True) -> State[Any]:
    """Run a suite (a name or the path of its file) and end as `Passed`, `Regressed`, `Inconclusive` or `NoVerdict`.

    `fresh` asks every sample again, because a hosted model drifts behind the same name. A suite
    without a gate ends as `Completed`. The numbers are an artifact `estimates-<suite>`, the report
    `verdict-<suite>`; everything else is in the ledger.
    """
    report = await asyncio.to_thread(_run, suite, fresh)
    slug = _slug(report.run.suite)
    estimates = [estimate.as_json() for estimate in report.estimates]
    await acreate_table_artifact(
        key=f"estimates-{slug}",
        table=estimates[:_ROWS],
        description=f"{report.run.id}: {min(len(estimates), _ROWS)} of {len(estimates)} estimates",
    )
    verdict = None if report.verdict is None else report.verdict.value
    make, name = _ENDINGS[verdict] if verdict else (Completed, "Completed")
    await acreate_markdown_artifact(key=f"verdict-{slug}", markdown=f"# {name}\n\n{_verbatim(report.text)}\n")
    reason = report.comparison.reason if report.comparison else "no comparison was asked for"
    return make(name=name, message=f"{report.run.id}: {reason}")


def _run(suite: str, fresh: bool) -> Any:
    with Workbench() as workbench:
        return workbench.run(suite, fresh=fresh)


def _slug(suite: str) -> str:
    """The suite's name as artifact keys are written: a-z, 0-9 and '-'; a hash where that loses something."""
    slug = re.sub(r"[^a-z0-9]+", "-", suite.lower()).strip("-")
    return slug if slug == suite else f"{slug}-{hashlib.sha256(suite.encode()).hexdigest()[:6]}".lstrip("-")


def _verbatim(text: str) -> str:
    """A block of text in which nothing is markup: its fence is longer than any inside."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`+", text))])
    return f"{fence}text\n{text}\n{fence}"
