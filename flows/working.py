"""A piece of work at the workbench as a task: tried again where what it needs may come back, and ended by signals.

Flows are plain functions, which Prefect runs in the main thread of a process of their own. Only there is a run told of
signals: it lets what is under way finish, says in the ledger how it ended, and gives back its lease and its turn.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, TypeVar, cast

import httpx
from prefect import runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import TerminationSignal
from prefect.states import Cancelled
from prefect.tasks import Task, exponential_backoff

from haetae import HaetaeError, Report, Workbench
from haetae.flows.leases import outlast_the_lease
from haetae.flows.said_once import say_it_once

T = TypeVar("T")
outlast_the_lease()  # a process loads its flow before it takes the lease
_NO_FAULT = 3
"""The exit code of an error that is nobody's mistake: the ledger, or an endpoint, is away."""


class _Away(HaetaeError):
    """A run was stopped by an endpoint that is away. It is tried again, which goes on with it; `report` is how far it
    came."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"{report.run.id}: {report.run.note}")
        self.report = report


def at_the_bench(what: str, work: Callable[[Workbench], T]) -> T:
    """What `work` returns, which is given a workbench. What may pass is tried six times, over five minutes: an error
    for which nobody is at fault, and a run that such an error stopped, whose report is returned in the end."""
    try:
        return _tried(what, work)
    except _Away as away:
        return cast(T, away.report)


def _may_pass(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return isinstance(error, HaetaeError) and error.exit_code == _NO_FAULT


@task(
    name="at_the_bench",
    task_run_name="{what}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=5,
    retry_delay_seconds=exponential_backoff(backoff_factor=10),
    retry_jitter_factor=0.5,
    retry_condition_fn=_may_pass,
)
def _tried(what: str, work: Callable[[Workbench], T]) -> T:
    if runtime.deployment.id is not None:  # who started this process hears Ctrl-C as well, and passes it on
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say_it_once()
    with Workbench() as bench:
        done = work(bench)
    if isinstance(done, Report) and done.may_pass:
        raise _Away(done)
    return done


def end_of(report: Report) -> State[Any]:
    """How this flow run ends, whose run a signal has ended: as `Cancelled` where a person cancels it. Else raises what
    ends a flow run that a signal stops."""
    if is_cancelled():
        return Cancelled(message=f"{report.run.id}: {report.run.note}")
    if runtime.deployment.id is None:  # a person's own program
        raise KeyboardInterrupt
    raise TerminationSignal(signal.SIGTERM)


def is_cancelled() -> bool:
    """Whether a person cancels this flow run; a signal alone comes from a worker or a machine that goes down."""
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(runtime.flow_run.id).state
    except httpx.HTTPError:  # nobody can cancel it there
        return False
    return state is not None and (state.is_cancelling() or state.is_cancelled())
