"""Three real processes share a run, and one is killed in mid-shard: the run ends as if nobody had helped."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from haetae.core.run import Run, RunStatus
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench

SAMPLES, IN_FLIGHT, SHARDS = 120, 8, 6
BENCH = Path(__file__).parents[1] / "bench"
SCORES = (
    "SELECT sample_id, repeat, metric, value, reason, stats, explanation FROM score WHERE run_id = ? ORDER BY 1, 2, 3"
)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[tuple[Any, Any]]:
    """An endpoint that counts its calls, and a project that asks it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCH)
        kill_bench = importlib.import_module("kill_bench")
    with kill_bench.serving() as endpoint:
        project = kill_bench.made(tmp_path / "project", SAMPLES, IN_FLIGHT, endpoint.url)
        suite = project.folder / "suite.yaml"
        suite.write_text(suite.read_text().replace("track: [mlflow]\n", ""))
        yield endpoint, project


def _worker(project: Any, run: Run) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from haetae.cli.main import main; main()", "work", run.id, "--json", "--quiet"]
    env = {**os.environ, **project.env}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _rows(project: Any, query: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(project.ledger)) as connection:
        return connection.execute(query, values).fetchall()


def test_nothing_is_lost_or_doubled_and_the_report_is_that_of_one_process(made: tuple[Any, Any]) -> None:
    endpoint, project = made
    with Workbench(load_settings(project.env)) as bench:
        alone = bench.run(project.folder / "suite.yaml", fresh=True)
        expected = _rows(project, SCORES, alone.run.id)
        endpoint.reset()
        shared = bench.share(project.folder / "suite.yaml", shards=SHARDS, fresh=True)
        endpoint.kill_at = SAMPLES  # of twice as many: each answer is judged
        workers = [_worker(project, shared) for _ in range(3)]
        endpoint.victim = workers[0].pid
        said = [worker.communicate(timeout=120) for worker in workers]
        codes = [worker.returncode for worker in workers]
        killed = codes.index(-signal.SIGKILL) if -signal.SIGKILL in codes else None
        assert killed == 0, said
        assert codes[1:] == [0, 0], said
        by_others = sum(len(json.loads(out)["shards"]) for out, _ in said[1:])
        report = bench.resume(shared.id)
        assert bench.ledger.open_to_work() == []
    assert report.run.status is RunStatus.FINISHED
    assert 0 < by_others <= SHARDS
    assert _rows(project, SCORES, shared.id) == expected
    places = _rows(project, "SELECT position FROM generation WHERE run_id = ? ORDER BY 1", shared.id)
    assert [place for (place,) in places] == list(range(SAMPLES))
    assert [estimate.as_json() for estimate in report.estimates] == [estimate.as_json() for estimate in alone.estimates]
    assert report.spent.calls == alone.spent.calls == 2 * SAMPLES
    repeated = Counter({asked: count - 1 for asked, count in endpoint.calls.items() if count > 1})
    assert len(endpoint.calls) == 2 * SAMPLES
    assert repeated.total() <= IN_FLIGHT  # what was in flight at the one endpoint


def test_a_worker_whose_files_differ_works_on_nothing_and_says_what_differs(made: tuple[Any, Any]) -> None:
    endpoint, project = made
    suite = project.folder / "suite.yaml"
    with Workbench(load_settings(project.env)) as bench:
        shared = bench.share(suite, shards=3)
        (project.folder / "ask.md").write_text("quite another question: {{ input }}")
    worker = _worker(project, shared)
    _, said = worker.communicate(timeout=120)
    assert worker.returncode == 2
    assert f"{shared.id} cannot be continued, this has changed since it started" in said
    assert "ask.md has changed" in said
    assert endpoint.calls.total() == 0
