"""Pictures in memory at once are bounded, whatever the number of calls under way."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from haetae.core.generation import Failure
from haetae.core.sample import Image, Message
from haetae.targets.room import Room

SIZES = [3, 4, 1, 10, 25, 2, 8, 0, 5, 5, 9, 1]


def test_no_more_is_held_than_there_is_room_for_and_all_come_to_hold() -> None:
    held: list[int] = []
    peaks: list[int] = []
    order: list[int] = []

    async def work() -> None:
        room = Room(10)

        async def hold(size: int) -> None:
            async with room.take(size):
                held.append(min(size, 10))
                peaks.append(sum(held))
                order.append(size)
                for _ in range(size):
                    await asyncio.sleep(0)
                held.remove(min(size, 10))

        await asyncio.gather(*map(hold, SIZES))

    asyncio.run(work())
    assert max(peaks) == 10
    assert [size for size in order if size] == [size for size in SIZES if size]  # first come, first served
    assert order.index(0) < 4  # who needs none does not wait


def test_who_stops_waiting_or_fails_leaves_the_room_as_it_was() -> None:
    async def work() -> None:
        room = Room(10)
        async with room.take(10):
            waiting = [asyncio.ensure_future(room.take(5).__aenter__()) for _ in range(2)]
            await asyncio.sleep(0)
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        with pytest.raises(ZeroDivisionError):
            async with room.take(7):
                1 // 0  # noqa: B018  # whatever is raised
        async with room.take(10):
            pass

    asyncio.run(work())


def test_calls_with_large_pictures_wait_for_one_another_and_others_do_not(
    asked: Any, answered: Any, png: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = png(padding=100_000)
    (tmp_path / "a.png").write_bytes(content)
    image = Image("a.png", hashlib.sha256(content).hexdigest(), "image/png", tmp_path)
    monkeypatch.setattr("haetae.targets.endpoint.MOST_PICTURED", 2 * len(content) + 1)
    open_calls, most, plain = 0, 0, asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        nonlocal open_calls, most
        if "image_url" not in await request.text():
            plain.set()
            return answered("read")
        open_calls += 1
        most = max(most, open_calls)
        await plain.wait()  # the calls with pictures end only after the one without was answered
        for _ in range(20):
            await asyncio.sleep(0)
        open_calls -= 1
        return answered("seen")

    async def all_at_once(endpoint: Any) -> Any:
        shown = [endpoint.chat([Message("user", "q", (image, image)[: n % 2 + 1])]) for n in range(8)]
        return await asyncio.gather(*shown, endpoint.chat([Message("user", "q")]))

    (replies,) = asked(handler, all_at_once)
    assert [reply.output for reply in replies] == ["seen"] * 8 + ["read"]
    assert 1 <= most <= 2


def test_a_picture_that_is_gone_needs_no_room(asked: Any, answered: Any, tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        return answered()  # type: ignore[no-any-return]  # a response

    gone = Image("a.png", "0" * 64, "image/png", tmp_path)
    (reply,) = asked(handler, lambda it: it.chat([Message("user", "q", (gone,))]))
    assert isinstance(reply, Failure)
