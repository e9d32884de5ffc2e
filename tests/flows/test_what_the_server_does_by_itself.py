"""Automations: whose process or worker died is said to have crashed, a night of it is taken up again, and no other."""

from __future__ import annotations

import ast
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.server.events.schemas.automations import EventTrigger

from haetae.flows import endings
from haetae.flows.automations import NOT_BEGUN, SILENT

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
_FLOWS = Path(endings.__file__).parent
_SUITE = """
suite: night
dataset: data.jsonl
target: { outputs: out.jsonl }
metrics: { exact: exact_match }
schedule: { cron: "0 0 1 1 *" }
"""


def _calls(file: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]


def _on_the_server(automation: Any) -> EventTrigger:
    """Its trigger, as Prefect's server reads it."""
    return EventTrigger.model_validate(automation.trigger.model_dump(mode="json"))


@pytest.mark.parametrize("name", sorted(endings.NAMES))
def test_no_end_of_a_flow_run_is_taken_for_silence(name: str) -> None:
    assert _on_the_server(SILENT).expects(f"prefect.flow-run.{name}")
    assert _on_the_server(NOT_BEGUN).expects(f"prefect.flow-run.{name}")


def test_every_flow_ends_by_a_name_that_the_automations_know() -> None:
    """States are made in one place: who made one elsewhere could give it a name that is taken for silence."""
    made = {
        (file.stem, call.func.id)
        for file in _FLOWS.glob("*.py")
        for call in _calls(file)
        if isinstance(call.func, ast.Name) and call.func.id in ("Completed", "Failed", "State")
    }
    assert made == set()
    with pytest.raises(KeyError):
        endings.ended("Unheard", "of")


def test_who_has_not_begun_is_missed_within_five_minutes() -> None:  # SCH-07
    assert NOT_BEGUN.trigger.within < timedelta(minutes=5)
    assert _on_the_server(NOT_BEGUN).expects("prefect.flow-run.Running")
    assert not _on_the_server(NOT_BEGUN).expects("prefect.flow-run.Pending")


def test_a_night_whose_worker_died_before_it_began_gives_its_place_back_and_is_taken_up_again(server: Any) -> None:
    """The four minutes are ten seconds here, Prefect's shortest."""
    folder = server.folder / "nights"
    folder.mkdir()
    (folder / "suite.yaml").write_text(_SUITE, "utf-8")
    command = [sys.executable, "-c", "from haetae.cli.main import main; main()", "deploy"]
    subprocess.run(command, cwd=folder, env=server.env, check=True, capture_output=True)
    (there,) = (each for each in server.asked("automations") if each["name"] == NOT_BEGUN.name)
    soon = NOT_BEGUN.model_dump(mode="json", exclude_unset=True)
    soon["trigger"]["within"] = 10
    server.client.put(f"/automations/{there['id']}", json=soon).raise_for_status()
    (deployment,) = server.asked("deployments", deployments={"name": {"any_": ["night"]}})

    def start(**parameters: Any) -> str:
        made = server.post(f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
        return str(made.json()["id"])

    def taken(flow_run: str) -> str:
        """What becomes of it when a worker takes it."""
        pending = {"state": {"type": "PENDING", "name": "Pending"}}
        return str(server.post(f"/flow_runs/{flow_run}/set_state", pending).json()["state"]["name"])

    def read(flow_run: str) -> dict[str, Any]:
        found: dict[str, Any] = server.client.get(f"/flow_runs/{flow_run}", timeout=60).json()
        return found

    demanded = datetime.now(UTC).isoformat()
    left, next_one = start(demanded=demanded), start()
    assert taken(left) == "Pending"
    assert taken(next_one) == "AwaitingConcurrencySlot"
    server.eventually(lambda: read(left)["state"]["type"] == "CRASHED")
    assert "did not begin" in read(left)["state"]["message"]

    def again() -> list[dict[str, Any]]:
        """Why and how often those are run that an automation has started."""
        runs = server.asked("flow_runs", deployments={"id": {"any_": [deployment["id"]]}}, sort="START_TIME_ASC")
        return [run["parameters"] for run in runs if (run["created_by"] or {}).get("type") == "AUTOMATION"]

    (first,) = server.eventually(again)
    assert first["died"] == 1
    assert datetime.fromisoformat(first["demanded"]) == datetime.fromisoformat(demanded)
    assert server.eventually(lambda: taken(next_one) == "Pending")
    server.post(f"/flow_runs/{next_one}/set_state", {"state": {"type": "CRASHED", "name": "Crashed"}})
    both = server.eventually(lambda: len(again()) == 2 and again())
    assert sorted(both, key=str) == sorted([first, {**first, "demanded": None}], key=str)
