"""The flow of one evaluation: run a suite, show its numbers, end in its verdict."""

from __future__ import annotations

import shlex
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from haetae import Report, Workbench
from haetae.flows.naming import flow_run_name, named, slug
from haetae.flows.progress import shown_progress
from haetae.flows.shard import start_hands
from haetae.flows.showing import show
from haetae.flows.working import at_the_bench, end_of


@flow(name="evaluate", flow_run_name=flow_run_name, persist_result=False)
def evaluate(
    suite: str,
    fresh: bool = True,
    model: str | None = None,
    prompt: str | None = None,
    hands: int = 0,
    shards: int | None = None,
) -> State[Any]:
    """Run a suite (the path of its file) and end as `Passed`, `Regressed`, `Inconclusive` or `NoVerdict`.

    `fresh` asks every sample again, because a hosted model drifts behind the same name. `model` and `prompt` are
    evaluated instead of those that the suite names. With `hands` the run is cut into `shards` (default: as suits its
    size), and so many flow runs of the deployment `shard` work on them beside this one. A suite without a gate ends as
    `Completed`. The numbers are an artifact `estimates-<suite>`, the report `verdict-<suite>`; everything else is in
    the ledger.
    """
    opened: list[str] = []  # what is tried again goes on with the run that it has opened

    def run(bench: Workbench) -> Report:
        with shown_progress(f"progress-{slug(named(suite))}") as watcher:
            if not hands:
                return bench.run(suite, fresh=fresh, model=model, prompt=prompt, watcher=watcher)
            if not opened:
                opened.append(bench.share(suite, shards=shards, fresh=fresh, model=model, prompt=prompt).id)
                start_hands(opened[0], hands)
            return bench.resume(opened[0], watcher=watcher)

    report: Report = at_the_bench(f"run {named(suite)}", run)
    if report.is_interrupted:
        return end_of(report)
    return show(report, shlex.join(["haetae", "run", suite, *(["--fresh"] if fresh else [])]))
