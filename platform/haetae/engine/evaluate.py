"""The straight path: for each (sample, repeat) not yet in the ledger: generate, score, commit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from haetae.core.clock import Clock
from haetae.core.generation import Failure
from haetae.core.ledger import Ledger
from haetae.core.metric import Metric
from haetae.core.run import GenerationRow, Run, ScoreRow
from haetae.core.sample import Sample
from haetae.core.target import Target
from haetae.engine.answered import Answered
from haetae.engine.committer import Committer
from haetae.engine.jobs import Job, Jobs
from haetae.engine.lookups import LookUps
from haetae.engine.patience.stopping import Stop
from haetae.engine.scoring import addressed, score
from haetae.engine.tally import Tally
from haetae.errors import HaetaeError

_RECENT_S = 1.0
"""A job that was looked up so lately is not looked up again before its call."""


class Evaluation:
    """One run of a suite over its samples, in memory that does not grow with the dataset.

    `in_flight` pairs are asked for at once, and as many more are judged meanwhile: a slow judge holds up no target
    until so many wait for it. Where both ask one endpoint, `in_flight` is for both together. Who made a call makes the
    next one when the answer is on disk, so a process that is killed has paid in vain for no more than was in flight.
    What the ledger holds already is not done again. `reuse` says whether answers of earlier runs may be taken (an
    epoch that only this run has finds none: False saves the question). `stop()` lets what is in flight finish; an
    error asks for `stop`, the end of all calls, so that nobody who waits for an endpoint is waited for.
    """

    def __init__(
        self,
        *,
        run: Run,
        samples: Iterable[Sample],
        target: Target,
        metrics: Mapping[str, Metric],
        ledger: Ledger,
        clock: Clock,
        tally: Tally,
        repeats: int = 1,
        in_flight: int = 32,
        reuse: bool = True,
        stop: Stop | None = None,
    ) -> None:
        self._run = run
        self._target = target
        self._metrics = dict(metrics)
        self._ledger = ledger
        self._clock = clock
        self._tally = tally
        self._judged = [name for name, metric in metrics.items() if metric.facts.asked is not None]
        self._computed = [name for name in metrics if name not in self._judged]
        self._one_endpoint = _ask_one_endpoint(target, metrics)
        self._earlier = LookUps(ledger.find_scores)
        self._answers = LookUps(ledger.find_generations)
        self._jobs = Jobs(run, samples, repeats, target, self._metrics, ledger, clock, reuse)
        self._in_flight = in_flight
        self._reuse = reuse
        self._stop = stop or Stop()
        self._answered = Answered(run, target, self._metrics, self._earlier if reuse else None, lambda: self._stopping)
        self._stopping = False

    def stop(self) -> None:
        """Take no new sample; what is in flight finishes."""
        self._stopping = True
        self._tally.stopping()

    @property
    def stopped_early(self) -> bool:
        """Whether `stop` was called before everything was done."""
        return not self._jobs.exhausted

    async def __call__(self) -> None:
        """Evaluate. Raises the error that ended the run early, after committing what was finished."""
        committer = Committer(self._ledger, self._run.id, self._clock, self._tally.committed, self._in_flight)
        jobs = self._answered.rest(self._jobs.to_do(), committer)
        taking, answering = asyncio.Lock(), asyncio.Semaphore(self._in_flight)
        judging = answering if self._one_endpoint else asyncio.Semaphore(self._in_flight)

        async def work() -> None:
            while True:
                async with answering:
                    if self._stopping:
                        return
                    async with taking:
                        job = await anext(jobs, None)
                    if job is None:
                        return
                    row = await self._answer(job, committer)
                if self._judged:
                    async with judging:
                        await self._judge(job, row, committer)

        async with self._tally.telling(lambda: self._jobs.done_before):
            at_once = 2 * self._in_flight if self._judged else self._in_flight
            workers = [asyncio.create_task(work()) for _ in range(at_once)]
            try:
                await _first_error(workers)
            except asyncio.CancelledError:
                for worker in workers:
                    worker.cancel()
                raise
            except HaetaeError as exc:
                self._stop.ask(str(exc))
                raise
            finally:
                self._stopping = True
                try:
                    await asyncio.gather(*workers, return_exceptions=True)  # cancelling it cancels the workers
                finally:
                    await committer.close()
                await jobs.aclose()

    # doing it

    async def _answer(self, job: Job, committer: Committer) -> GenerationRow:
        row = job.known or await self._meanwhile(job)
        if row is None:
            result = await self._target.generate(job.sample, job.request, job.repeat)
            row = GenerationRow(job.sample.id, job.repeat, job.key, job.sample.digest, result)
        scores = [await self._score(name, job, row) for name in self._computed if name not in job.scored]
        await committer.put(job.sample, row, scores, finished=not self._judged)
        if not row.reused and job.known is None and not self._target.free:
            await committer.kept()
        return row

    async def _meanwhile(self, job: Job) -> GenerationRow | None:
        """What another run has been answered since the job was looked up: a chunk of slow calls takes its time."""
        if not self._jobs.reuse or self._clock.monotonic() - job.looked_up_s < _RECENT_S:
            return None
        return self._jobs.with_known(job, await self._answers.find([job.key])).known

    async def _judge(self, job: Job, row: GenerationRow, committer: Committer) -> None:
        known = await self._known_scores(job, row)
        late = [known.get(name) or await self._score(name, job, row) for name in self._judged if name not in job.scored]
        await committer.put(job.sample, None, late, finished=True)
        if len(known) < len(late):
            await committer.kept()

    async def _known_scores(self, job: Job, row: GenerationRow) -> dict[str, ScoreRow]:
        judged = [name for name in self._judged if name not in job.scored]
        if isinstance(row.result, Failure):  # judged is what looks at the sample alone
            judged = [name for name in judged if not self._metrics[name].facts.answer]
        if not self._reuse or not judged:
            return {}
        keys = {name: await self._score_key(name, job, row) for name in judged}
        found = await self._earlier.find(list(keys.values()))
        return {
            name: ScoreRow(job.sample.id, job.repeat, name, key, found[key].score, reused=True)
            for name, key in keys.items()
            if key in found
        }

    async def _score(self, name: str, job: Job, row: GenerationRow) -> ScoreRow:
        found = await score(self._metrics[name], job.sample, row.result)
        return ScoreRow(job.sample.id, job.repeat, name, await self._score_key(name, job, row), found)

    async def _score_key(self, name: str, job: Job, row: GenerationRow) -> str:
        return await addressed(self._metrics[name].facts, job.sample, row.key, row.result, self._run.manifest.epoch)


def _ask_one_endpoint(target: Target, metrics: Mapping[str, Metric]) -> bool:
    """Whether a metric asks the endpoint that the target asks: then the calls of both are in flight there together."""
    model = target.fingerprint.get("model")
    place = model.get("base_url") if isinstance(model, Mapping) else None
    facts = [metric.facts for metric in metrics.values() if metric.facts.asked is not None]
    asked = [judge for each in facts for judge in (each.judges or (each.asked or {},))]
    return place is not None and any(judge.get("base_url") == place for judge in asked)


async def _first_error(tasks: list[asyncio.Task[None]]) -> None:
    """Wait for all tasks; raise the first error as soon as it happens."""
    for task in asyncio.as_completed(tasks):
        await task
