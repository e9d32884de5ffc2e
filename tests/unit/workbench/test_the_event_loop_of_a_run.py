"""A run has an event loop of its own: libuv's, or Python's where that is not installed."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest

from haetae.workbench.event_loop import run_to_end


async def _where() -> tuple[str, threading.Thread]:
    await asyncio.sleep(0)
    return type(asyncio.get_running_loop()).__module__, threading.current_thread()


def test_it_is_libuvs_where_that_is_made() -> None:
    module, thread = run_to_end(_where())
    assert (module == "uvloop") == (sys.platform != "win32")
    assert thread is threading.main_thread()


def test_it_is_pythons_own_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)  # importing it raises ImportError
    module, thread = run_to_end(_where())
    assert module.partition(".")[0] == "asyncio"
    assert thread is threading.main_thread()


def test_inside_a_loop_that_turns_it_turns_in_a_thread() -> None:
    async def notebook() -> tuple[str, threading.Thread]:
        return run_to_end(_where())

    _, thread = asyncio.run(notebook())
    assert thread.name.startswith("haetae-run")


def test_what_the_work_raises_comes_out() -> None:
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_to_end(work())
