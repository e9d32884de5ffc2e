"""In-memory fakes of the engine's ports, and a clock that only sleeping moves."""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from haetae.core import reasons
from haetae.core.generation import Failure, Generation
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, Run, RunStatus, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import StoreError

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class FakeClock:
    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)


class _Selector(selectors.DefaultSelector):
    """Does not wait for a timer: it moves the time on to it."""

    seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # nothing is planned: what comes next comes from a thread
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self.seconds += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Python's own loop whose time passes only when nothing is left to do: ten minutes take milliseconds."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.seconds


@dataclass
class LoopClock:
    """The clock of the loop that runs. `jump` is how far somebody has moved the clock on the wall."""

    jump: timedelta = timedelta()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic()) + self.jump

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def in_virtual_time(work: Coroutine[Any, Any, Any]) -> Any:
    """What the work gives, begun at 0 seconds."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


@dataclass
class FakeLedger:
    """Keeps rows by the rules of `Ledger.record`."""

    generations: dict[tuple[str, int], GenerationRow] = field(default_factory=dict)
    scores: dict[tuple[str, int, str], ScoreRow] = field(default_factory=dict)
    earlier: dict[str, GenerationRow] = field(default_factory=dict)
    earlier_scores: dict[str, ScoreRow] = field(default_factory=dict)
    broken_after: int | None = None
    commits: int = 0
    largest: int = 0
    gate: threading.Event | None = None

    def record(
        self,
        run_id: str,
        samples: Iterable[Sample],
        generations: Iterable[GenerationRow],
        scores: Iterable[ScoreRow],
        at: datetime,
    ) -> None:
        if self.gate is not None:
            self.gate.wait()
        if self.broken_after is not None and self.commits >= self.broken_after:
            raise StoreError("the disk is full")
        self.commits += 1
        generations, scores = list(generations), list(scores)
        self.largest = max(self.largest, len(generations) + len(scores))
        for row in generations:
            old = self.generations.get((row.sample_id, row.repeat))
            if old is None or (isinstance(old.result, Failure) and old.result.reason in reasons.RETRIED):
                self.generations[row.sample_id, row.repeat] = row
        for score in scores:
            key = (score.sample_id, score.repeat, score.metric)
            before = self.scores.get(key)
            weather = before is not None and before.score.reason in {*reasons.RETRIED, reasons.NOT_GENERATED}
            if before is None or weather:
                self.scores[key] = score

    def done(
        self, run_id: str, sample_ids: Sequence[str] | None = None
    ) -> Mapping[tuple[str, int], tuple[GenerationRow, Mapping[str, ScoreRow]]]:
        return {
            key: (row, {m: s for (i, r, m), s in self.scores.items() if (i, r) == key})
            for key, row in self.generations.items()
            if sample_ids is None or key[0] in sample_ids
        }

    def done_count(self, run_id: str, metrics: Sequence[str]) -> tuple[int, int]:
        def weather(row: GenerationRow | ScoreRow) -> bool:
            said = row.score if isinstance(row, ScoreRow) else row.result
            return getattr(said, "reason", None) in reasons.RETRIED

        complete = [
            row
            for row, scores in self.done(run_id).values()
            if not weather(row) and all(name in scores and not weather(scores[name]) for name in metrics)
        ]
        return len(self.generations), len(complete)

    def find_generations(self, keys: Sequence[str]) -> Mapping[str, GenerationRow]:
        return {key: self.earlier[key] for key in keys if key in self.earlier}

    def find_scores(self, keys: Sequence[str]) -> Mapping[str, ScoreRow]:
        return {key: self.earlier_scores[key] for key in keys if key in self.earlier_scores}


@dataclass
class FakeTarget:
    """Answers by a function of (sample id, how often it was asked)."""

    answer: Callable[[str, int], Any]
    free: bool = False
    reusable: bool = True
    asked: list[str] = field(default_factory=list)
    fingerprint: Mapping[str, Any] = field(default_factory=lambda: {"kind": "fake"})

    def request(self, sample: Sample) -> Any:
        return sample.text

    async def generate(self, sample: Sample, request: Any, repeat: int) -> Generation | Failure:
        self.asked.append(sample.id)
        await asyncio.sleep(0)
        found = self.answer(sample.id, self.asked.count(sample.id))
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, Generation | Failure) else Generation(str(found))

    async def aclose(self) -> None:
        return None


@dataclass
class FakeMetric:
    """Scores by a function of the answer; with `judge` it is asked asynchronously."""

    says: Callable[[str], Any] = lambda output: 1.0
    judge: Mapping[str, Any] | None = None
    needs: frozenset[str] = frozenset()
    calls: int = 0

    @property
    def facts(self) -> MetricFacts:
        return MetricFacts("fake", "1", needs=self.needs, judge=self.judge)

    def score(self, sample: Sample, generation: Generation) -> Any:
        self.calls += 1
        found = self.says(generation.output)
        if isinstance(found, Exception):
            raise found
        if isinstance(found, float):
            found = Score(found)
        if self.judge is None:
            return found

        async def later() -> Any:
            await asyncio.sleep(0)
            return found

        return later()


def a_run(total: int, epoch: str = "") -> Run:
    manifest = Manifest({"suite": "s"}, {"name": "d", "version": "v", "count": total}, {}, {}, epoch=epoch)
    return Run("s.1", "s", 1, RunStatus.RUNNING, manifest, total, START)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger() -> FakeLedger:
    return FakeLedger()


@pytest.fixture
def fakes() -> Any:
    """The fakes by their names."""

    class Fakes:
        Clock, LoopClock, Ledger, Target, Metric = FakeClock, LoopClock, FakeLedger, FakeTarget, FakeMetric
        in_virtual_time = staticmethod(in_virtual_time)
        run = staticmethod(a_run)

    return Fakes
