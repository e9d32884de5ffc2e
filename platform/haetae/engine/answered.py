"""What is answered already is scored a chunk at a time: no task, lock or query for each sample."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from time import perf_counter

from haetae.core.generation import Failure, Generation
from haetae.core.metric import Metric
from haetae.core.run import GenerationRow, Run, ScoreRow
from haetae.core.score import Score
from haetae.core.target import AnsweredTarget, Target
from haetae.engine.committer import Batch, Committer
from haetae.engine.computing import is_long
from haetae.engine.jobs import Job
from haetae.engine.lookups import LookUps
from haetae.engine.scoring import addressed, score, score_key, score_of_little

_TURN_S = 0.01
"""How long the event loop may stand still: calls that are under way wait meanwhile."""


class Answered:
    """Takes the jobs for which nothing has to be called: their answer is known, and so is every judgement of it."""

    def __init__(
        self,
        run: Run,
        target: Target,
        metrics: Mapping[str, Metric],
        earlier: LookUps[ScoreRow] | None,
        stopping: Callable[[], bool],
    ) -> None:
        self._epoch = run.manifest.epoch
        self._target = target if isinstance(target, AnsweredTarget) else None
        self._metrics = metrics
        self._judged = [name for name, metric in metrics.items() if metric.facts.asked is not None]
        self._earlier = earlier
        self._stopping = stopping

    async def rest(self, chunks: AsyncGenerator[list[Job], None], committer: Committer) -> AsyncGenerator[Job, None]:
        """The jobs that need a call, with what is known of them; the others are done on the way."""
        async with aclosing(chunks):
            async for chunk in chunks:
                if self._stopping():
                    return
                for job in await self._done(chunk, committer):
                    yield job

    async def _done(self, chunk: Sequence[Job], committer: Committer) -> list[Job]:
        answered = [(job, row) for job in chunk if (row := self._row(job)) is not None]
        judgements = await self._judgements(answered)
        rest, batch, since = [], Batch(), perf_counter()
        for job, row in answered:
            known = judgements.get((job.sample.id, job.repeat), {})
            if self._calls(job, row, known):
                rest.append(job._replace(known=row))
                continue
            batch.samples[job.sample.digest] = job.sample
            batch.generations.append(row)
            batch.scores += await self._scores(job, row, known)
            batch.finished += 1
            if perf_counter() - since > _TURN_S:
                await asyncio.sleep(0)
                since = perf_counter()
        if len(batch):
            await committer.put_all(batch)
        return [*rest, *(job for job in chunk if self._target is None and job.known is None)]

    def _row(self, job: Job) -> GenerationRow | None:
        if job.known is not None or self._target is None:
            return job.known
        sample = job.sample
        return GenerationRow(sample.id, job.repeat, job.key, sample.digest, self._target.answer(sample.id))

    def _calls(self, job: Job, row: GenerationRow, known: Mapping[str, ScoreRow]) -> bool:
        """Whether a judge has to be asked."""
        return bool(self._judged) and any(name not in known and name not in job.scored for name in self._asked_of(row))

    def _asked_of(self, row: GenerationRow) -> list[str]:
        """The judged metrics that there is something to judge for: of a failure, what looks at the sample alone."""
        if not isinstance(row.result, Failure):
            return self._judged
        return [name for name in self._judged if not self._metrics[name].facts.answer]

    async def _judgements(
        self, answered: Sequence[tuple[Job, GenerationRow]]
    ) -> dict[tuple[str, int], dict[str, ScoreRow]]:
        """The judgements of earlier runs by (sample, repeat) and metric, in one look-up."""
        if self._earlier is None or not self._judged:
            return {}
        asked = [
            (job, name, await self._key(name, job, row))
            for job, row in answered
            for name in self._asked_of(row)
            if name not in job.scored
        ]
        found = await self._earlier.find([key for _, _, key in asked]) if asked else {}
        known: dict[tuple[str, int], dict[str, ScoreRow]] = {}
        for job, name, key in asked:
            if key in found:
                row = ScoreRow(job.sample.id, job.repeat, name, key, found[key].score, reused=True)
                known.setdefault((job.sample.id, job.repeat), {})[name] = row
        return known

    async def _scores(self, job: Job, row: GenerationRow, known: Mapping[str, ScoreRow]) -> list[ScoreRow]:
        """The scores that the job lacks. What is computed of little text needs no task and no thread."""
        sample, result, rows = job.sample, row.result, []
        little = result if isinstance(result, Generation) and not is_long(sample, result) else None
        for name, metric in self._metrics.items():
            if name in job.scored:
                continue
            if name in known:
                rows.append(known[name])
                continue
            if little is not None:
                given = score_of_little(metric, sample, little)
                found = given if isinstance(given, Score) else await given
                key = score_key(metric.facts, sample, row.key, little, self._epoch)
            else:
                found, key = await score(metric, sample, result), await self._key(name, job, row)
            rows.append(ScoreRow(sample.id, job.repeat, name, key, found))
        return rows

    async def _key(self, name: str, job: Job, row: GenerationRow) -> str:
        return await addressed(self._metrics[name].facts, job.sample, row.key, row.result, self._epoch)
