"""The flow of a hand: work on the shards of a run that another flow has opened, until none is to be had."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger, runtime
from prefect.client.schemas.objects import State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled

from haetae import Workbench
from haetae.flows.endings import ended
from haetae.flows.working import at_the_bench, is_cancelled


@flow(name="shard", flow_run_name="shard {run}", persist_result=False)
def shard(run: str) -> State[Any]:
    """Work on a shared run. Ends as `Worked`; as `Stopped` where an error or the budget ended the run for all.

    The suite's files have to lie where they lie on the machine that has opened the run, seen from HAETAE_HOME. A hand
    that dies costs nothing but what of its shard was in flight: another has the shard then.
    """

    def work(bench: Workbench) -> Any:
        return bench.work(run)

    worked = at_the_bench(f"work on {run}", work)
    if worked.why is None:
        return ended("Worked", worked.text)
    if not worked.failed and is_cancelled():
        return Cancelled(message=worked.text)
    return ended("Stopped", worked.text)


def start_hands(run: str, hands: int) -> int:
    """Start flow runs of the deployment `shard` of this project, where this flow run is of one; how many."""
    deployment = f"shard/{runtime.deployment.name}"
    log = get_run_logger()
    for number in range(hands):
        try:
            run_deployment(
                deployment,
                parameters={"run": run},
                timeout=0,
                as_subflow=False,
                tags=[f"run:{run}"],
                idempotency_key=f"{runtime.flow_run.id} {number}",
            )
        except ObjectNotFound:
            log.warning("there is no deployment %s (haetae deploy makes it): this process works alone", deployment)
            return number
    return hands
