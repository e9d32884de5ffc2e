"""A shard: a part of a run that one process works on at a time, while others work on its other parts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

_ROUNDS: Final = 8
"""How often a shard fills the calls in flight at least: at its end they run dry before the next one begins."""
_MOST: Final = 32
"""Shards of a run, unless somebody wants more: each may be a task of a scheduler."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The samples of a run from `first` up to `last`, in the order of its dataset.

    `held_by` works on it now; without one it has `ended`, or is to be had. `allotted` is what may be spent on it in
    all, for each limit of the suite's budget, and `spent` what was until it was last given back; while it is
    `unsettled`, for somebody has it, or had it and died, only that of which no row tells.
    """

    number: int
    first: int
    last: int
    ended: bool = False
    held_by: str | None = None
    unsettled: bool = False
    allotted: Mapping[str, float] = field(default_factory=dict)
    spent: Mapping[str, float] = field(default_factory=dict)

    @property
    def places(self) -> range:
        """The places of its samples."""
        return range(self.first, self.last)

    @property
    def is_free(self) -> bool:
        """Whether it is to be had."""
        return not self.ended and self.held_by is None

    @property
    def taken(self) -> Mapping[str, float]:
        """What of the budget nobody else may spend: all that it was allotted, until it is known what was spent."""
        return self.allotted if self.unsettled else self.spent

    @property
    def left(self) -> dict[str, float]:
        """What may still be spent on it, for each limit of the budget."""
        return {name: max(0, limit - self.spent.get(name, 0)) for name, limit in self.allotted.items()}


def cut(samples: int, parts: int) -> list[range]:
    """The places of so many samples in so many parts, which differ by one sample at most; none is empty."""
    parts = min(parts, samples)
    ends = [samples * part // parts for part in range(parts + 1)]
    return [range(first, last) for first, last in pairwise(ends)]


def parts_for(calls: int, in_flight: int) -> int:
    """Into how many shards a run is cut that makes so many calls, so many at once, where nobody says."""
    return max(1, min(_MOST, calls // (_ROUNDS * in_flight)))


def allotment(budget: Mapping[str, float], mine: Shard, others: Sequence[Shard]) -> dict[str, float]:
    """What may be spent on a shard in all: what was, and of what the budget leaves its share among those to be had.

    What others may spend is left to them, and what they spared when they ended comes to those that follow: all
    together never spend more than the budget.
    """
    size = len(mine.places)
    to_have = size + sum(len(other.places) for other in others if other.is_free)
    found = {}
    for name, limit in budget.items():
        before = mine.spent.get(name, 0)
        taken = before + sum(other.taken.get(name, 0) for other in others)
        share = max(0.0, limit - taken) * size / to_have
        found[name] = before + (share if name == "usd" else math.ceil(share))
    return found
