"""Who is let in when: first come, first served, never more than the window, and no place is lost."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from haetae.engine.limits.window import Window

_STEPS = st.lists(
    st.sampled_from(["enter", "enter", "leave", "cancel", "cancel and leave", "answered", "halve"]), max_size=80
)


@settings(deadline=None, max_examples=200)
@given(steps=_STEPS, most=st.integers(1, 40), least=st.integers(1, 5))
def test_no_place_is_lost_and_none_is_given_twice(steps: list[str], most: int, least: int) -> None:
    least = min(least, most)

    async def work() -> None:
        window = Window(most, least)
        waiting: list[asyncio.Task[None]] = []
        inside: list[asyncio.Task[None]] = []
        for step in steps:
            if step == "enter":
                waiting.append(asyncio.create_task(window.enter()))
                await asyncio.sleep(0)
            elif step == "leave" and inside:
                inside.pop()
                window.leave()
            elif step == "cancel" and waiting:
                waiting.pop(len(waiting) // 2).cancel()
            elif step == "cancel and leave" and waiting and inside:
                inside.pop()
                window.leave()  # the first in line is let in, and in the same breath it goes away
                waiting.pop(0).cancel()
            elif step == "answered":
                window.answered()
            elif step == "halve":
                window.settle(window.limit / 2)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            served = [task for task in waiting if task.done()]
            assert served == waiting[: len(served)]  # in the order they came
            inside += served
            waiting = waiting[len(served) :]
            assert least <= window.limit <= most
            assert window.under_way == len(inside)
            assert not waiting or window.under_way >= window.limit
        for task in waiting:
            task.cancel()

    asyncio.run(work())


def test_it_doubles_in_a_round_trip_and_after_a_pushback_opens_by_one() -> None:
    async def round_trip(window: Window) -> None:
        size = window.limit
        for _ in range(size):
            await window.enter()
        waiting = [asyncio.create_task(window.enter()) for _ in range(1_000)]
        await asyncio.sleep(0)
        for _ in range(size):
            window.answered()
            window.leave()
        for task in waiting:
            task.cancel()
        await asyncio.sleep(0)
        while window.under_way:
            window.leave()

    async def work() -> list[int]:
        window, sizes = Window(1_000), []
        for turn in range(14):
            if turn == 3:
                window.settle(window.limit / 2)
            sizes.append(window.limit)
            await round_trip(window)
        return sizes

    first, second, third, halved, *_, last = asyncio.run(work())
    assert (first, second, third) == (32, 64, 128)
    assert halved == 128
    assert 136 <= last <= 138  # ten round trips later


def test_who_asks_for_little_does_not_open_it() -> None:
    window = Window(100)
    for _ in range(500):
        window.answered()
    assert window.limit == 32
