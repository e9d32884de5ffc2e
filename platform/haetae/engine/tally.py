"""Counts what a run has on disk and tells its watcher: after every commit, and while nothing is committed too."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from haetae.core.clock import Clock, Sleep
from haetae.core.generation import Failure
from haetae.core.run import Run
from haetae.engine.budget import Meter
from haetae.engine.committer import Batch
from haetae.engine.watch import EndpointState, FailedSample, Progress, Watcher

_TICK_S = 0.5
_RECENT = 40
"""Ticks that the pace is taken over: 20 seconds."""


class Pace:
    """How fast it goes of late: pairs a second over the last 20 seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=_RECENT)

    def per_s(self, at_s: float, done: int) -> float | None:
        """The pace, None before there is one. Time is told by any clock that does not run backwards."""
        if not self._seen or at_s - self._seen[-1][0] >= _TICK_S:
            self._seen.append((at_s, done))
        before_s, before = self._seen[0]
        return (done - before) / (at_s - before_s) if at_s - before_s >= _TICK_S else None


class Tally:
    """The counts of one run, whether it is evaluated at once or look by look."""

    def __init__(
        self,
        run: Run,
        clock: Clock,
        meter: Meter,
        watcher: Watcher | None = None,
        endpoints: Callable[[], tuple[EndpointState, ...]] = tuple,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._run = run
        self._clock = clock
        self._meter = meter
        self._watcher = watcher
        self._endpoints = endpoints
        self._sleep = sleep
        self._pace = Pace()
        self._failures: list[FailedSample] = []
        self._done = self._failed = self._unscored = self._reused = self._retried = 0
        self._done_before: Callable[[], int | None] = lambda: None
        self._stopping: str | None = None
        self._first_limits = {state.place: state.limit for state in endpoints()}
        self._started = clock.monotonic()

    @asynccontextmanager
    async def telling(self, done_before: Callable[[], int | None]) -> AsyncIterator[None]:
        """While the block runs, the watcher is told twice a second how it stands.

        `done_before` says how many pairs were done when the block began, None as long as nobody knows.
        """
        self._done, self._done_before = 0, done_before
        if self._watcher is None:
            yield
            return
        ticker = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker

    def committed(self, batch: Batch) -> None:
        """Count what is on disk now, and tell it."""
        self._done += batch.finished
        self._unscored += sum(row.score.value is None for row in batch.scores)
        for row in batch.generations:
            result = row.result
            self._reused += row.reused
            if not row.reused:
                self._retried += max(0, result.attempts - 1)  # a recorded output took none
            if isinstance(result, Failure):
                self._failed += 1
                if self._watcher is not None:
                    failed = FailedSample(row.sample_id, row.repeat, result.reason, result.message, result.attempts)
                    self._failures.append(failed)
        self._tell()

    def stopping(self) -> None:
        """The run was asked to end: tell it at once, and that calls under way are still waited for."""
        self._stopping = self._meter.stop.why
        self._tell()

    async def _tick(self) -> None:
        while True:
            await self._sleep(_TICK_S)
            self._tell()

    def _tell(self) -> None:
        before = self._done_before()
        if self._watcher is None or before is None:
            return
        meter, done = self._meter, before + self._done
        elapsed_s = self._clock.monotonic() - self._started
        per_s = self._pace.per_s(elapsed_s, done)
        failures, self._failures = tuple(self._failures), []
        self._watcher(
            Progress(
                done=done,
                total=self._run.total,
                failed=self._failed,
                unscored=self._unscored,
                reused=self._reused,
                calls=meter.calls,
                cost_usd=meter.cost_usd,
                elapsed_s=elapsed_s,
                endpoints=self._endpoints(),
                run=self._run.id,
                suite=self._run.suite,
                retried=self._retried,
                per_s=per_s,
                left_s=(self._run.total - done) / per_s if per_s else None,
                budget_left=meter.left,
                failures=failures,
                before=before,
                stopping=self._stopping,
                first_limits=self._first_limits,
            )
        )
