"""What takes long is asked a second time where the suite says so; the first answer counts. Time is virtual."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from haetae.core.generation import Failure, Generation, Usage
from haetae.core.sample import Message
from haetae.core.suite import BudgetSpec
from haetae.engine.budget import Meter
from haetae.engine.limits.limiter import Limiter
from haetae.engine.patience.breaker import Breaker
from haetae.engine.patience.retry import Patient
from haetae.errors import TargetError

QUESTION = [Message("user", "q")]
BROKEN = Failure("server_error", "500")


class Model:
    """Its n-th call takes so many seconds and gives what stands beside them; a text is an answer of a token."""

    def __init__(self, plan: Sequence[tuple[float, Any]]) -> None:
        self.fingerprint = {"model": "m"}
        self.plan = plan
        self.when: list[float] = []
        self.cancelled: list[int] = []
        self.open = self.most = 0

    async def chat(self, messages: Sequence[Message], *, schema: Any = None, **overrides: Any) -> Any:
        number = len(self.when)
        seconds, what = self.plan[number]
        self.when.append(asyncio.get_running_loop().time())
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        finally:
            self.open -= 1
        if isinstance(what, Exception):
            raise what
        return Generation(what, usage=Usage(1), cost_usd=0.01) if isinstance(what, str) else what


@pytest.fixture
def asked(fakes: Any) -> Callable[..., Any]:
    """asked(plan, ...): the answers to one question or more, the model, the meter and the seconds it took."""

    def ask(*plan: tuple[float, Any], hedge_after_s: float | None = 2.0, **options: Any) -> Any:
        in_flight, times = options.pop("in_flight", 4), options.pop("times", 1)
        rng, model = random.Random(1), Model(plan)  # noqa: S311  # jitter
        meter = Meter(options.pop("budget", None))
        patient = Patient(
            model,  # type: ignore[arg-type]  # it is only chatted with
            Limiter(in_flight, fakes.LoopClock()),
            Breaker(in_flight, rng),
            meter,
            error=TargetError,
            hedge_after_s=hedge_after_s,
            rng=rng,
            **{"deadline_s": 900.0, **options},
        )

        async def work() -> Any:
            found = await asyncio.gather(*(patient.chat(QUESTION) for _ in range(times)))
            seconds = asyncio.get_running_loop().time()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return found, seconds

        found, seconds = fakes.in_virtual_time(work())
        assert meter._open == 0
        return found, model, meter, seconds

    return ask


def test_without_it_nothing_is_asked_twice(asked: Any) -> None:
    (found,), model, _, _ = asked((100, "late"), hedge_after_s=None)
    assert (found.output, found.attempts, len(model.when)) == ("late", 1, 1)


def test_what_is_there_in_time_is_asked_once(asked: Any) -> None:
    (found,), _model, meter, seconds = asked((1.5, "soon"))
    assert (found.output, found.attempts, meter.calls, seconds) == ("soon", 1, 1, 1.5)


def test_the_second_answer_counts_where_it_comes_first_and_both_calls_are_counted(asked: Any) -> None:
    (found,), model, meter, seconds = asked((100, "slow"), (1, "quick"))
    assert (found.output, found.attempts, seconds) == ("quick", 2, 3)
    assert (model.when, model.cancelled) == ([0, 2], [0])
    assert (meter.calls, meter.unpriced, meter.usd) == (2, 1, 0.01)  # what a call that was broken off cost is unknown


def test_the_first_answer_counts_where_it_comes_first_after_all(asked: Any) -> None:
    (found,), model, meter, seconds = asked((3, "slow"), (50, "slower"))
    assert (found.output, found.attempts, seconds) == ("slow", 2, 3)
    assert (model.cancelled, meter.calls) == ([1], 2)


def test_a_second_call_that_fails_does_not_take_the_first_ones_place(asked: Any) -> None:
    (found,), _model, _, seconds = asked((10, "slow"), (1, BROKEN))
    assert (found.output, found.attempts, seconds) == ("slow", 2, 10)


def test_a_first_call_that_fails_is_tried_again_as_ever(asked: Any) -> None:
    (found,), model, meter, _ = asked((3, BROKEN), (50, "never"), (0.5, "again"))
    assert (found.output, found.attempts, meter.calls) == ("again", 3, 3)
    assert model.cancelled == [1]


def test_a_budget_that_has_no_room_for_a_second_call_is_not_exhausted_by_it(asked: Any) -> None:
    (found,), _model, meter, _ = asked((10, "slow"), budget=BudgetSpec(calls=1))
    assert (found.output, found.attempts, meter.calls) == ("slow", 1, 1)


def test_second_calls_stay_within_the_ceiling(asked: Any) -> None:
    found, model, _meter, seconds = asked(*[(5, "slow")] * 4, in_flight=1, times=4)
    assert [answer.attempts for answer in found] == [1] * 4
    assert (model.most, seconds) == (1, 20)


def test_what_the_first_call_raises_is_raised(asked: Any) -> None:
    with pytest.raises(ValueError, match="a fault of the adapter"):
        asked((3, ValueError("a fault of the adapter")), (50, "never"))


def test_a_call_and_its_second_end_at_the_deadline(asked: Any) -> None:
    (found,), model, _meter, seconds = asked((1e9, "never"), (1e9, "never"), deadline_s=30.0)
    assert (found.reason, found.attempts, seconds) == ("timeout", 2, 30)
    assert sorted(model.cancelled) == [0, 1]
