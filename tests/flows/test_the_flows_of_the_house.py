"""The flows beside a suite's own: a gate, the watch, the outbox and tidying, over a real ledger."""

from __future__ import annotations

import asyncio
import gc
import importlib
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from haetae import Workbench
from haetae.workbench.shipped import shipped

pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # of Prefect's own clients
]


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAETAE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HAETAE_LEDGER", raising=False)
    folder = shutil.copytree(shipped("starter"), tmp_path / "suite")
    file = folder / "suite.yaml"
    file.write_text(file.read_text("utf-8") + '\nschedule: { cron: "0 0 1 1 *" }\n', "utf-8")
    return file


def ended(name: str, *arguments: Any, **options: Any) -> Any:
    """The state in which a flow ended."""
    flow = getattr(importlib.import_module(f"haetae.flows.{name}"), name)
    try:
        return flow(*arguments, return_state=True, **options)
    finally:
        gc.collect()  # Prefect leaves sockets to the collector: here, not in somebody else's test


def artifact(key: str) -> str:
    """The newest artifact of this key."""
    from prefect.artifacts import Artifact

    async def read() -> Any:
        return await Artifact.aget(key)

    try:
        return str(asyncio.run(read()).data)
    finally:
        gc.collect()


def test_a_gate_ends_in_its_verdict_and_says_it_in_markdown(prefect_server: None, suite: Path) -> None:
    with Workbench() as bench:
        bench.promote(bench.run(suite).run.id)
    state = ended("gate", str(suite))
    assert (state.name, state.type.value) == ("Passed", "COMPLETED")
    with Workbench() as bench:
        said = bench.ledger.runs("first")[0]
    assert said.tags["door"] == "gate"
    shown = artifact("verdict-first")
    assert shown.startswith("<!-- haetae gate -->\n\n### ✓ Pass: first")
    assert f"haetae gate {suite}" in shown


def test_a_gate_without_a_gate_is_wrong_input(prefect_server: None, suite: Path) -> None:
    text = suite.read_text("utf-8")
    suite.write_text(text[: text.index("gate:")], "utf-8")
    state = ended("gate", str(suite))
    assert state.is_failed()
    assert "the suite declares no gate" in state.message


def test_the_watch_says_when_there_is_nothing_to_see_yet(prefect_server: None, suite: Path) -> None:
    state = ended("watch", places=[str(suite)])
    assert (state.name, state.type.value) == ("TooFewRuns", "COMPLETED")
    assert "Watched: nothing" in artifact("watch")


def test_a_suite_that_nobody_serves_fails_the_watch(
    prefect_server: None, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late:
        text = "first was due at 06:00 and nobody has run it"

    monkeypatch.setattr(Workbench, "overdue", lambda bench, *places: [Late()])
    state = ended("watch")
    assert (state.name, state.message) == ("Unserved", Late.text)
    assert state.is_failed()


def test_a_folder_without_schedules_is_watched_and_a_wrong_suite_hides_no_history(
    prefect_server: None, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(suite.parent)
    suite.write_text(suite.read_text("utf-8").replace("schedule:", "# schedule:"), "utf-8")
    assert ended("watch").name == "TooFewRuns"
    (suite.parent / "wrong.yaml").write_text("suite: [\n")
    state = ended("watch")
    assert (state.name, state.is_failed()) == ("Unserved", True)
    assert "wrong.yaml:" in state.message
    assert "Watched: nothing" in artifact("watch")


def test_an_empty_outbox_is_no_failure_and_a_full_one_is(
    prefect_server: None, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAETAE_MLFLOW", f"sqlite:///{suite.parent / 'mlflow.db'}")
    ended("deliver")  # registries follow each other
    assert ended("deliver").name == "NothingWaits"
    suite.write_text(suite.read_text("utf-8") + "track: [mlflow]\n", "utf-8")
    monkeypatch.setenv("HAETAE_MLFLOW", "http://127.0.0.1:1")
    with Workbench() as bench:
        bench.run(suite)
    state = ended("deliver", deadline_s=5.0)
    assert (state.name, state.is_failed()) == ("Waiting", True)
    assert "mlflow: not delivered yet" in state.message


def test_a_registry_that_could_not_be_looked_through_is_no_success(
    prefect_server: None, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAETAE_MLFLOW", "http://127.0.0.1:1")
    state = ended("deliver", deadline_s=5.0)
    assert (state.name, state.is_failed()) == ("Waiting", True)
    assert state.message.startswith("nothing was changed: ")


def test_without_mlflow_alerts_are_delivered_all_the_same(
    prefect_server: None, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAETAE_MLFLOW", "http://127.0.0.1:1")  # nobody asks it
    monkeypatch.setattr(importlib.import_module("haetae.flows.deliver"), "find_spec", lambda name: None)
    monkeypatch.setattr(Workbench, "sync", lambda bench, deadline_s: ["chat: told"])
    state = ended("deliver")
    assert (state.name, state.message) == ("Delivered", "chat: told")


def test_an_alias_that_followed_and_of_which_prefect_was_not_told_says_so(
    prefect_server: None, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = SimpleNamespace(kind="model", name="bot", alias="production", number=2, before=1)
    synced = SimpleNamespace(moves=(move, move), lines=("bot@production moved to 2",), whole=True)
    monkeypatch.setattr(Workbench, "sync_registry", lambda bench, deadline_s: synced)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    state = ended("deliver")
    assert state.name == "Delivered"
    assert state.message.startswith("bot@production moved to 2; the Prefect server at http://127.0.0.1:1/api was not ")
    assert state.message.count("was not told") == 1


def test_tidying_deletes_what_is_older_than_it_shall_keep_and_names_what_died(
    prefect_server: None, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Workbench() as bench:
        for _ in range(3):
            bench.run(suite, fresh=True)
    assert ended("tidy").message == "deleted: nothing"
    assert ended("tidy", keep_days=1).message == "deleted: nothing"
    monkeypatch.setattr("haetae.workbench.tidying.timedelta", lambda days: days * _NOTHING)
    state = ended("tidy", keep_days=1)
    assert state.name == "Tidied"
    assert state.message.startswith("deleted: 2 runs, ")
    assert "kept first.3: " in state.message
    with Workbench() as bench:
        assert [run.id for run in bench.ledger.runs("first")] == ["first.3"]
        before = bench.ledger.disk()
    assert "the ledger was " in ended("tidy", compact=True).message
    with Workbench() as bench:
        assert bench.ledger.disk() <= before


_NOTHING = importlib.import_module("datetime").timedelta(0)
