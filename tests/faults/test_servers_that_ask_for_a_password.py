"""A real MLflow server that asks for a password, also behind a way that falls silent: runs are not touched by it, and
every one is told once."""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from haetae.settings import load_settings
from haetae.trackers.opening import open_mlflow
from haetae.workbench import telling
from haetae.workbench.doctor.mlflow import mlflow

pytestmark = pytest.mark.real
PASSWORD = "canary-password-0123"
SUITE = """\
suite: recorded
dataset: samples.jsonl
target: { outputs: outputs.jsonl }
metrics: { exact: exact_match }
track: [mlflow]
"""


@dataclass(frozen=True)
class Server:
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`mlflow server --app-name basic-auth` with everything of its own."""
    folder = tmp_path_factory.mktemp("mlflow")
    (folder / "auth.ini").write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder}/auth.db\nadmin_username = admin\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\nauth_cache_ttl_seconds = 60\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "kept")]
    env = os.environ | {
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "a-secret-of-the-tests",
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(1800):
            assert process.poll() is None, (folder / "log").read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)  # a server says by answering that it is up; there is nothing else to wait on
        yield Server(port)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def way(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A way to the server that can fall silent."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "fakes"))
    with importlib.import_module("outage").Outage(server.port) as made:
        yield made


@pytest.fixture
def told(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """told(url, name): a project over recorded outputs, whose suite of this name tells that MLflow."""
    rows = [{"id": f"s{n}", "input": "q", "reference": "a"} for n in range(30)]
    outputs = [{"id": f"s{n}", "output": "ab"[n % 2]} for n in range(30)]
    for name, lines in (("samples", rows), ("outputs", outputs)):
        (project.folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)

    def made(url: str, name: str) -> Any:
        project.suite.write_text(SUITE.replace("recorded", name))
        project.settings = load_settings({**os.environ, **project.settings.env, "HAETAE_MLFLOW": url})
        return project

    return made


def runs_there(url: str, suite: str) -> list[str]:
    """The names of the runs that the server has of a suite, all of which have ended."""
    client = open_mlflow(url)._client
    experiment = client.get_experiment_by_name(f"haetae/{suite}")
    found = [] if experiment is None else client.search_runs([experiment.experiment_id])
    assert all(run.info.status == "FINISHED" for run in found)
    return sorted(str(run.info.run_name) for run in found)


def test_a_wrong_password_touches_no_run_and_the_right_one_tells_it_once(
    server: Server, told: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:  # TRK-05, TRK-07
    project = told(server.url, "refused")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "canary-of-another")
    with project.bench() as bench:
        report = bench.run(project.suite)
        (estimate,) = (one for one in report.estimates if not one.slice)
        assert (report.exit_code, estimate.value) == (0, 0.5)
        (note,) = (note for note in report.notes if note.startswith("mlflow"))
        assert "check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in note
        assert len([line for line in caplog.messages if "MLFLOW_TRACKING_PASSWORD" in line]) == 1
        assert "canary" not in note + caplog.text
        assert len(bench.ledger.pending("mlflow")) == 1
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
        (receipt,) = bench.sync()
        assert receipt.startswith(f"mlflow: {server.url}/#/experiments/")
        assert bench.sync() == []
    assert runs_there(server.url, "refused") == ["refused.1"]


def test_a_server_that_falls_silent_in_mid_delivery_is_left_at_once_and_told_once_when_it_speaks_again(
    way: Any, server: Server, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # TRK-02, TRK-05
    hurried = replace(telling.HURRIED, answer_s=1.0)
    monkeypatch.setattr(telling, "HURRIED", hurried)
    project = told(f"http://127.0.0.1:{way.port}", "silent")
    with project.bench() as bench:
        way.becomes("black hole", after=8)
        assert bench.run(project.suite).exit_code == 0
        for number in range(3):
            bench.ledger.enqueue("mlflow", "silent.1", f"another-{number}", bench._clock.now())
        before = len(bench.ledger.pending("mlflow"))
        way.becomes("black hole", after=8)
        notes = bench._telling.drain(60.0, hurried)
        assert (before, len(notes)) == (4, 4)
        assert len({*notes}) == 1  # one was sent, and the others wait for the same reason
        assert "deliver later with: haetae sync" in notes[0]
        way.becomes("there")
        assert len([line for line in bench.sync() if "/#/experiments/" in line]) == 4
        assert bench.sync() == []
    assert runs_there(server.url, "silent") == ["silent.1"] * 4


def test_models_are_mirrored_and_read_back_with_the_password(server: Server, told: Any) -> None:
    project = told(server.url, "mirrored")
    with project.bench() as bench:
        (version,) = bench.versions("model", "llm")
    tracker = open_mlflow(server.url)
    assert tracker.mirror(version) == "models:/llm/1"
    assert tracker.resolve("model", "llm", 1)[1] == version.content


def test_the_doctor_is_let_in_with_the_password_and_says_what_is_missing_without(
    server: Server, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = told(server.url, "doctored").settings
    with_it = [(one.level, one.message) for one in mlflow(settings)]
    assert with_it[0] == ("fine", f"MLflow at {server.url} takes the name and the password")
    assert len(with_it) == 2
    without = replace(settings, env={})
    (found,) = mlflow(without)
    assert (found.level, "set MLFLOW_TRACKING_USERNAME" in found.message) == ("problem", True)
