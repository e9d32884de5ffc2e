"""kill -9 at random moments of a real run: nothing is lost, nothing is doubled, little is asked twice."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

SAMPLES, IN_FLIGHT, KILLS = 200, 16, 10


def _started(project: Any) -> subprocess.Popen[str]:
    program = "import sys; sys.argv[0] = 'haetae'; from haetae.cli.main import main; main()"
    command = [sys.executable, "-c", program, "run", str(project.suite), "--quiet", "--no-track"]
    env = {**os.environ, **project.settings.env}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(file)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _scores(file: Path) -> list[tuple[Any, ...]]:
    return _rows(file, "SELECT sample_id, repeat, metric, value, reason FROM score ORDER BY 1, 2, 3")


def test_a_run_survives_being_killed_ten_times(project: Any, another_project: Any, server: Any) -> None:  # STO-01
    for each in (project, another_project):
        each.write_samples(SAMPLES)
    rng = random.Random(20_260_301)  # noqa: S311  # moments of death
    killed = 0
    while killed < KILLS:
        process = _started(project)
        wanted = len(server.bodies) + rng.randint(1, 30)

        def noticed(count: int, process: Any = process, wanted: int = wanted) -> None:
            if count >= wanted:
                process.kill()

        server.noticed = noticed
        said, _ = process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL, said
        killed += 1
        assert _rows(project.ledger_file, "PRAGMA integrity_check") == [("ok",)]
    server.noticed = lambda count: None
    process = _started(project)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 3, said  # no baseline yet: no verdict
    assert "bot.1  finished" in said

    assert _rows(project.ledger_file, "PRAGMA integrity_check") == [("ok",)]
    assert _rows(project.ledger_file, "SELECT id, status FROM run") == [("bot.1", "finished")]
    rows = _rows(project.ledger_file, "SELECT sample_id, repeat FROM generation")
    assert len(rows) == len(set(rows)) == SAMPLES
    scores = _scores(project.ledger_file)
    assert len(scores) == len({row[:3] for row in scores}) == 2 * SAMPLES
    calls = Counter(repr((body["model"], body["messages"][-1]["content"])) for body in server.bodies)
    repeated = sum(count - 1 for count in calls.values())
    print(f"{len(server.bodies)} calls for {2 * SAMPLES}, {repeated} repeated after {killed} kills")
    assert len(calls) == 2 * SAMPLES
    assert repeated <= KILLS * 2 * IN_FLIGHT  # of a pair in flight, the answer and its judgement

    uninterrupted = _started(another_project)
    said, _ = uninterrupted.communicate(timeout=120)
    assert uninterrupted.returncode == 3, said
    assert _scores(another_project.ledger_file) == scores
