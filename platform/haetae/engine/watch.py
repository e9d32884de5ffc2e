"""What can be seen of a run while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; counts are of (sample, repeat) pairs whose rows are on disk.

    `unscored` counts scores without a value, over all metrics. `cost_usd` is None while no call had a
    known price.
    """

    done: int
    total: int
    failed: int
    unscored: int
    reused: int
    calls: int
    cost_usd: float | None
    elapsed_s: float


Watcher = Callable[[Progress], None]
