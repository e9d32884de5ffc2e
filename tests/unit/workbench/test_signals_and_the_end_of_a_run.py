"""Ctrl-C, SIGTERM and the deadline of a run: first what is in flight may finish, then it is broken off."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import uvloop

from haetae.workbench import run_deadline
from haetae.workbench.interrupt import interrupt, stop_on_signals
from haetae.workbench.run_deadline import end_after

NewLoop = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def new_loop(request: pytest.FixtureRequest) -> Iterator[NewLoop]:
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, _own)
    yield request.param
    signal.signal(signal.SIGTERM, before)


def _own(number: int, frame: object) -> None:
    """What an application does at SIGTERM."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_to_stop_and_the_second_cancels(
    number: signal.Signals, new_loop: NewLoop
) -> None:  # END-18
    async def run() -> list[str]:
        told, asked = list[str](), asyncio.Event()

        def stop(why: str) -> None:
            told.append(why)
            asked.set()

        with stop_on_signals(stop):
            os.kill(os.getpid(), number)
            await asked.wait()
            os.kill(os.getpid(), number)
            with pytest.raises(asyncio.CancelledError):
                await asyncio.Event().wait()
        return told

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(run()) == ["interrupted"]
    assert signal.getsignal(signal.SIGTERM) is _own


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_is_ignored_stays_ignored(number: signal.Signals, new_loop: NewLoop) -> None:  # END-18
    async def run() -> list[str]:
        told = list[str]()
        with stop_on_signals(told.append):
            assert signal.getsignal(number) is signal.SIG_IGN
            os.kill(os.getpid(), number)
            await asyncio.sleep(0)
        return told

    before = signal.getsignal(number)
    signal.signal(number, signal.SIG_IGN)
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            assert runner.run(run()) == []
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_a_run_in_a_thread_is_interrupted_from_another(new_loop: NewLoop) -> None:  # END-18, END-19
    loops, ready, told = list[asyncio.AbstractEventLoop](), Event(), list[str]()

    async def run() -> str:
        asked = asyncio.Event()

        def stop(why: str) -> None:
            told.append(why)
            asked.set()

        with stop_on_signals(stop):
            loops.append(asyncio.get_running_loop())
            ready.set()
            await asked.wait()
        return "finished what was in flight"

    def threaded() -> str:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(run())

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(threaded)
        assert ready.wait(60)
        assert interrupt(loops[0])
        assert done.result(60) == "finished what was in flight"
    assert told == ["interrupted"]
    assert not interrupt(loops[0])


def test_at_the_deadline_it_is_asked_then_cut_off_then_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:  # END-06
    monkeypatch.setattr(run_deadline, "GRACE_S", 0.0)
    monkeypatch.setattr(run_deadline, "_LONGER_S", 0.0)
    seen = list[str]()

    async def run() -> None:
        with end_after(0.0, seen.append, lambda: seen.append("cut")), pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()

    asyncio.run(run())
    assert seen == ["limits.run_deadline_s: 0 s are over", "cut"]


def test_without_a_deadline_nothing_ends() -> None:
    async def run() -> str:
        with end_after(None, lambda why: None, lambda: None):
            return "done"

    assert asyncio.run(run()) == "done"
