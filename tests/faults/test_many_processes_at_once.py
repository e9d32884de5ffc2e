"""Eight processes write one ledger while two read it; `tests/bench/writers_bench.py` says how long a commit takes."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.real)])
def test_eight_writers_and_two_readers_are_never_told_that_the_ledger_is_locked(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:  # STO-03, STO-04
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else f"sqlite:///{tmp_path}/ledger.db"
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "bench")
    writers_bench = importlib.import_module("writers_bench")
    found = writers_bench.measured(url, writers=8, readers=2, commits=25, rows=5)
    assert found.failed == []
    assert found.rows == found.expected == 8 * 25 * 5
    assert found.whole
    assert len(found.seconds) == 8 * 25
    assert found.reads > 0
