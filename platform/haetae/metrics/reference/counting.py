"""Counting what texts have in common, in steps between which other threads may run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")

_STEP = 20_000
"""Items counted at once: Counter holds the interpreter until it has counted all that it was given."""


def counted(items: Iterable[Item]) -> Counter[Item]:
    """How often each item occurs."""
    waiting = iter(items)
    found = Counter(islice(waiting, _STEP))
    while step := tuple(islice(waiting, _STEP)):
        found.update(step)
    return found


def ngrams(tokens: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    """Each run of n tokens."""
    return zip(*(tokens[start:] for start in range(n)), strict=False)


def overlap(found: Iterable[Item], wanted: Mapping[Item, int]) -> int:
    """How many of the items found are wanted, each no more often than that."""
    left = dict(wanted)
    hits = 0
    for item in found:
        if many := left.get(item):
            left[item] = many - 1
            hits += 1
    return hits
