"""A prune while runs ask and while it is killed: what any run remembers is never paid for again."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from typing import Any

import pytest

from haetae.store.pruning import breathing
from haetae.workbench.old_runs import chosen

PRUNE = """
import os, signal, sys
from haetae.store.pruning import breathing, prune
from haetae.store.sql import open_ledger

count = 0

def die(seconds):
    global count
    count += 1
    if count == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

breathing.sleep = die
prune._FIRST = prune._FEWEST = prune._MOST = 7
with open_ledger(sys.argv[1]) as ledger:
    ledger.prune([sys.argv[2]] if not ledger.pruned() else [])
"""


def _ungated(project: Any) -> None:
    project.suite.write_text(re.sub(r"gate:.*?(?=limits)", "", project.suite.read_text(), flags=re.DOTALL))


def _asked(server: Any) -> Counter[str]:
    asked = Counter(body["model"] for body in server.bodies)
    server.bodies.clear()
    return asked


def _whole(project: Any) -> None:
    with closing(sqlite3.connect(project.ledger_file)) as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert ledger.execute("PRAGMA foreign_key_check").fetchall() == []


def test_after_the_first_run_is_pruned_its_answers_are_still_not_paid_twice(project: Any, server: Any) -> None:
    _ungated(project)
    with project.bench() as bench:
        runs = [bench.run(project.suite).run.id for _ in range(3)]
        assert _asked(server) == {"m": 20, "judge": 20}
        for _ in range(2):
            bench.ledger.prune([chosen(bench.ledger, suite="bot")[0].id])
            runs.append(bench.run(project.suite).run.id)
            assert _asked(server) == {}
        assert [run.id for run in bench.ledger.runs()] == runs[:1:-1]
        assert bench.ledger.held().reusable_answers == 20
    _whole(project)


def test_a_prune_that_is_killed_wherever_it_is_loses_no_answer_and_leaves_a_whole_ledger(
    project: Any, server: Any
) -> None:
    """Killed after its first, second and third transaction; each prune goes on with what the one before has hidden."""
    _ungated(project)
    with project.bench() as bench:
        first = bench.run(project.suite).run.id
        kept = [bench.run(project.suite).run.id for _ in range(2)]
        _asked(server)
        for number in (1, 2, 3):
            command = [sys.executable, "-c", PRUNE, bench.settings.ledger, first, str(number)]
            assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
            _whole(project)
            assert bench.ledger.pruned() == [first]
            assert [len(bench.ledger.results(run.id)) for run in bench.ledger.runs()] == [20] * len(kept)
            kept.append(bench.run(project.suite).run.id)
            assert _asked(server) == {}
        assert bench.ledger.prune([])["run"] == 1
        assert [run.id for run in bench.ledger.runs()] == kept[::-1]
        bench.run(project.suite)
        assert _asked(server) == {}
    _whole(project)


def test_a_run_that_takes_answers_while_their_run_is_pruned_keeps_them(
    project: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run looks up what it may take, then the other run is pruned, then it commits its copies."""
    _ungated(project)
    with project.bench() as bench, project.bench() as other:
        first = bench.run(project.suite).run.id
        (project.folder / "more.yaml").write_text(project.suite.read_text().replace("suite: bot", "suite: other"))
        # a newer run of the suite that has nothing of it, so that the first may go
        project.suite.write_text(project.suite.read_text() + "limit: 1\n")
        bench.run(project.suite, fresh=True)
        _asked(server)
        record, pruned = other.ledger.record, []

        def late(run_id: str, *rows: Any) -> None:
            if not pruned:
                pruned.append(bench.ledger.prune([first]))
            record(run_id, *rows)

        monkeypatch.setattr(other.ledger, "record", late)
        monkeypatch.setattr(breathing, "sleep", lambda seconds: None)
        copied = other.run(project.folder / "more.yaml").run.id
        assert pruned[0]["run"] == 1
        assert len(bench.ledger.results(copied)) == 20
        _asked(server)
        bench.ledger.prune([])  # finds what was copied too late for the first prune
        other.run(project.folder / "more.yaml")
        assert _asked(server) == {}
    _whole(project)
