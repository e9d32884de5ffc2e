"""The thread of a model in this process does one thing after the other, and holds up no end of the program."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from haetae.engine.contained import Left
from haetae.targets.worker import Stopped, Worker


def test_work_is_done_one_after_the_other_in_one_thread() -> None:
    async def work() -> list[tuple[int, int]]:
        worker = Worker("w")
        found = await asyncio.gather(*(worker.run(lambda n=n: (n, threading.get_ident())) for n in range(9)))
        await worker.aclose()
        return found

    found = asyncio.run(work())
    assert [number for number, _ in found] == list(range(9))
    assert len({thread for _, thread in found} - {threading.get_ident()}) == 1


def test_what_the_work_raises_comes_out_as_an_exception() -> None:
    def leave() -> None:
        sys.exit(0)

    async def work() -> None:
        worker = Worker("w")
        with pytest.raises(ZeroDivisionError):
            await worker.run(lambda: 1 // 0)
        with pytest.raises(Left, match="SystemExit: 0"):
            await worker.run(leave)
        assert await worker.run(lambda: 7) == 7  # the thread lives on
        await worker.aclose()

    asyncio.run(work())


def test_whoever_goes_before_its_turn_is_not_worked_for() -> None:
    done: list[str] = []
    free = threading.Event()

    async def work() -> None:
        worker = Worker("w")
        first = asyncio.ensure_future(worker.run(free.wait))
        second = asyncio.ensure_future(worker.run(lambda: done.append("second")))
        third = asyncio.ensure_future(worker.run(lambda: done.append("third")))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        free.set()
        assert await first
        await third
        await worker.aclose()

    asyncio.run(work())
    assert done == ["third"]


def test_closing_breaks_off_what_is_under_way_and_takes_no_more() -> None:
    begun = threading.Event()

    async def work() -> None:
        worker = Worker("w")

        def endless() -> None:
            while True:
                begun.set()
                worker.check()

        under_way, waiting = (asyncio.ensure_future(worker.run(work)) for work in (endless, lambda: None))
        await asyncio.to_thread(begun.wait)
        await worker.aclose()
        await worker.aclose()
        for asked in (under_way, waiting, worker.run(lambda: None)):
            with pytest.raises(Stopped):
                await asked
        assert worker._thread is not None
        await asyncio.to_thread(worker._thread.join)

    asyncio.run(work())


def test_a_program_ends_while_work_that_never_ends_is_under_way() -> None:
    program = """
import asyncio, threading
from haetae.targets import worker

async def main():
    made = worker.Worker("w")
    worker._PATIENCE_S = 0.01
    asked = asyncio.ensure_future(made.run(threading.Event().wait))
    await asyncio.sleep(0)
    asked.cancel()
    await made.aclose()

asyncio.run(main())
raise SystemExit(3)
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (3, "")
