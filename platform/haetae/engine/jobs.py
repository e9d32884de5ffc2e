"""What a run has yet to do: the (sample, repeat) pairs that the ledger lacks, with what it knows of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from haetae.core import reasons
from haetae.core.canonical import Json, digest
from haetae.core.clock import Clock
from haetae.core.generation import Failure, Generation
from haetae.core.ledger import Ledger
from haetae.core.metric import Metric
from haetae.core.run import GenerationRow, Run, ScoreRow
from haetae.core.sample import Sample
from haetae.core.target import Target

_LOOKAHEAD = 256
"""How many (sample, repeat) pairs are looked up in the ledger at once."""


class Job(NamedTuple):
    """One (sample, repeat) to do. `known` is an answer that need not be asked for, `scored` the scores it has.

    `looked_up_s` is when the ledger was asked, by a clock that does not run backwards.
    """

    sample: Sample
    repeat: int
    request: Json
    key: str
    known: GenerationRow | None
    scored: Mapping[str, ScoreRow]
    looked_up_s: float


class Jobs:
    """The jobs of one run in the order of its samples, looked up a chunk at a time."""

    def __init__(
        self,
        run: Run,
        samples: Iterable[Sample],
        repeats: int,
        target: Target,
        metrics: Mapping[str, Metric],
        ledger: Ledger,
        clock: Clock,
        reuse: bool,
    ) -> None:
        self._run = run
        self._samples = samples
        self._repeats = repeats
        self._target = target
        self._target_digest = digest(dict(target.fingerprint))
        self._metrics = metrics
        self._ledger = ledger
        self._clock = clock
        self.reuse = reuse and target.reusable
        self.done_before: int | None = None
        self.exhausted = False

    async def to_do(self) -> AsyncGenerator[list[Job], None]:
        """The jobs, a chunk after the other; `exhausted` is set after the last."""
        metrics = list(self._metrics)
        answered, self.done_before = await asyncio.to_thread(self._ledger.done_count, self._run.id, metrics)
        pairs = ((sample, repeat) for sample in self._samples for repeat in range(self._repeats))
        while chunk := list(islice(pairs, _LOOKAHEAD)):
            yield await self._looked_up(chunk, continued=answered > 0)
        self.exhausted = True

    async def _looked_up(self, chunk: list[tuple[Sample, int]], *, continued: bool) -> list[Job]:
        done: Mapping[tuple[str, int], tuple[GenerationRow, Mapping[str, ScoreRow]]] = {}
        if continued:
            done = await asyncio.to_thread(self._ledger.done, self._run.id, [sample.id for sample, _ in chunk])
        jobs, now_s = [], self._clock.monotonic()
        for sample, repeat in chunk:
            generation, scores = done.get((sample.id, repeat), (None, {}))
            if generation is not None and self._complete(generation, scores):
                continue
            if generation is not None and _again(generation.result):  # what looks at the sample alone stays
                generation, scores = None, {name: row for name, row in scores.items() if row.score.value is not None}
            kept = (
                {n: row for n, row in scores.items() if row.score.reason not in reasons.RETRIED} if scores else scores
            )
            request = self._target.request(sample)
            key = digest(self._target_digest, request, repeat, self._run.manifest.epoch)
            jobs.append(Job(sample, repeat, request, key, generation, kept, now_s))
        if not self.reuse:
            return jobs
        unknown = [job.key for job in jobs if job.known is None]
        found = await asyncio.to_thread(self._ledger.find_generations, unknown) if unknown else {}
        return [self.with_known(job, found) for job in jobs]

    def with_known(self, job: Job, found: Mapping[str, GenerationRow]) -> Job:
        """The job with the answer of an earlier run, where one was found."""
        earlier = found.get(job.key)
        if job.known is not None or earlier is None:
            return job
        row = GenerationRow(job.sample.id, job.repeat, job.key, job.sample.digest, earlier.result, reused=True)
        return job._replace(known=row)

    def _complete(self, generation: GenerationRow, scores: Mapping[str, ScoreRow]) -> bool:
        if _again(generation.result):
            return False
        return all(name in scores and scores[name].score.reason not in reasons.RETRIED for name in self._metrics)


def _again(result: Generation | Failure) -> bool:
    return isinstance(result, Failure) and result.reason in reasons.RETRIED
