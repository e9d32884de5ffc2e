"""What can be seen of a run while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EndpointState:
    """How an endpoint is asked at this moment.

    `in_flight` calls are under way, `limit` may be at most, and nobody asks for another `wait_s` seconds (0: it
    may be asked now).
    """

    place: str
    in_flight: int
    limit: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; counts are of (sample, repeat) pairs whose rows are on disk.

    `unscored` counts scores without a value, over all metrics. `cost_usd` is None while no call had a
    known price. `endpoints` are those that the run asks.
    """

    done: int
    total: int
    failed: int
    unscored: int
    reused: int
    calls: int
    cost_usd: float | None
    elapsed_s: float
    endpoints: tuple[EndpointState, ...] = ()


Watcher = Callable[[Progress], None]
