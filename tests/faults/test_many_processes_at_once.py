"""Eight processes write one SQLite ledger while two read it; `tests/bench/writers_bench.py` reports how long a commit
takes."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest


def test_eight_writers_and_two_readers_are_never_told_that_the_ledger_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # STO-03, STO-04
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "bench")
    writers_bench = importlib.import_module("writers_bench")
    found = writers_bench.measured(tmp_path, writers=8, readers=2, commits=25, rows=5)
    assert found.failed == []
    assert found.rows == found.expected == 8 * 25 * 5
    assert found.whole
    assert len(found.seconds) == 8 * 25
    assert found.reads > 0
