"""A report in Prefect's words: its numbers and text as artifacts, its verdict as the state of the flow run."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from haetae import Report

_ROWS = 99
_ENDINGS = {
    "pass": (Completed, "Passed"),
    "regression": (Failed, "Regressed"),
    "inconclusive": (Completed, "Inconclusive"),
    "no verdict": (Failed, "NoVerdict"),
}


async def show(report: Report) -> State[Any]:
    """Make the artifacts `estimates-<suite>` and `verdict-<suite>`; the state in which a flow run of it ends.

    A suite without a gate ends as `Completed`.
    """
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


def _slug(suite: str) -> str:
    """The suite's name as artifact keys are written: a-z, 0-9 and '-'; a hash where that loses something."""
    slug = re.sub(r"[^a-z0-9]+", "-", suite.lower()).strip("-")
    return slug if slug == suite else f"{slug}-{hashlib.sha256(suite.encode()).hexdigest()[:6]}".lstrip("-")


def _verbatim(text: str) -> str:
    """A block of text in which nothing is markup: its fence is longer than any inside."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`+", text))])
    return f"{fence}text\n{text}\n{fence}"
