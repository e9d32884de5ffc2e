"""The flow of a gate: run a suite, reusing what is answered, stop at the look that decides, end in the verdict."""

from __future__ import annotations

import shlex
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from haetae import Report, Workbench
from haetae.flows.naming import flow_run_name, named, slug
from haetae.flows.progress import shown_progress
from haetae.flows.showing import show
from haetae.flows.working import at_the_bench, end_of


@flow(name="gate", flow_run_name=flow_run_name, persist_result=False)
def gate(suite: str, model: str | None = None, prompt: str | None = None) -> State[Any]:
    """Run the gate of a suite (the path of its file), and end as `Passed`, `Regressed`, `Inconclusive` or `NoVerdict`.

    `model` and `prompt` are evaluated instead of those that the suite names. A suite without a gate is wrong input.
    """

    def run(bench: Workbench) -> Report:
        with shown_progress(f"progress-{slug(named(suite))}") as watcher:
            return bench.gate(suite, model=model, prompt=prompt, watcher=watcher)

    report: Report = at_the_bench(f"gate {named(suite)}", run)
    if report.is_interrupted:
        return end_of(report)
    return show(report, shlex.join(["haetae", "gate", suite]))
