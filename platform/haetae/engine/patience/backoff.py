"""How long a call that failed is waited with before it is made again: "full jitter".

M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import random

_FIRST_S, _LONGEST_S = 0.25, 30.0


def backoff(tries: int, rng: random.Random) -> float:
    """Seconds to wait after so many tries: the longest wait grows with each, and each wait is drawn up to it."""
    return rng.uniform(0, min(_LONGEST_S, _FIRST_S * 2 ** (tries - 1)))
