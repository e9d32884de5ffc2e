"""A run with a hand on a work pool: two flow runs, in processes of their own, share its shards, and one ends it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from haetae import Workbench, load_settings

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
SAMPLES, SHARDS = 12, 4
_MARK = "run:shared.1"
"""The tag of its hands, and of the flow run that has started them."""
_TARGET = """
import asyncio, pathlib
GO = pathlib.Path(__file__).with_name("go")

async def answer(input):
    while not GO.exists():
        await asyncio.sleep(0.05)
    return "yes"
"""
_SUITE = """
suite: shared
dataset: data.jsonl
target: { function: "shared_target:answer" }
metrics: { exact: exact_match }
limits: { in_flight: 2 }
schedule: { cron: "0 0 1 1 *" }
"""
_HAETAE = ("-c", "from haetae.cli.main import main; main()")


@pytest.fixture
def folder(server: Any) -> Path:
    """A project, deployed, whose samples wait until a file says go."""
    folder: Path = server.folder / "project"
    (folder / "shared").mkdir(parents=True)
    (folder / "shared/shared_target.py").write_text(_TARGET, "utf-8")
    (folder / "shared/suite.yaml").write_text(_SUITE, "utf-8")
    rows = [f'{{"id": "{n}", "input": "{n}", "reference": "yes"}}' for n in range(SAMPLES)]
    (folder / "shared/data.jsonl").write_text("\n".join(rows), "utf-8")
    command = [sys.executable, *_HAETAE, "deploy"]
    done = subprocess.run(command, cwd=folder, env=server.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def _ended(server: Any, flow: str) -> dict[str, Any]:
    """The flow run of a flow that has one, when it has ended."""

    def look() -> Any:
        found = server.asked("flow_runs", flows={"name": {"any_": [flow]}}, flow_runs={"tags": {"any_": [_MARK]}})
        return next((run for run in found if run["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED")), None)

    found: dict[str, Any] = server.eventually(look)
    return found


def test_it_is_worked_on_by_two_processes_and_ends_once(server: Any, folder: Path) -> None:
    evaluate = {"name": {"any_": ["evaluate"]}}
    (deployment,) = server.asked("deployments", flows=evaluate, deployments={"name": {"any_": ["project"]}})
    asked = {"parameters": {"suite": "shared/suite.yaml", "hands": 1, "shards": SHARDS}, "tags": [_MARK]}

    def both_at_work() -> bool:
        with Workbench(load_settings(server.env)) as bench:
            runs = bench.ledger.runs("shared")
            held = [shard.held_by for shard in bench.ledger.shards(runs[0].id)] if runs else []
        return len({holder for holder in held if holder is not None}) == 2

    with server.running(*_HAETAE, "schedule", "work"):
        server.post(f"/deployments/{deployment['id']}/create_flow_run", asked)
        server.eventually(both_at_work)
        (folder / "shared/go").touch()
        assert _ended(server, "evaluate")["state"]["name"] == "Completed"
        hand = _ended(server, "shard")
    assert hand["state"]["name"] == "Worked"
    assert "done here" in hand["state"]["message"]
    with Workbench(load_settings(server.env)) as bench:
        (run,) = bench.ledger.runs("shared")
        shards = bench.ledger.shards(run.id)
        report = bench.report(run.id)
    assert [shard.ended for shard in shards] == [True] * SHARDS
    assert sum(shard.spent["calls"] for shard in shards) == report.spent.calls == SAMPLES
    assert report.run.status.value == "finished"
