"""A process that slept beyond its lease, while another went on with its run, leaves what the other made of it."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from haetae.core.run import RunStatus
from haetae.engine.watch import Progress
from haetae.settings import Settings, load_settings
from haetae.workbench.bench import Workbench

SUITE = """\
suite: bot
dataset: samples.jsonl
target: { function: "answering:answer" }
metrics: { exact: exact_match }
limits: { in_flight: 1 }
schedule: { cron: "0 0 1 1 *" }
"""
SAMPLES = 30
ANSWERING = "def answer(input):\n    return input.replace('question', 'answer')\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "pyproject.toml").touch()
    rows = ({"id": f"s{n}", "input": f"question {n}", "reference": f"answer {n % 20}"} for n in range(SAMPLES))
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "answering.py").write_text(ANSWERING)
    return load_settings({"HAETAE_HOME": str(tmp_path / "home")}, tmp_path)


def _slept(settings: Settings, others: list[Any], due: datetime | None) -> Any:
    """A watcher that lets the lease pass at the first answer, while another runs what is due, or goes on by hand."""

    def asleep(progress: Progress) -> None:
        if others or not progress.done:
            return
        long_ago = "SET owner_host = 'far away', lease_until = '2026-01-01 00:00:00' WHERE owner_token IS NOT NULL"
        with closing(sqlite3.connect(settings.home / "ledger.db")) as beside, beside:
            for table in ("run", "turn"):
                beside.execute(f"UPDATE {table} {long_ago}")  # ours

        def meanwhile() -> None:
            suite = settings.home.parent / "suite.yaml"
            with Workbench(settings) as other:
                others.append(other.run_due(suite, demanded=due) if due else other.run(suite))

        working = threading.Thread(target=meanwhile)
        working.start()
        working.join()

    return asleep


@pytest.mark.parametrize("is_due", [False, True])
def test_it_reports_the_run_as_the_other_ended_it(settings: Settings, is_due: bool) -> None:
    suite, others = settings.home.parent / "suite.yaml", []
    with Workbench(settings) as bench:
        due = bench.ledger.now() if is_due else None
        watcher = _slept(settings, others, due)
        said = bench.run_due(suite, demanded=due, watcher=watcher) if due else bench.run(suite, watcher=watcher)
        theirs = others[0]
        assert (said.run.id, said.run.status, said.run.note) == (theirs.run.id, RunStatus.FINISHED, None)
        assert [one.as_json() for one in said.estimates] == [one.as_json() for one in theirs.estimates]
        assert bench.ledger.run("bot.1") == theirs.run
        assert bench.ledger.done_count("bot.1", ["exact"]) == (SAMPLES, SAMPLES)
        assert [run.id for run in bench.ledger.runs("bot")] == ["bot.1"]
        assert bench.ledger.alerts() == []
        if due:
            assert bench.ledger.turn("bot").ended
