"""The flow of one evaluation on a Dask cluster: its workers take the shards of the run, this process ends it."""

from __future__ import annotations

import shlex
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import wait
from prefect.task_runners import TaskRunner
from prefect_dask.task_runners import DaskTaskRunner

from haetae import Report, Workbench
from haetae.flows.naming import flow_run_name, named
from haetae.flows.showing import show
from haetae.flows.working import at_the_bench, end_of


@flow(name="on-dask", flow_run_name=flow_run_name, persist_result=False)
def on_dask(
    suite: str, scheduler: str | None = None, hands: int = 2, shards: int | None = None, fresh: bool = True
) -> State[Any]:
    """Run a suite by so many hands, each a task of the Dask cluster behind `scheduler` (`tcp://10.0.0.5:8786`), and end
    as `evaluate` does. Without an address a cluster of as many processes is started on this machine.

    Workers have the environment and the files that this process has (HAETAE_LEDGER on Postgres, keys, the suite), at
    the same places seen from HAETAE_HOME. Dask sends Python objects: its ports are for the cluster alone.
    """

    def opened(bench: Workbench) -> str:
        return bench.share(suite, shards=shards, fresh=fresh).id

    def ended(bench: Workbench) -> Report:
        return bench.resume(run)

    run = at_the_bench(f"share {named(suite)}", opened)
    here = {"n_workers": hands, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    runner: TaskRunner[Any] = DaskTaskRunner(address=scheduler) if scheduler else DaskTaskRunner(cluster_kwargs=here)
    _spread.with_options(task_runner=runner)(run, hands)
    report = at_the_bench(f"end {run}", ended)
    if report.is_interrupted:
        return end_of(report)
    return show(report, shlex.join(["haetae", "run", suite, *(["--fresh"] if fresh else [])]))


@flow(name="hands", flow_run_name="hands {run}", persist_result=False)
def _spread(run: str, hands: int) -> None:
    """One task a hand. What one leaves undone, the others do, or whoever ends the run."""
    wait([hand.submit(run, number) for number in range(hands)])


@task(name="hand", task_run_name="hand {number} {run}", cache_policy=NO_CACHE, persist_result=False)
def hand(run: str, number: int) -> str:
    """Work on a shared run; what was done."""
    with Workbench() as bench:
        return bench.work(run).text
