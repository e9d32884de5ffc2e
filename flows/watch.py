"""The flow of the watch: which metrics fell over the scheduled runs, and since when."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State

from haetae import HaetaeError, Workbench
from haetae.flows.endings import ended
from haetae.flows.showing import verbatim
from haetae.flows.working import at_the_bench

_WRONG_INPUT = 2
_STATES = {0: "Quiet", 1: "Alarm", 3: "TooFewRuns"}


@flow(name="watch", persist_result=False, timeout_seconds=1800)
def watch(suites: list[str] | None = None, places: list[str] | None = None) -> State[Any]:
    """Look over the history of these suites (names; default all), and whether somebody serves the schedules of those in
    `places` (files and folders; default this one, where there may be none). Ends as `Quiet`, `Alarm`, `Unserved` or
    `TooFewRuns`.

    An alarm stands until its metric has recovered. The artifact `watch` has every sentence.
    """
    said, unserved = at_the_bench("watch", lambda bench: (bench.monitor(suites), _unserved(bench, places or [])))
    text = "\n".join([said.text, *unserved])
    create_markdown_artifact(key="watch", markdown=verbatim(text), description="the scheduled runs")
    name = _STATES[said.exit_code]
    if unserved and name != "Alarm":
        name = "Unserved"
    found = [*(watched.line for watched in said.alarms if watched.stands), *unserved]
    return ended(name, "; ".join(found) or said.text.splitlines()[0])


def _unserved(bench: Workbench, places: list[str]) -> list[str]:
    """Why a suite is not run when it is due, of each."""
    try:
        return [one.text for one in bench.overdue(*places)]
    except HaetaeError as exc:
        if exc.exit_code != _WRONG_INPUT:
            raise
        return [str(exc)]  # the suites beside it were looked at, and people are told of them
