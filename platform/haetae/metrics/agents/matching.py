"""The most pairs between two lists: without a shared end, or also without a crossing.

`fits` has for each item of the first list the places in the second that it may be paired with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence


def longest_in_order(fits: Sequence[Sequence[int]], size: int) -> int:
    """The most pairs of which none cross: the longest common subsequence, row by row. `size` is the second list's."""
    best = [0] * (size + 1)
    for places in fits:
        row, answers = [0] * (size + 1), set(places)
        for place in range(size):
            paired = best[place] + 1 if place in answers else 0
            row[place + 1] = max(paired, best[place + 1], row[place])
        best = row
    return best[-1]


def maximum_matching(fits: Sequence[Sequence[int]]) -> int:
    """The most pairs of which none share a place: one augmenting path after another (Kuhn 1955, Berge 1957)."""
    taken: dict[int, int] = {}
    for start in range(len(fits)):
        came_from: dict[int, int] = {}  # place → the item that reached it
        waiting = deque([start])
        while waiting:
            item = waiting.popleft()
            for place in fits[item]:
                if place in came_from:
                    continue
                came_from[place] = item
                if place not in taken:
                    _turn_over(place, came_from, taken)
                    waiting.clear()
                    break
                waiting.append(taken[place])
    return len(taken)


def _turn_over(place: int, came_from: Mapping[int, int], taken: dict[int, int]) -> None:
    """Give the free place to the end of the path, and what that gave up to the one before it."""
    holds = {item: held for held, item in taken.items()}
    free: int | None = place
    while free is not None:
        item = came_from[free]
        taken[free] = item
        free = holds.get(item)
