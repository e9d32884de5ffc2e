"""Suites deployed to a work pool: a worker runs them; what is cancelled, stopped or killed leaves the ledger clean.

One server, its scheduler and its automations, and workers that are real processes. Samples of the suite `held` wait
until a file says go, so that a run can be met in its middle without waiting for it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from haetae import Workbench, load_settings
from haetae.flows.automations import AGAIN, SILENT
from haetae.flows.events import alias_moved

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
_HAETAE = ("-c", "from haetae.cli.main import main; main()")
_YEARLY = '{ cron: "0 0 1 1 *", timezone: Asia/Seoul }'
_TARGET = """
import asyncio, pathlib
GO = pathlib.Path(__file__).with_name("go")

async def answer(input):
    while input != "first" and not GO.exists():
        await asyncio.sleep(0.05)
    return "yes"
"""


def suite(name: str, schedule: str | None) -> str:
    return f"""
suite: {name}
dataset: data.jsonl
target: {{ function: "held_target:answer" }}
metrics: {{ exact: exact_match }}
judge: referee@production
limits: {{ in_flight: 2 }}
{f"schedule: {schedule}" if schedule else ""}
"""


@dataclass(frozen=True)
class Project:
    """A folder with a suite, deployed on the server."""

    folder: Path
    server: Any

    def haetae(self, *arguments: str) -> str:
        """What a command says that ends well."""
        command = [sys.executable, *_HAETAE, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.server.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write(self, schedule: str | None) -> None:
        (self.folder / "held/suite.yaml").write_text(suite("held", schedule), "utf-8")

    def go(self) -> None:
        (self.folder / "held/go").touch()

    def halt(self) -> None:
        (self.folder / "held/go").unlink(missing_ok=True)

    def deployments(self) -> dict[str, dict[str, Any]]:
        """Those of this project, by flow and name."""
        flows = {flow["id"]: flow["name"] for flow in self.server.asked("flows")}
        found = self.server.asked("deployments", deployments={"tags": {"all_": ["haetae"]}})
        return {f"{flows[each['flow_id']]}/{each['name']}": each for each in found if each["pull_steps"]}

    def automations(self) -> list[str]:
        found = self.server.asked("automations")
        return sorted(each["name"] for each in found)

    def start(self, **parameters: Any) -> str:
        """A flow run of the suite's nights."""
        deployment = self.deployments()["nightly/held"]["id"]
        made = self.server.post(f"/deployments/{deployment}/create_flow_run", {"parameters": parameters})
        return str(made.json()["id"])

    def flow_run(self, flow_run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.server.client.get(f"/flow_runs/{flow_run}", timeout=60).json()
        return found

    def ended(self, flow_run: str) -> dict[str, Any]:
        """It, when it has ended."""

        def look() -> Any:
            found = self.flow_run(flow_run)
            return found["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") and found

        found: dict[str, Any] = self.server.eventually(look)
        return found

    def gone(self, flow_run: str) -> None:
        """Wait until its process is gone, which then has said all that it says."""
        process = Path("/proc", self.flow_run(flow_run)["infrastructure_pid"].rpartition(":")[2])
        self.server.eventually(lambda: not process.exists())

    def started_by_itself(self, before: set[str], state: str | None = None) -> dict[str, Any]:
        """A flow run that an automation has started, beside those from before; with `state`, one that ended so.

        More than one may have been started by then; one of them has the turn.
        """

        def look() -> Any:
            runs = self.server.asked("flow_runs", flows={"name": {"any_": ["nightly"]}})
            new = [run for run in runs if run["id"] not in before]
            ours = [run for run in new if (run["created_by"] or {}).get("type") == "AUTOMATION"]
            return next((run for run in ours if state in (None, run["state"]["name"])), None)

        found: dict[str, Any] = self.server.eventually(look)
        return found

    def flow_runs(self) -> set[str]:
        return {run["id"] for run in self.server.asked("flow_runs")}

    @contextmanager
    def bench(self) -> Iterator[Workbench]:
        with Workbench(load_settings(self.server.env)) as bench:
            yield bench

    def next_run(self) -> str:
        """What the next run of the suite will be called."""
        with self.bench() as bench:
            return f"held.{max((run.number for run in bench.ledger.runs('held')), default=0) + 1}"

    def in_the_middle(self, run: str) -> None:
        """Wait until a process works on the run, and it has its first answer."""

        def look() -> bool:
            with self.bench() as bench:
                under_way = {one.run.id for one in bench.ledger.unfinished_runs() if one.worked_on_by is not None}
                return run in under_way and bench.ledger.done_count(run, ())[0] > 0

        self.server.eventually(look)


@pytest.fixture(scope="module")
def project(server: Any) -> Project:
    project = Project(server.folder / "project", server)
    (project.folder / "held").mkdir(parents=True)
    (project.folder / "held/held_target.py").write_text(_TARGET, "utf-8")
    rows = [f'{{"id": "{n}", "input": "{n or "first"}", "reference": "yes"}}' for n in range(6)]
    (project.folder / "held/data.jsonl").write_text("\n".join(rows), "utf-8")
    project.write(_YEARLY)
    project.haetae("deploy")
    return project


@pytest.fixture
def worker(project: Project) -> Iterator[Any]:
    with project.server.running(*_HAETAE, "schedule", "work") as process:
        yield process


def test_deploying_twice_comes_to_the_same(project: Project) -> None:  # SCH-13
    before, automations = project.deployments(), project.automations()
    assert set(before) == {
        "nightly/held",
        *(f"{flow}/project" for flow in ("evaluate", "gate", "shard", "watch", "deliver", "tidy")),
    }
    nightly = before["nightly/held"]
    assert [schedule["schedule"]["cron"] for schedule in nightly["schedules"]] == ["0 0 1 1 *"]
    assert nightly["parameters"] == {"suites": ["held/suite.yaml"]}
    assert nightly["work_pool_name"] == "haetae"
    assert {SILENT.name, AGAIN.name, "model referee@production moves"} <= set(automations)
    said = project.haetae("deploy", ".")
    assert "nightly/held: brought up to date (0 0 1 1 * Asia/Seoul)" in said
    after = project.deployments()
    assert {name: each["id"] for name, each in after.items()} == {name: each["id"] for name, each in before.items()}
    assert [len(each["schedules"]) for each in after.values()] == [len(each["schedules"]) for each in before.values()]
    assert project.automations() == automations


def test_a_night_that_the_scheduler_made_is_run_by_a_worker(project: Project, worker: Any) -> None:
    project.go()
    project.write('{ cron: "* * * * *", timezone: UTC }')
    project.haetae("deploy", "held/suite.yaml")

    def look() -> Any:
        runs = project.server.asked("flow_runs", flows={"name": {"any_": ["nightly"]}}, sort="END_TIME_DESC")
        ended = [run for run in runs if run["auto_scheduled"] and run["state"]["name"] == "Completed"]
        return worker.lives() and next(iter(ended), None)

    try:
        run = project.server.eventually(look)
    finally:  # no tick of it stands in the way of the others
        project.write(_YEARLY)
        project.haetae("deploy")
    assert run["name"].startswith("nightly held 20")
    with project.bench() as bench:
        first = bench.ledger.runs("held")[-1]
    assert {"haetae", "suite:held", f"run:{first.id}", f"due:{first.tags['due']}"} <= set(run["tags"])
    artifacts = project.server.asked("artifacts", artifacts={"flow_run_id": {"any_": [run["id"]]}})
    assert {"progress-held", "estimates-held", "verdict-held"} <= {artifact["key"] for artifact in artifacts}


def test_a_move_of_an_alias_runs_the_suites_that_name_it(project: Project, worker: Any) -> None:
    project.go()
    before = project.flow_runs()
    assert alias_moved(project.server.env, "model", "referee", "staging", 3, 2) is None  # nobody names it
    assert alias_moved(project.server.env, "model", "referee", "production", 3, 2) is None
    run = project.ended(project.started_by_itself(before)["id"])
    assert run["state"]["name"] == "Completed", run["state"]["message"]
    with project.bench() as bench:
        newest = bench.ledger.runs("held")[0]
    assert datetime.fromisoformat(newest.tags["due"]) >= datetime.fromisoformat(run["parameters"]["demanded"])
    started = [each for each in project.server.asked("flow_runs") if each["id"] not in before]
    assert sum(bool(each["parameters"].get("demanded")) for each in started) == 1


def test_how_a_night_ended_is_said_once_and_never_as_a_crash(project: Project) -> None:
    (project.folder / "wrong.yaml").write_text("suite: wrong\n", "utf-8")
    evaluate = project.deployments()["evaluate/project"]["id"]
    asked = {"parameters": {"suite": "wrong.yaml"}}
    with project.server.running(*_HAETAE, "schedule", "work") as worker:
        given_up = project.start(died=3)
        assert project.ended(given_up)["state"]["name"] == "GivenUp"
        wrong = project.server.post(f"/deployments/{evaluate}/create_flow_run", asked).json()["id"]
        assert project.ended(wrong)["state"]["type"] == "FAILED"
        project.gone(wrong)
        said = worker.log.read_text("utf-8")
    (project.folder / "wrong.yaml").unlink()
    assert "Finished in state GivenUp('its process died 3 times" in said
    assert "Encountered exception during execution: ConfigError(" in said
    assert "Traceback" not in said
    assert "exited with unexpected exception" not in said


def test_what_a_process_serves_and_what_the_pool_has_are_there_at_once(project: Project) -> None:
    before, polled = project.deployments()["nightly/held"], None

    def served() -> Any:
        """The deployment of the process, once it has asked what is due of it."""
        found = project.server.asked("deployments", deployments={"name": {"any_": ["held (served)"]}})
        return next((each for each in found if each["last_polled"] != polled), None)

    for _ in range(2):  # serving again finds it paused
        with project.server.running(*_HAETAE, "schedule", "serve", str(project.folder / "held")) as serving:
            made = project.server.eventually(served, within_s=60)
            assert (made["work_pool_name"], made["paused"]) == (None, False)
            serving.child.send_signal(signal.SIGTERM)
            serving.child.wait(60)
        ended = served()
        assert (ended["id"], ended["paused"]) == (made["id"], True)
        polled = ended["last_polled"]
    after = project.deployments()["nightly/held"]
    kept = ("id", "pull_steps", "work_pool_name", "schedules", "paused", "parameters")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert "served" not in project.haetae("deploy")


def test_what_was_served_under_the_suites_own_name_is_taken_over(project: Project) -> None:
    nightly = project.deployments()["nightly/held"]
    old = {"name": "old", "flow_id": nightly["flow_id"], "tags": ["haetae"], "parameters": {"suites": ["old.yaml"]}}
    made = project.server.post("/deployments/", old).json()["id"]
    text = suite("old", _YEARLY).replace("data.jsonl", "held/data.jsonl")
    (project.folder / "old.yaml").write_text(text, "utf-8")

    def is_paused() -> bool:
        found: bool = project.server.client.get(f"/deployments/{made}", timeout=60).json()["paused"]
        return found

    with project.server.running(*_HAETAE, "schedule", "serve", str(project.folder / "old.yaml")):
        project.server.eventually(is_paused)  # nobody runs what it would start
    said = project.haetae("deploy", "old.yaml")
    assert (
        "nightly/old: brought up to date (0 0 1 1 * Asia/Seoul); before, it was that of haetae schedule serve" in said
    )
    assert not is_paused()
    assert project.deployments()["nightly/old"]["id"] == made
    (project.folder / "old.yaml").unlink()
    assert "nightly/old: paused" in project.haetae("deploy")


def test_what_a_person_cancels_is_interrupted_and_not_taken_up(project: Project, worker: Any) -> None:
    project.halt()
    held = project.next_run()
    flow_run = project.start(demanded=datetime.now(UTC).isoformat())
    project.in_the_middle(held)
    before = project.flow_runs()
    cancelling = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
    project.server.post(f"/flow_runs/{flow_run}/set_state", cancelling)
    assert project.ended(flow_run)["state"]["type"] == "CANCELLED"
    project.gone(flow_run)
    said = worker.log.read_text("utf-8")
    assert f"{held}: interrupted" in said
    assert "Traceback" not in said
    assert "exited with unexpected exception" not in said
    with project.bench() as bench:
        run, turn = bench.ledger.run(held), bench.ledger.turn("held")
        assert (run.status.value, run.note.partition(";")[0]) == ("interrupted", "interrupted")
        assert [one.worked_on_by for one in bench.ledger.unfinished_runs() if one.run.id == run.id] == [None]
        assert turn.ended
    assert project.flow_runs() == before


def test_what_is_killed_or_loses_its_worker_goes_on_where_it_was(project: Project) -> None:  # SCH-07, SCH-08
    project.halt()
    held = project.next_run()
    with project.server.running(*_HAETAE, "schedule", "work") as worker:
        first = project.start(demanded=datetime.now(UTC).isoformat())
        project.in_the_middle(held)
        before = project.flow_runs()
        os.kill(int(project.flow_run(first)["infrastructure_pid"].rpartition(":")[2]), signal.SIGKILL)
        assert project.ended(first)["state"]["type"] == "CRASHED"
        second = project.started_by_itself(before)
        assert second["parameters"]["died"] == 1
        project.in_the_middle(held)
        before = project.flow_runs()
        worker.child.send_signal(signal.SIGTERM)
        worker.child.wait(60)
    assert project.ended(second["id"])["state"]["type"] == "CRASHED"
    with project.bench() as bench:
        assert bench.ledger.run(held).status.value == "interrupted"
        assert not bench.ledger.turn("held").ended  # it is due still
    project.go()
    with project.server.running(*_HAETAE, "schedule", "work"):
        third = project.started_by_itself(before, "Completed")
    assert third["parameters"]["died"] == 2
    assert third["state"]["message"].startswith(f"{held}: ")  # the same run, to its end
    with project.bench() as bench:
        assert bench.ledger.turn("held").ended
        assert bench.ledger.done_count(held, ("exact",)) == (6, 6)


def test_a_suite_that_lost_its_schedule_is_paused_and_no_other_folders_are(project: Project) -> None:
    project.write(None)
    (project.folder / "other.yaml").write_text(
        suite("other", _YEARLY).replace("data.jsonl", "held/data.jsonl"), "utf-8"
    )
    assert "held" not in project.haetae("deploy", "other.yaml")  # it was not asked after
    said = project.haetae("deploy")
    assert "nightly/held: paused; no suite of that name has a schedule there any more" in said
    found = project.deployments()
    assert (found["nightly/held"]["paused"], found["nightly/other"]["paused"]) == (True, False)
    assert "nightly/held" not in project.haetae("deploy")  # it is said once
    project.write(_YEARLY)
    assert "nightly/held: brought up to date" in project.haetae("deploy")
    assert not project.deployments()["nightly/held"]["paused"]


def test_who_falls_silent_is_missed_within_two_heartbeats() -> None:  # SCH-08
    """The time itself takes Prefect a minute, and belongs to the ordeal."""
    assert SILENT.trigger.within == timedelta(seconds=60)
    assert SILENT.trigger.after == {"prefect.flow-run.heartbeat"}
    assert "prefect.flow-run.heartbeat" in SILENT.trigger.expect
