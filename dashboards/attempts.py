"""How often it may be tried to sign in."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

_FREE, _LONGEST_S, _FORGOTTEN_S, _MOST = 5, 60.0, 900.0, 10_000


class Attempts:
    """How often a name, or an address, has been tried in vain: five times at will, then after waits that double."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, *who: str) -> float:
        """The seconds until one of these may be tried again; 0 where all may."""
        return max(0.0, *(self._until(one) - self._now() for one in who))

    def failed(self, *who: str) -> None:
        """One more attempt in vain."""
        for one in who:
            times, at = self._failed.pop(one, (0, self._now()))
            times = 1 if self._now() - at > _FORGOTTEN_S else times + 1
            self._failed[one] = (times, self._now())
            if len(self._failed) > _MOST:
                self._failed.popitem(last=False)

    def succeeded(self, *who: str) -> None:
        """What was tried before is forgotten."""
        for one in who:
            self._failed.pop(one, None)

    def _until(self, one: str) -> float:
        times, at = self._failed.get(one, (0, 0.0))
        return at + min(2.0 ** min(times - _FREE, 10), _LONGEST_S) if times >= _FREE else 0.0
