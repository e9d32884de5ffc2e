"""haetae schedule serve against a server: one process serves a suite; what it leaves begun blocks nobody."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
_HAETAE = ("-c", "from haetae.cli.main import main; main()")
_SUITE = """
suite: NAME
dataset: data.jsonl
target: { outputs: out.jsonl }
metrics: { exact: exact_match }
schedule: { cron: "0 0 1 1 *", timezone: Asia/Seoul }
"""
_ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass(frozen=True)
class Night:
    """A suite in a folder of its own, and the deployment that serving it makes."""

    folder: Path
    name: str
    server: Any

    def write(self) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "suite.yaml").write_text(_SUITE.replace("NAME", self.name), "utf-8")
        (self.folder / "data.jsonl").write_text('{"id": "1", "input": "a", "reference": "a"}\n', "utf-8")
        (self.folder / "out.jsonl").write_text('{"id": "1", "output": "a"}\n', "utf-8")

    def serving(self, *options: str) -> Any:
        return self.server.running(*_HAETAE, "schedule", "serve", str(self.folder), *options)

    def refused(self) -> str:
        """What is said where it is refused to serve it."""
        command = [sys.executable, *_HAETAE, "schedule", "serve", str(self.folder)]
        done = subprocess.run(
            command, cwd=self.folder, env=self.server.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, done.stdout + done.stderr
        assert "stop with Ctrl-C" not in done.stdout
        return done.stderr

    def deployment(self) -> Any:
        found = self.server.asked("deployments", deployments={"name": {"any_": [f"{self.name} (served)"]}})
        return next(iter(found), None)

    def served_by(self, pid: int) -> None:
        """Wait until this process serves it, and the server knows."""

        def look() -> bool:
            there = self.deployment()
            note = f"Served by process {pid} on "
            return bool(there and note in there["description"] and there["status"] == "READY" and not there["paused"])

        self.server.eventually(look, within_s=90)

    def start(self, state: str | None = None) -> str:
        """A flow run of it; with `state`, put there by hand, in nobody's process."""
        asked: dict[str, Any] = {"state": {"type": "SCHEDULED"}}
        made = self.server.post(f"/deployments/{self.deployment()['id']}/create_flow_run", asked).json()["id"]
        if state is not None:
            self.server.post(f"/flow_runs/{made}/set_state", {"state": {"type": state}})
        return str(made)

    def state(self, flow_run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.server.client.get(f"/flow_runs/{flow_run}", timeout=60).json()["state"]
        return found

    def ended(self, flow_run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.server.eventually(
            lambda: (state := self.state(flow_run))["type"] in _ENDED and state
        )
        return found

    def slots(self) -> int:
        """How many of its one place are taken."""
        limit = f"deployment:{self.deployment()['id']}"
        found: dict[str, Any] = self.server.client.get(f"/v2/concurrency_limits/{limit}", timeout=60).json()
        return int(found["active_slots"])


@pytest.fixture
def night(server: Any) -> Night:
    name = f"suite-{len(list(server.folder.iterdir()))}"  # logs are counted as well: no two tests have the same
    night = Night(server.folder / name, name, server)
    night.write()
    return night


def stopped(process: Any, number: int = signal.SIGTERM) -> None:
    process.child.send_signal(number)
    process.child.wait(60)


def test_stopped_while_a_flow_run_is_submitted_its_place_is_free_and_it_is_taken_up_again(night: Night) -> None:
    with night.serving() as first:
        night.served_by(first.child.pid)
        begun = night.start()
        night.server.eventually(lambda: night.state(begun)["type"] in ("PENDING", "RUNNING"))
        stopped(first)
    assert night.state(begun)["type"] == "CRASHED"
    assert night.slots() == 0
    assert night.deployment()["paused"]
    with night.serving() as second:
        night.served_by(second.child.pid)
        assert night.ended(night.start())["type"] == "COMPLETED"

        def again() -> Any:
            runs = night.server.asked("flow_runs", deployments={"id": {"any_": [night.deployment()["id"]]}})
            return [run for run in runs if run["parameters"].get("died") == 1 and run["state"]["type"] in _ENDED]

        night.server.eventually(again)


@pytest.mark.parametrize("killed", [False, True])
def test_what_a_process_left_begun_is_ended_by_the_next_one(night: Night, killed: bool) -> None:
    with night.serving() as first:
        night.served_by(first.child.pid)
        stopped(first, signal.SIGKILL if killed else signal.SIGTERM)
    left = night.start("PENDING")
    assert night.slots() == 1
    with night.serving() as second:  # whoever was killed on this machine locks nobody out
        night.served_by(second.child.pid)
        assert night.ended(left)["type"] == "CRASHED"
        assert night.state(left)["message"] == "the process that served it has ended"
        assert night.ended(night.start())["type"] == "COMPLETED"


def test_what_runs_and_says_so_is_left_to_run(night: Night) -> None:
    with night.serving() as first:
        night.served_by(first.child.pid)
        stopped(first)
    runs = night.start("PENDING")
    night.server.post(f"/flow_runs/{runs}/set_state", {"state": {"type": "RUNNING"}})
    with night.serving() as second:
        night.served_by(second.child.pid)
        assert night.state(runs)["type"] == "RUNNING"  # it has begun just now, and may live


def test_a_second_process_is_refused_and_takes_it_over_where_it_is_told_to(night: Night) -> None:
    copy = Night(night.server.folder / "copy", night.name, night.server)
    copy.write()
    with night.serving() as first:
        night.served_by(first.child.pid)
        for again in (night, copy):
            said = again.refused()
            assert f"nightly/{night.name} (served) is served already, by process {first.child.pid} on " in said
            assert f"from {night.server.folder}" in said
            assert "--take-over takes it at once" in said
        with copy.serving("--take-over") as second:
            copy.served_by(second.child.pid)
            assert first.child.wait(120) != 0  # it ends by itself
            assert f"was taken over, by process {second.child.pid} on " in first.said()
            copy.served_by(second.child.pid)  # and has not paused it
            assert copy.ended(copy.start())["type"] == "COMPLETED"


def test_who_serves_on_another_machine_is_believed_while_it_polls_and_no_longer(night: Night) -> None:
    note = {"description": "Runs it.\n\nServed by process 7 on elsewhere from /srv/shop"}
    with night.serving() as first:
        night.served_by(first.child.pid)
        stopped(first)
    polled = night.deployment()
    night.server.client.patch(f"/deployments/{polled['id']}", json=note).raise_for_status()
    assert "is served already, by process 7 on elsewhere from /srv/shop" in night.refused()
    night.server.client.delete(f"/deployments/{polled['id']}").raise_for_status()
    silent = {"name": polled["name"], "flow_id": polled["flow_id"], "tags": polled["tags"], **note}
    night.server.post("/deployments/", silent)  # never polled, as the server takes it after a minute without
    with night.serving() as second:
        night.served_by(second.child.pid)
