"""A schedule really runs: a real Prefect server, its scheduler, a runner that serves the flow, one night.

A server whose parts do not fit together starts, answers and runs flows that are called, and only its
scheduler stays silent; so the run that is looked at here is one that the scheduler made.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from haetae import Workbench
from haetae.settings import load_settings
from haetae.workbench.shipped import shipped

pytestmark = pytest.mark.real

_SERVE = """
import sys
from haetae.flows.evaluate import evaluate
from prefect.flows import EntrypointType
module = EntrypointType.MODULE_PATH
evaluate.serve("nightly", interval=5, limit=1, parameters={"suite": sys.argv[1]}, entrypoint_type=module)
"""
_ENDED = {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}}


@dataclass(frozen=True)
class Night:
    """A run that the scheduler made, as the server tells it, and where everything is kept."""

    flow_run: dict[str, Any]
    artifacts: dict[str, dict[str, Any]]
    prefect_home: Path
    env: dict[str, str]


@pytest.fixture(scope="module")
def night(server: Any) -> Night:
    """The first scheduled run of a suite whose baseline is promoted, when it has ended."""
    suite = shutil.copytree(shipped("starter"), server.folder / "suite") / "suite.yaml"
    with Workbench(load_settings(server.env)) as bench:
        bench.promote(bench.run(suite).run.id)
    with server.running("-c", _SERVE, str(suite)) as serving:
        flow_run = _first_ended(server, serving, {"name": {"any_": ["nightly"]}})
    mine = {"flow_run_id": {"any_": [flow_run["id"]]}}
    artifacts = {artifact["key"]: artifact for artifact in server.asked("artifacts", artifacts=mine)}
    return Night(flow_run, artifacts, server.folder / "prefect", server.env)


def _first_ended(server: Any, serving: Any, deployments: dict[str, Any]) -> dict[str, Any]:
    """The first run of a deployment that has ended."""
    asked = {"deployments": deployments, "flow_runs": _ENDED, "sort": "END_TIME_DESC"}
    return server.eventually(lambda: serving.lives() and server.asked("flow_runs", **asked))[-1]


def test_the_scheduler_made_the_run_and_it_ended_in_its_verdict(night):
    run = night.flow_run
    assert run["auto_scheduled"] is True
    assert run["created_by"]["type"] == "SCHEDULE"
    assert (run["state"]["type"], run["state"]["name"]) == ("COMPLETED", "Passed"), run["state"]["message"]


def test_prefects_own_database_holds_the_run(night):
    address = f"file:{night.prefect_home / 'prefect.db'}?mode=ro"
    asked = "SELECT auto_scheduled, state_type, state_name, run_count FROM flow_run WHERE id = ?"
    with closing(sqlite3.connect(address, uri=True)) as database:
        assert database.execute(asked, [night.flow_run["id"]]).fetchall() == [(1, "COMPLETED", "Passed", 1)]


def test_the_numbers_of_the_scheduled_run_are_the_ledgers(night):
    run_id, _, reason = night.flow_run["state"]["message"].partition(": ")
    with Workbench(load_settings(night.env)) as bench:
        expected = [estimate.as_json() for estimate in bench.ledger.estimates(run_id)]
        said, text = bench.ledger.comparison(run_id), bench.report(run_id).text
        epoch = bench.ledger.run(run_id).manifest.epoch
    assert json.loads(night.artifacts["estimates-first"]["data"]) == expected
    assert len(expected) > 3
    assert (said.verdict.value, said.reason) == ("pass", reason)
    assert text in night.artifacts["verdict-first"]["data"]
    assert epoch  # a scheduled run asks afresh


def test_suites_are_served_by_the_schedule_in_their_files(server: Any) -> None:
    folder = shutil.copytree(shipped("starter"), server.folder / "served")
    suite = folder / "suite.yaml"
    text = suite.read_text("utf-8").replace("suite: first", "suite: every-minute")
    suite.write_text(text + '\nschedule: { cron: "* * * * *", timezone: Asia/Seoul }\n', "utf-8")
    command = ["-c", "from haetae.cli.main import main; main()", "schedule", "serve", str(folder)]
    mine = {"name": {"any_": ["every-minute (served)"]}}
    with server.running(*command) as serving:
        flow_run = _first_ended(server, serving, mine)
    (deployment,) = server.asked("deployments", deployments=mine)
    (schedule,) = deployment["schedules"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("* * * * *", "Asia/Seoul")
    assert flow_run["deployment_id"] == deployment["id"]
    assert flow_run["name"].startswith("nightly every-minute 20")
    with Workbench(load_settings(server.env)) as bench:
        first = bench.ledger.runs("every-minute")[-1]
    assert flow_run["state"]["name"] == "NoVerdict", flow_run["state"]["message"]  # it has no baseline yet
    assert flow_run["state"]["message"].startswith(f"{first.id}: ")
    assert first.tags["due"].endswith(":00+00:00")
    with server.running(*command) as serving:  # SCH-13

        def again() -> Any:
            (now,) = server.asked("deployments", deployments=mine)
            return serving.lives() and now["updated"] != deployment["updated"] and now

        now = server.eventually(again)
    assert (now["id"], len(now["schedules"])) == (deployment["id"], 1)
