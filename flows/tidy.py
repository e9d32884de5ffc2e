"""The flow that tidies the ledger: what is older than it shall keep is pruned."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State

from haetae import Workbench
from haetae.flows.endings import ended
from haetae.flows.showing import verbatim
from haetae.flows.working import at_the_bench


@flow(name="tidy", persist_result=False, timeout_seconds=7200)
def tidy(keep_days: int | None = None, compact: bool = False) -> State[Any]:
    """Prune runs that started more than `keep_days` ago, by the rules of `haetae cache prune`, and end as `Tidied`.

    Without `keep_days` nothing is deleted, and a prune that was stopped is finished. `compact` writes an SQLite ledger
    anew; others wait for that long. Runs whose process died are named.
    """

    def work(bench: Workbench) -> Any:
        return bench.tidy(keep_days, compact=compact)

    said = at_the_bench("tidy", work)
    create_markdown_artifact(key="tidy", markdown=verbatim(said.text), description="the ledger")
    return ended("Tidied", said.text.replace("\n", "; "))
