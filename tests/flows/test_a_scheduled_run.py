"""A schedule really runs: a real Prefect server, its scheduler, a runner that serves the flow, one night.

A server whose parts do not fit together starts, answers and runs flows that are called, and only its
scheduler stays silent; so the run that is looked at here is one that the scheduler made.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from haetae import Workbench
from haetae.settings import load_settings
from haetae.workbench.shipped import shipped

pytestmark = pytest.mark.real

Found = TypeVar("Found")
_SERVE = """
import sys
from haetae.flows.evaluate import evaluate
from prefect.flows import EntrypointType
module = EntrypointType.MODULE_PATH
evaluate.serve("nightly", interval=5, limit=1, parameters={"suite": sys.argv[1]}, entrypoint_type=module)
"""
_QUIET = {
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
}
_ENDED = {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}}


@dataclass(frozen=True)
class Night:
    """A run that the scheduler made, as the server tells it, and where everything is kept."""

    flow_run: dict[str, Any]
    artifacts: dict[str, dict[str, Any]]
    prefect_home: Path
    env: dict[str, str]


@dataclass(frozen=True)
class Server:
    """A Prefect server: where it keeps things, the environment of its clients, how to ask it, whether it runs."""

    folder: Path
    env: dict[str, str]
    client: httpx.Client
    alive: Callable[[], bool]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("scheduled")
    port = _free_port()
    api = f"http://127.0.0.1:{port}/api"
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("HAETAE_", "PREFECT_"))}
    env = {**ours, **_QUIET, "PREFECT_HOME": str(folder / "prefect"), "PREFECT_API_URL": api}
    env["HAETAE_HOME"] = str(folder / "home")
    command = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with _running(command, folder, env) as alive, httpx.Client(base_url=api) as client:
        eventually(lambda: alive() and _healthy(client), 120)
        yield Server(folder, env, client, alive)


@pytest.fixture(scope="module")
def night(server: Server) -> Night:
    """The first scheduled run of a suite whose baseline is promoted, when it has ended."""
    suite = shutil.copytree(shipped("starter"), server.folder / "suite") / "suite.yaml"
    with Workbench(load_settings(server.env)) as bench:
        bench.promote(bench.run(suite).run.id)
    with _running(["-c", _SERVE, str(suite)], server.folder, server.env) as serving:
        flow_run = _first_ended(server, serving, {"name": {"any_": ["evaluate"]}})
    mine = {"artifacts": {"flow_run_id": {"any_": [flow_run["id"]]}}}
    artifacts = {artifact["key"]: artifact for artifact in _asked(server.client, "artifacts", mine)}
    return Night(flow_run, artifacts, server.folder / "prefect", server.env)


def _first_ended(server: Server, serving: Callable[[], bool], flow: dict[str, Any]) -> dict[str, Any]:
    """The first run of a flow that has ended."""
    asked = {"flows": flow, "flow_runs": _ENDED, "sort": "END_TIME_DESC"}
    return eventually(lambda: serving() and server.alive() and _asked(server.client, "flow_runs", asked), 180)[-1]


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


def test_suites_are_served_by_the_schedule_in_their_files(server: Server) -> None:
    folder = shutil.copytree(shipped("starter"), server.folder / "served")
    suite = folder / "suite.yaml"
    text = suite.read_text("utf-8").replace("suite: first", "suite: every-minute")
    suite.write_text(text + '\nschedule: { cron: "* * * * *", timezone: Asia/Seoul }\n', "utf-8")
    command = ["-c", "from haetae.cli.main import main; main()", "schedule", "serve", str(folder)]
    with _running(command, server.folder, server.env) as serving:
        flow_run = _first_ended(server, serving, {"name": {"any_": ["nightly"]}})
    mine = {"deployments": {"name": {"any_": ["every-minute"]}}}
    (deployment,) = _asked(server.client, "deployments", mine)
    (schedule,) = deployment["schedules"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("* * * * *", "Asia/Seoul")
    assert flow_run["deployment_id"] == deployment["id"]
    with Workbench(load_settings(server.env)) as bench:
        first = bench.ledger.runs("every-minute")[-1]
    assert flow_run["state"]["name"] == "NoVerdict", flow_run["state"]["message"]  # it has no baseline yet
    assert flow_run["state"]["message"].startswith(f"{first.id}: ")
    assert first.tags["due"].endswith(":00+00:00")
    with _running(command, server.folder, server.env) as serving:  # SCH-13

        def again() -> Any:
            (now,) = _asked(server.client, "deployments", mine)
            return serving() and now["updated"] != deployment["updated"] and now

        now = eventually(again, 120)
    assert (now["id"], len(now["schedules"])) == (deployment["id"], 1)


def eventually(look: Callable[[], Found], within_s: float) -> Found:
    """What `look` finds, asked again until it finds something. Fails after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing after {within_s} s"
        time.sleep(0.2)
    return found


@contextmanager
def _running(arguments: list[str], folder: Path, env: dict[str, str]) -> Iterator[Callable[[], bool]]:
    """A Python process with all its children; gives a check that it still runs, which fails with its log."""
    log = folder / f"{arguments[0]}.log"
    with log.open("w") as out:
        child = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=env, stdout=out, stderr=out, start_new_session=True
        )

    def alive() -> bool:
        assert child.poll() is None, log.read_text("utf-8", "replace")[-4000:]
        return True

    try:
        yield alive
    except AssertionError as failed:
        failed.add_note(log.read_text("utf-8", "replace")[-4000:])
        raise
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx.TransportError:  # it does not listen yet
        return False


def _asked(client: httpx.Client, what: str, filters: dict[str, Any]) -> list[dict[str, Any]]:
    reply = client.post(f"/{what}/filter", json=filters, timeout=30)
    assert reply.is_success, reply.text
    return reply.json()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
