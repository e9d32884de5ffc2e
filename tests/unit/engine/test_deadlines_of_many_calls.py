"""One timer for the deadlines of all calls. Time is the loop's own, and virtual."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haetae.engine.patience.deadlines import Call, Deadlines


async def _for(deadlines: Deadlines, begins: float, takes: float) -> tuple[str, float]:
    """What ends a call that begins then and takes so long, and when."""
    await asyncio.sleep(begins)
    call = Call()
    deadlines.add(call)
    try:
        await asyncio.sleep(takes)
        ended = "itself"
    except asyncio.CancelledError:
        ended = "its deadline" if call.is_why() else "somebody"
    finally:
        deadlines.forget(call)
    return ended, round(asyncio.get_running_loop().time(), 6)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20)), min_size=1, max_size=30))
def test_each_call_ends_by_itself_or_at_its_own_deadline(fakes: Any, calls: list[tuple[int, int]]) -> None:
    async def work() -> list[Any]:
        deadlines = Deadlines(10.5)
        return await asyncio.gather(*(_for(deadlines, begins, takes) for begins, takes in calls))

    expected = [("itself", b + t) if t < 10.5 else ("its deadline", b + 10.5) for b, t in calls]
    assert fakes.in_virtual_time(work()) == expected


def test_a_call_that_others_cancel_is_not_late(fakes: Any) -> None:
    async def work() -> tuple[str, float]:
        task = asyncio.create_task(_for(Deadlines(10), 0, 100))
        await asyncio.sleep(3)
        task.cancel()
        return await task

    assert fakes.in_virtual_time(work()) == ("somebody", 3)


def test_a_call_that_is_cancelled_as_its_deadline_comes_is_cancelled(fakes: Any) -> None:
    async def work() -> tuple[str, float]:
        task = asyncio.create_task(_for(Deadlines(10), 0, 100))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_at(10, task.cancel)
        return await task

    assert fakes.in_virtual_time(work()) == ("somebody", 10)


def test_no_timer_is_left_when_no_call_is(fakes: Any) -> None:
    deadlines = Deadlines(10)

    async def work() -> tuple[str, float]:
        return await _for(deadlines, 0, 1)

    assert fakes.in_virtual_time(work()) == fakes.in_virtual_time(work()) == ("itself", 1)  # in a loop of its own


@pytest.mark.parametrize("again", [0, 5])
def test_time_that_has_begun_goes_on(again: float, fakes: Any) -> None:
    async def work() -> float:
        deadlines, call = Deadlines(10), Call()
        deadlines.add(call)
        asyncio.get_running_loop().call_later(again, deadlines.add, call)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(100)
        assert call.is_why()
        return asyncio.get_running_loop().time()

    assert fakes.in_virtual_time(work()) == 10
