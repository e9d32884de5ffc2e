"""A flow run goes on when its server is away for so long that the lease on the place of its deployment lapses.

Prefect would end it, by an exception at whatever the process is about, lest two runs of one deployment overlap. Here
the ledger sees to that: whoever starts beside it waits for the turn of the suite.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import flow_engine

_prefects = flow_engine.maintain_concurrency_lease  # type: ignore[attr-defined]  # it imports it


@contextmanager
def _kept_where_it_can_be(*arguments: Any, **options: Any) -> Iterator[None]:
    with _prefects(*arguments, **{**options, "raise_on_lease_renewal_failure": False}):
        yield


def outlast_the_lease() -> None:
    """In this process, from now on: for flows that ask the ledger whose turn it is."""
    flow_engine.maintain_concurrency_lease = _kept_where_it_can_be  # type: ignore[attr-defined]
