"""What can be seen of a run while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class EndpointState:
    """How an endpoint is asked at this moment.

    `in_flight` requests are on the wire, of at most `limit`. `waiting` calls are held back by a rate, a quota, a
    pause that the endpoint has asked for, or because it answers nobody: none of them starts for another `wait_s`
    seconds (0: one may start now), and `why` says it in words.
    """

    place: str
    in_flight: int
    limit: int
    wait_s: float
    waiting: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class FailedSample:
    """A (sample, repeat) that got no answer: the reason, and the message for people."""

    sample_id: str
    repeat: int
    reason: str
    message: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; counts are of (sample, repeat) pairs whose rows are on disk.

    `unscored` counts scores without a value, over all metrics. `cost_usd` is None while no call had a
    known price. `retried` counts the calls made beyond the first for an answer. `per_s` is how many pairs were
    done a second of late, `left_s` how many seconds the rest takes at that pace; None while neither can be told.
    `budget_left` is what may still be spent, for each limit of the suite's budget. `endpoints` are those that the
    run asks. `failures` are the pairs that failed since the last time. `before` counts those of `done` that were on
    disk before it began or was continued. `stopping` is why the run was asked to end, once it was: no call is started
    any more, and those under way have a few seconds. `first_limits` is how many calls each endpoint was asked at most
    when the work began.
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
    run: str = ""
    suite: str = ""
    retried: int = 0
    per_s: float | None = None
    left_s: float | None = None
    budget_left: Mapping[str, float] = field(default_factory=dict)
    failures: tuple[FailedSample, ...] = ()
    before: int = 0
    stopping: str | None = None
    first_limits: Mapping[str, int] = field(default_factory=dict)

    @property
    def in_flight(self) -> int:
        """Requests on the wire, over all endpoints."""
        return sum(endpoint.in_flight for endpoint in self.endpoints)


Watcher = Callable[[Progress], None]
