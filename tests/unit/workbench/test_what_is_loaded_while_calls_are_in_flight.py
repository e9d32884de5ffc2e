"""The end of a run needs numpy: it is loaded while the calls of the run are in flight, and not for a run without."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from haetae.workbench import loading
from haetae.workbench.loading import loading_meanwhile


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that nobody has loaded."""
    (tmp_path / "needed_at_the_end.py").write_text("LOADED = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "needed_at_the_end", raising=False)
    return "needed_at_the_end"


def test_what_the_end_needs_is_there_before_the_block_ends(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_UNDER_WAY_S", 0.0)

    async def calls() -> None:
        with loading_meanwhile(module):
            while not getattr(sys.modules.get(module), "LOADED", False):  # noqa: ASYNC110  # an import tells nobody
                await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(calls(), 60))


def test_a_block_that_waits_for_nothing_loads_nothing(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_UNDER_WAY_S", 0.0)

    async def no_call() -> None:
        with loading_meanwhile(module):
            pass
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(no_call())
    assert module not in sys.modules
