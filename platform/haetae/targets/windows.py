"""How token sequences become batches of a fixed size: windows over long ones, like lengths together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens `begin` to `end` of sequence `of` are seen at once, those from `scored` on are scored."""

    of: int
    begin: int
    end: int
    scored: int

    @property
    def length(self) -> int:
        return self.end - self.begin


def windows(of: int, length: int, first: int, size: int, stride: int) -> Iterator[Window]:
    """Windows that score each token from `first` on exactly once, but never the very first of all.

    The first window scores all that it sees; each further one sees `size` tokens and scores up to `stride`
    new ones, so that `stride` < `size` leaves each of them at least `size - stride` tokens of context.
    """
    done = max(first, 1)
    end = min(length, size)
    while done < length:
        if end > done:
            yield Window(of, max(0, end - size), end, done)
            done = end
        end = min(length, end + stride)


def batches(found: Sequence[Window], tokens: int) -> Iterator[list[Window]]:
    """The windows in groups of like length, the longest first, each of at most `tokens` with its padding."""
    group: list[Window] = []
    for window in sorted(found, key=lambda window: window.length, reverse=True):
        if group and group[0].length * (len(group) + 1) > tokens:
            yield group
            group = []
        group.append(window)
    if group:
        yield group
