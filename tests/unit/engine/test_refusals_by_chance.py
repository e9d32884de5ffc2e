"""Refusals that come by chance strangle no run, and a wait that one call is told holds nobody else. Time is virtual."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from haetae.core.generation import Failure, Generation
from haetae.core.sample import Message
from haetae.engine.budget import Meter
from haetae.engine.limits.limiter import Limiter
from haetae.engine.patience.breaker import Breaker
from haetae.engine.patience.retry import Patient
from haetae.errors import TargetError

LATENCY_S, IN_FLIGHT = 0.1, 64
BUSY = Failure("rate_limited", "429", overloaded=True)


class Model:
    """Answers after 0.1 s, unless `fault()` gives a failure: that comes after a millisecond."""

    def __init__(self, fault: Callable[[], Failure | None]) -> None:
        self.fingerprint = {"model": "m"}
        self.fault = fault
        self.calls: list[tuple[float, str, Failure | None]] = []

    async def chat(self, messages: Sequence[Message], *, schema: Any = None, **overrides: Any) -> Any:
        failure = self.fault()
        self.calls.append((asyncio.get_running_loop().time(), messages[-1].content, failure))
        if failure is not None:
            await asyncio.sleep(0.001)
            return failure
        await asyncio.sleep(LATENCY_S)
        return Generation("ok", latency_s=LATENCY_S)


@pytest.fixture
def asked(fakes: Any) -> Callable[..., tuple[list[Any], float, int]]:
    """asked(model, samples): the answers, how long they took, and the window at the end."""

    def ask(model: Model, samples: int) -> tuple[list[Any], float, int]:
        async def work() -> tuple[list[Any], float, int]:
            clock, rng = fakes.LoopClock(), random.Random(9)  # noqa: S311  # jitter
            limiter = Limiter(IN_FLIGHT, clock)
            options = {"error": TargetError, "deadline_s": 900.0, "rng": rng}
            patient = Patient(model, limiter, Breaker(IN_FLIGHT, rng), Meter(), **options)  # type: ignore[arg-type]  # it is only chatted with
            found, numbers = list[Any](), iter(range(samples))

            async def worker() -> None:
                for number in numbers:
                    found.append(await patient.chat([Message("user", f"question {number}")]))

            await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
            return found, clock.monotonic(), limiter.state.limit

        return fakes.in_virtual_time(work())  # type: ignore[no-any-return]  # what `work` gives

    return ask


def _by_chance(share: float, failure: Failure, seed: int) -> Callable[[], Failure | None]:
    rng = random.Random(seed)  # noqa: S311  # faults
    return lambda: failure if rng.random() < share else None


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("share", [0.025, 0.15, 0.3])
@pytest.mark.parametrize("failure", [BUSY, Failure("connection_failed", "reset"), Failure("server_error", "500")])
def test_a_share_of_refusals_that_does_not_fall_leaves_the_window_open(
    failure: Failure, share: float, seed: int, asked: Callable[..., Any]
) -> None:  # END-03
    model = Model(_by_chance(share, failure, seed))
    found, seconds, limit = asked(model, 4_000)
    unscored = sum(isinstance(answer, Failure) for answer in found) / 4_000
    waits_s = sum(share**n * 0.125 * 2 ** (n - 1) for n in range(1, 5))  # between tries, on average
    assert len(found) == 4_000
    assert abs(len(model.calls) / 4_000 - sum(share**n for n in range(5))) < 0.03
    assert unscored <= share**5 + 0.003
    assert seconds <= 2 * 4_000 * (LATENCY_S + waits_s) / IN_FLIGHT + 1
    assert limit >= IN_FLIGHT // 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_wait_told_by_chance_is_waited_by_the_call_that_was_told(seed: int, asked: Callable[..., Any]) -> None:
    told = Failure("rate_limited", "429", retry_after_s=1.0, overloaded=True)
    model = Model(_by_chance(0.025, told, seed))
    found, seconds, limit = asked(model, 2_000)
    assert all(isinstance(answer, Generation) for answer in found)
    refused = [(at, question) for at, question, failure in model.calls if failure]
    assert len(refused) >= 30
    for at, question in refused:  # END-01
        again = min(later for later, asked_again, _ in model.calls if asked_again == question and later > at)
        assert again >= at + 1.0 - 1e-9
    ideal = 2_000 * (LATENCY_S + 0.025) / IN_FLIGHT
    assert seconds <= 1.25 * ideal + 2.0  # and the last call may be told so twice
    assert limit >= IN_FLIGHT - 1


def test_until_something_is_known_a_wait_holds_everybody_to_its_end(asked: Callable[..., Any]) -> None:  # END-01
    told = Failure("rate_limited", "429", retry_after_s=7.0, overloaded=True)
    failures = iter([*[None] * 4, told])
    model = Model(lambda: next(failures, None))
    asked(model, 19)
    assert [at for at, _, _ in model.calls[:19]] == [0.0] * 19
    assert round(model.calls[19][0], 6) == 7.001
    failures = iter([*[None] * 31, told])
    model = Model(lambda: next(failures, None))
    asked(model, 200)
    assert not [at for at, _, _ in model.calls if 0.0 < at < LATENCY_S]  # nobody starts before all have come back
    assert max(at for at, question, _ in model.calls if question != "question 31") < 1.0


def test_a_rate_without_a_wait_is_not_taken_for_chance(asked: Callable[..., Any]) -> None:
    tokens, at = 1.0, 0.0

    def bucket() -> Failure | None:
        nonlocal tokens, at
        now = asyncio.get_running_loop().time()
        tokens, at = min(1.0, tokens + (now - at) * 10), now
        if tokens < 1 - 1e-9:
            return BUSY
        tokens -= 1
        return None

    model = Model(bucket)
    found, seconds, _ = asked(model, 400)
    assert [answer for answer in found if isinstance(answer, Failure)] == []
    assert seconds <= 1.15 * 400 / 10
    assert len(model.calls) <= 1.3 * 400
