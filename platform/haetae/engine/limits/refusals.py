"""Whether an endpoint refuses calls because they are many, or some calls by chance.

A smaller window helps against a crowd and against chance it does not. So a cut that was made for a moderate share of
refusals is on trial: where two in a row, or more, have made calls fewer and not lowered the share, they are taken
back, and such a share is chance.
"""

from __future__ import annotations

import math
from collections import deque

_MEMORY, _LONG_MEMORY = 64, 128
"""Calls that are remembered, for a cut that can be taken back and for a wait that holds everybody from then on."""
_FEW = 0.1
"""Up to here the share of refused calls is chance without being looked into."""
_MOST = 0.5
"""From here on it is no chance whatever helps: an outage, or a rate that is far exceeded."""
_ROUND, _CLEAR = 40, 20
"""Outcomes after which a cut is judged, and where none is a refusal; then two round trips are enough as well."""
_HELPS = 0.6
"""What a cut that helps leaves of the share of refusals, at most."""
_FEWER = 0.75
"""What a cut that is felt leaves of the calls a second, at most."""
_SPREAD = 0.35
"""Four standard deviations of a share over the calls remembered, for a single outcome's of 1."""
_LEAST_KNOWN = 20
"""Outcomes without which nothing is known of an endpoint."""


class Refusals:
    """The share of calls that are refused, and the trial of the last cuts."""

    def __init__(self) -> None:
        self._share = self._long_share = self._chance = 0.0
        self._seen = self._refused = 0
        self._at = deque[float](maxlen=_ROUND)
        self._cuts, self._before, self._per_s_before, self._uncut = 0, 0.0, 0.0, 0
        self._round, self._refused_in_it, self._cut_at = 0, 0, 0.0
        self._judged, self._last, self._clear = True, False, _CLEAR

    def add(self, refused: bool, now: float, *, since_the_cut: bool) -> int | None:
        """One call's outcome; the window to go back to, None where it may stay."""
        self._seen += 1
        self._refused += refused
        self._at.append(now)
        self._share += (refused - self._share) / _MEMORY
        self._long_share += (refused - self._long_share) / _LONG_MEMORY
        if self._judged or not since_the_cut:
            return None
        self._round += 1
        self._refused_in_it += refused
        if self._round < (_ROUND if self._refused_in_it else self._clear):
            return None
        return self._judge(self._refused_in_it / self._round, self._round / max(now - self._cut_at, 1e-6))

    def _judge(self, share: float, per_s: float) -> int | None:
        self._judged = True
        if share >= _MOST or share < _HELPS * self._before:
            self._cuts = 0
        elif self._cuts > 1 and (self._last or per_s < _FEWER * self._per_s_before):
            self._cuts = 0
            self._chance = max(self._chance, share, self._before)
            return self._uncut
        return None

    def cut(self, now: float, window: int, *, last: bool = False) -> None:
        """The window, so large until now, is cut because of refusals; for the `last` time where it can't be smaller."""
        if not self._cuts:
            self._before, self._per_s_before = self._share, self.per_s(now)
            self._uncut = max(window, self._uncut)
        self._cut_at, self._last, self._clear = now, last, min(_CLEAR, window)
        self._cuts += 1
        self._judged, self._round, self._refused_in_it = False, 0, 0

    def grown(self, window: int) -> None:
        """Without refusals the window has become so large: what it was before is of no interest."""
        if window >= self._uncut and self._judged:
            self._uncut = 0

    def per_s(self, now: float) -> float:
        """Calls that end a second, of late."""
        return len(self._at) / max(now - self._at[0], 1e-6) if self._at else 0.0

    @property
    def many(self) -> bool:
        """Whether more are refused than chance would."""
        return self._long_share > self._bearable

    @property
    def crowded(self) -> bool:
        """Whether the window should be cut: more are refused, and no cut is on trial that may help."""
        return self._share > self._bearable and (self._judged or self._share >= _MOST)

    @property
    def _bearable(self) -> float:
        return max(_FEW, self._chance + _SPREAD * math.sqrt(self._chance * (1 - self._chance)))

    @property
    def in_doubt(self) -> bool:
        """Whether calls are refused in spite of a cut: until it is judged the window does not open."""
        return not self._judged and self._refused_in_it > 0

    @property
    def few(self) -> bool:
        """Whether enough is known to say that refusals are chance."""
        return self._seen >= _LEAST_KNOWN and not self.many and self._refused <= max(_FEW, self._chance) * self._seen
