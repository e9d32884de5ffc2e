"""What a call costs in tokens, before it is known: the mean of those that are known."""

from __future__ import annotations


class TokenCost:
    """The mean of what calls of one endpoint have cost. Before the first, a token for every other character asked."""

    def __init__(self) -> None:
        self._calls = self._tokens = 0

    def of(self, characters: int) -> float:
        """What a call will cost."""
        return self._tokens / self._calls if self._calls else characters / 2

    def learn(self, tokens: int) -> None:
        """A call has cost so many."""
        self._calls += 1
        self._tokens += tokens
