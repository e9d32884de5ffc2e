"""A gate in looks: samples are asked in an order fixed in advance, until those so far decide."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import compress, pairwise

from haetae.core.run import Run
from haetae.core.sample import Sample
from haetae.core.suite import Suite
from haetae.core.verdict import Comparison
from haetae.engine.budget import Meter
from haetae.engine.evaluate import Evaluation
from haetae.stats.sequential import Design, equal_looks


def looks_of(suite: Suite, samples: int, judged: bool) -> tuple[int, ...] | None:
    """After how many samples to look; None where the gate looks once, at the end."""
    gate = suite.gate
    if gate is None:
        return None
    first = min(samples, suite.limit) if suite.limit is not None else samples
    sequential = judged or suite.budget is not None if gate.sequential is None else gate.sequential
    looks = equal_looks(first, gate.looks) if sequential else (first,)
    if samples > first:
        looks = (*looks, samples)
    return looks if len(looks) > 1 else None


def fixed_order(ids: Iterable[str], seed: int) -> list[int]:
    """The places of these ids in the random order in which a gate in looks asks: the same for the same ids and seed."""
    listed = list(ids)
    order = sorted(range(len(listed)), key=listed.__getitem__)
    random.Random(seed).shuffle(order)  # noqa: S311  # a declared order, not a secret
    return order


def look_of_each(order: Sequence[int], looks: Sequence[int]) -> bytes:
    """For each place, the number of the look before which it is asked."""
    looked = bytearray(len(order))
    for number, (start, stop) in enumerate(pairwise((0, *looks))):
        for place in order[start:stop]:
            looked[place] = number
    return bytes(looked)


class InLooks:
    """Evaluates a run look by look. `comparison` is what the deciding look said, None where none was reached.

    The samples are read again for each look, and those that belong to it are asked in the order of the file: of a
    sample that is not at work nothing is held but the number of its look, `look_of` by its place.
    """

    def __init__(
        self,
        run: Run,
        samples: Iterable[Sample],
        look_of: bytes,
        design: Design,
        evaluation: Callable[[Iterable[Sample]], Evaluation],
        look: Callable[[int], Comparison | None],
        meter: Meter,
    ) -> None:
        self.comparison: Comparison | None = None
        self._run = run
        self._samples = samples
        self._look_of = look_of
        self._design = design
        self._evaluation = evaluation
        self._look = look
        self._meter = meter
        self._current: Evaluation | None = None
        self._stopping = False

    def stop(self) -> None:
        """Take no new sample; what is in flight finishes."""
        self._stopping = True
        if self._current is not None:
            self._current.stop()

    @property
    def stopped_early(self) -> bool:
        """Whether `stop` was called before a look decided."""
        return self.comparison is None

    async def __call__(self) -> None:
        """Evaluate up to the look that decides."""
        for number, done in enumerate(self._design.looks):
            if self._stopping:
                return
            self._current = self._evaluation(compress(self._samples, map(number.__eq__, self._look_of)))
            await self._current()
            if self._current.stopped_early:
                return
            said = await asyncio.to_thread(self._look, number)
            if said is not None:
                self.comparison = replace(said, note=self._note(number, done))
                return

    def _note(self, number: int, done: int) -> str:
        looks, all_samples = len(self._design.looks), self._design.looks[-1]
        saved = round(self._meter.calls / done * (all_samples - done))
        text = f"decided at look {number + 1} of {looks}, after {done} of {all_samples} samples"
        return f"{text}; about {saved:,} calls were saved" if saved else text
