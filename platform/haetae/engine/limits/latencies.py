"""Whether answers take longer because calls wait for one another at the endpoint.

A rule in the manner of TCP Vegas (L. Brakmo and L. Peterson, 1995): the shortest answer of a round against the
shortest ever seen. Answers of very different length, or a network that trembles, do not look like a queue: there
the shortest of a round stays short, or lies far below the others of its round.
"""

from __future__ import annotations

import math

_LEAST_ANSWERS = 20
_SHORTEST_QUEUE_S = 0.25
"""Time in a queue that nobody minds."""
_HEADROOM = 1.5
"""The window keeps half as many calls again as the endpoint works on at once."""


class Latencies:
    """Rounds of answers: each tells how large the window should be."""

    def __init__(self) -> None:
        self._shortest = math.inf
        self._tried: tuple[float, float, int] | None = None
        self.restart()

    def restart(self) -> None:
        """Begin a new round: what was asked before tells of another window."""
        self._count, self._sum = 0, 0.0
        self._least, self._most = math.inf, 0.0

    def add(self, seconds: float, window: int) -> float | None:
        """One answer's latency, and the window it was asked in; the window to have, None where it may stay."""
        self._shortest = min(self._shortest, seconds)
        self._least = min(self._least, seconds)
        self._most = max(self._most, seconds)
        self._sum += seconds
        self._count += 1
        if self._count < max(_LEAST_ANSWERS, window):
            return None
        least, most, spread = self._least, self._most, self._sum / self._count - self._least
        self.restart()
        if self._tried is not None:
            before, factor, tried_in = self._tried
            self._tried = None
            if most > before * (1 + factor) / 2:  # a smaller window helped nobody: this is how long it takes now
                self._shortest = least
                return tried_in
        if least - self._shortest <= max(self._shortest, spread, _SHORTEST_QUEUE_S):
            return None
        factor = max(0.5, _HEADROOM * self._shortest / least)
        self._tried = most, factor, window
        return factor * window
