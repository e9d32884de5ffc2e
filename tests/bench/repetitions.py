"""Many repetitions of one question, over several processes, each from its own seed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

CHUNK = 100

Answers = list[Any]
Ask = Callable[..., Answers]


class Repetitions:
    """Spreads repetitions over processes; `share` scales how many there are."""

    def __init__(self, pool: ProcessPoolExecutor, seed: int, share: float) -> None:
        self.pool, self.seed, self.share = pool, seed, share

    def start(self, question: Ask, repetitions: int, *world: object) -> Callable[[], Answers]:
        """Begin asking; the returned function waits for all answers."""
        wanted = max(20, round(repetitions * self.share))
        chunks = [min(CHUNK, wanted - done) for done in range(0, wanted, CHUNK)]
        # A chunk's seed is made of what is asked, so that adding a row changes no other row.
        salt = [ord(c) for c in f"{question.__name__}{world}"]
        jobs = [self.pool.submit(question, [self.seed, i, *salt], n, *world) for i, n in enumerate(chunks)]
        return lambda: [answer for job in jobs for answer in job.result()]
