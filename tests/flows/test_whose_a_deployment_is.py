"""haetae deploy against a server: what it pauses, and what it leaves to others."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.real
_HAETAE = ("-c", "from haetae.cli.main import main; main()")
_SCHEDULE = 'schedule: { cron: "0 0 1 1 *", timezone: Asia/Seoul }\n'


def suite(name: str) -> str:
    return f"suite: {name}\ndataset: data.jsonl\ntarget: {{ outputs: out.jsonl }}\nmetrics: {{ exact: exact_match }}\n"


@dataclass(frozen=True)
class Project:
    """A folder with one suite, and where it is deployed to."""

    folder: Path
    server: Any

    def write(self, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "suite.yaml").write_text(text, "utf-8")

    def deployed(self, *options: str) -> str:
        return self._said(0, options)

    def refused(self, *options: str) -> str:
        """What is said of wrong input."""
        return self._said(2, options)

    def _said(self, code: int, options: tuple[str, ...]) -> str:
        command = [sys.executable, *_HAETAE, "deploy", *options]
        done = subprocess.run(
            command, cwd=self.folder, env=self.server.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def there(self) -> dict[str, tuple[Any, ...]]:
        """What is on the server of ours, by flow and name: where its runs go to, and whether it is paused."""
        flows = {flow["id"]: flow["name"] for flow in self.server.asked("flows")}
        found = self.server.asked("deployments", deployments={"tags": {"all_": ["haetae"]}})
        return {f"{flows[one['flow_id']]}/{one['name']}": (str(one["pull_steps"]), one["paused"]) for one in found}


def test_the_last_suite_that_lost_its_schedule_is_paused_as_well(server: Any) -> None:
    alone = Project(server.folder / "alone", server)
    alone.write(suite("alone") + _SCHEDULE)
    alone.deployed()
    assert not alone.there()["nightly/alone"][1]
    alone.write(suite("alone"))
    assert "nightly/alone: paused; no suite of that name has a schedule" in alone.deployed()
    assert alone.there()["nightly/alone"][1]
    assert "nightly/alone" not in alone.deployed()  # and it ends well again: services wait for that


def test_a_folder_that_never_had_a_schedule_has_its_pool_and_all_but_nights(server: Any) -> None:
    never = Project(server.folder / "never", server)
    never.write(suite("never"))
    said = never.deployed("--pool", "early")
    assert "no suite with a schedule in .: no night is deployed. Add one to a suite, and deploy again: " in said
    assert {name for name in never.there() if name.endswith("/never")} == {
        *(f"{flow}/never" for flow in ("evaluate", "shard", "gate", "watch", "deliver", "tidy"))
    }
    assert "early" in {pool["name"] for pool in server.asked("work_pools")}  # its worker can start


def test_what_belongs_to_another_folder_or_project_is_left_unless_it_is_taken_over(server: Any) -> None:
    here, there = (Project(server.folder / at / "twin", server) for at in ("here", "there"))
    for one in (here, there):
        one.write(suite("twin") + _SCHEDULE)
    here.deployed()
    before = here.there()
    refused = there.refused("--pool", "another")
    assert f"nightly/twin belongs to {here.folder} (project twin), not to {there.folder} (project twin)" in refused
    assert f"evaluate/twin belongs to {here.folder}" in refused
    assert "--project NAME keeps evaluate, gate and the others of two projects apart" in refused
    kept_apart = there.refused("--project", "other")
    assert "nightly/twin belongs to" in kept_apart
    assert "evaluate/other" not in kept_apart
    assert "(project twin), not to" in here.refused("--project", "other")  # it may be the same path of another machine
    assert here.there() == before
    assert "another" not in {pool["name"] for pool in server.asked("work_pools")}
    moved = there.deployed("--take-over")
    assert f"nightly/twin: brought up to date (0 0 1 1 * Asia/Seoul); before, it was that of {here.folder}" in moved
    assert "before" not in there.deployed()


def test_one_folder_with_another_project_does_not_pause_the_nights_of_the_first(server: Any) -> None:
    folder = server.folder / "suites"  # as in every container
    for name in ("first", "second"):
        Project(folder, server).write(suite(name) + _SCHEDULE)
        assert "paused" not in Project(folder, server).deployed("--project", f"shop-{name}")
    assert {"nightly/first", "nightly/second", "tidy/shop-first", "tidy/shop-second"} <= {
        name for name, (_, paused) in Project(folder, server).there().items() if not paused
    }
