"""A report in Prefect's words: numbers, text and links as artifacts, an event, and a state for the verdict."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import httpx
from prefect import get_run_logger, runtime
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.events import emit_event

from haetae import Report, load_settings
from haetae.flows.endings import ended
from haetae.flows.naming import slug, tags_of

_ROWS = 99
_VERDICTS = {
    "pass": "Passed",
    "regression": "Regressed",
    "inconclusive": "Inconclusive",
    "no verdict": "NoVerdict",
}
_UNFINISHED = {"stopped": "Stopped", "interrupted": "Interrupted"}


def show(report: Report, again: str) -> State[Any]:
    """Make the artifacts of a report, tag the flow run, tell its events; the state in which a flow run of it ends.

    A suite without a gate ends as `Completed`, a run that was stopped or that its deadline ended as `Failed`. `again`
    is the command that says the same again. The ledger has all of it: a server that is away costs the artifacts alone.
    """
    reason = report.comparison.reason if report.comparison else report.run.note or "no comparison was asked for"
    state = state_of(report, f"{report.run.id}: {reason}")
    try:
        _tell(report, again, state.name or "")
    except httpx.HTTPError as exc:
        get_run_logger().warning("the server could not be told of %s, which the ledger has: %s", report.run.id, exc)
    return state


def state_of(report: Report, message: str) -> State[Any]:
    """The state for a verdict."""
    if unfinished := _UNFINISHED.get(report.status):
        return ended(unfinished, message)
    return ended("Completed" if report.verdict is None else _VERDICTS[report.verdict.value], message)


def _tell(report: Report, again: str, name: str) -> None:
    key, run = slug(report.run.suite), report.run.id
    estimates = [estimate.as_json() for estimate in report.estimates]
    create_table_artifact(
        key=f"estimates-{key}",
        table=estimates[:_ROWS],
        description=f"{run}: {min(len(estimates), _ROWS)} of {len(estimates)} estimates",
    )
    said = f"# {name}\n\n" if report.comparison is None else f"{report.markdown(again)}\n"
    create_markdown_artifact(key=f"verdict-{key}", markdown=f"{said}{verbatim(report.text)}\n", description=run)
    for kind, link in _links(report).items():
        create_link_artifact(key=f"{kind}-{key}", link=link, link_text=f"{run} in {kind}", description=run)
    with get_client(sync_client=True) as client:
        client.update_flow_run(runtime.flow_run.id, tags=sorted({*runtime.flow_run.tags, *tags_of(report)}))
    _emit(report)


def _links(report: Report) -> dict[str, str]:
    """Where else a person sees this run: the tracker's receipt where that is an address, and the dashboard."""
    receipts = (note.partition(": ") for note in report.notes)
    links = {tracker: said for tracker, _, said in receipts if re.fullmatch(r"https?://\S+", said)}
    if dashboard := load_settings().link:
        links["dashboard"] = f"{dashboard}/run?{urlencode({'suite': report.run.suite, 'run': report.run.id})}"
    return links


def _emit(report: Report) -> None:
    """`haetae.run.finished`, and `haetae.gate.regression` or whatever the verdict was."""
    verdict = None if report.verdict is None else report.verdict.value
    names = ["haetae.run.finished"] if report.status == "finished" else [f"haetae.run.{report.status}"]
    names += [f"haetae.gate.{verdict.replace(' ', '-')}"] if verdict else []
    for name in names:
        emit_event(
            name,
            resource={"prefect.resource.id": f"haetae.suite.{report.run.suite}", "haetae.run": report.run.id},
            related=[{"prefect.resource.id": f"haetae.run.{report.run.id}", "prefect.resource.role": "run"}],
            payload={"suite": report.run.suite, "run": report.run.id, "verdict": verdict},
        )


def verbatim(text: str) -> str:
    """A block of text in which nothing is markup: its fence is longer than any inside."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`+", text))])
    return f"{fence}text\n{text}\n{fence}"
