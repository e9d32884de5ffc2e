"""Counting what a long text is made of, in steps between which other threads may run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")

_STEP = 20_000
"""Items counted at once: Counter holds the interpreter until it has counted all that it was given."""


def counted(items: Iterator[Item]) -> Counter[Item]:
    """How often each item occurs."""
    found = Counter(islice(items, _STEP))
    while step := tuple(islice(items, _STEP)):
        found.update(step)
    return found


def ngrams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """How often each run of n tokens occurs."""
    return counted(zip(*(tokens[start:] for start in range(n)), strict=False))
