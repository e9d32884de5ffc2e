"""MLflow down, hanging or killed in the middle: the outbox keeps the records and delivers each once."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import replace

import pytest

from haetae.core.clock import SystemClock
from haetae.engine.outbox import drain
from haetae.trackers.opening import open_mlflow


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "postgresql+psycopg://me:canary-pw@127.0.0.1:1/mlflow"])
def test_a_refused_connection_leaves_everything_in_the_outbox_with_one_warning(outbox, record, caplog, uri):  # TRK-01
    for number in range(3):
        outbox.enqueue("mlflow", f"support-bot.{number}", f"key-{number}")
    before = time.monotonic()
    out = drain(outbox, {"mlflow": lambda: open_mlflow(uri)}, lambda run_id: record, SystemClock(), deadline_s=60)
    assert time.monotonic() - before < 5  # the promise itself: at most 5 s are added to a run
    assert [one.receipt for one in out] == [None] * 3
    assert all("cannot be reached" in one.last_error for one in outbox.pending())
    assert len(caplog.messages) == 1
    assert "canary" not in caplog.text


@pytest.mark.parametrize("scheme", ["http", "postgresql+psycopg"])
def test_a_black_hole_costs_its_patience_once_however_many_runs_wait(outbox, record, black_hole, scheme):  # TRK-02
    uri = black_hole.replace("http", scheme)
    for number in range(50):
        outbox.enqueue("mlflow", f"support-bot.{number}", f"key-{number}")
    before = time.monotonic()
    drain(outbox, {"mlflow": lambda: open_mlflow(uri)}, lambda run_id: record, SystemClock(), deadline_s=60)
    assert time.monotonic() - before < 5  # the promise itself: at most 5 s are added to a run
    assert len(outbox.pending()) == 50


@pytest.fixture
def serving(mlflow_uri, tmp_path):
    """Starts `mlflow server` on the port given; kills it, with its workers, at the end of the block."""

    @contextmanager
    def serve(port: int):
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
        command += [
            "--backend-store-uri",
            mlflow_uri,
            "--artifacts-destination",
            str(tmp_path / "kept"),
            "--workers",
            "1",
        ]
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (tmp_path / "server.log").open("ab") as log:
            server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            for _ in range(1200):
                assert server.poll() is None, (tmp_path / "server.log").read_text()
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)  # a server says by answering that it is up; there is nothing else to wait on
            yield server
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()

    return serve


@pytest.mark.real
def test_a_server_killed_in_mid_delivery_gets_every_run_exactly_once_when_it_is_back(  # TRK-03, TRK-05, TRK-12
    outbox, record, serving, mlflow_uri, monkeypatch
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    for number in range(3):
        outbox.enqueue("mlflow", f"support-bot.{number}", f"key-{number}")

    def record_of(run_id):
        return replace(record, run=replace(record.run, id=run_id))

    with serving(port) as server:

        def dying():
            """A tracker whose server dies between the numbers and the table of the second run."""
            tracker = open_mlflow(uri)
            log_text = tracker._client.log_text

            def kill_first(run_id, text, name):
                if tracker._client.get_run(run_id).info.run_name == "support-bot.1":
                    os.killpg(server.pid, signal.SIGKILL)
                    server.wait()
                log_text(run_id, text, name)

            tracker._client.log_text = kill_first
            return tracker

        out = drain(outbox, {"mlflow": dying}, record_of, SystemClock(), deadline_s=120)
        assert [(one.run_id, one.error is None) for one in out] == [
            ("support-bot.0", True), ("support-bot.1", False), ("support-bot.2", False),
        ]  # fmt: skip
        assert [one.run_id for one in outbox.pending()] == ["support-bot.1", "support-bot.2"]

    with serving(port):
        out = drain(outbox, {"mlflow": lambda: open_mlflow(uri)}, record_of, SystemClock(), deadline_s=120)
        assert [one.error for one in out] == [None, None]
        assert out[0].receipt.startswith(f"{uri}/#/experiments/")
        assert outbox.pending() == []
        assert drain(outbox, {"mlflow": lambda: open_mlflow(uri)}, record_of, SystemClock(), deadline_s=120) == []

    from mlflow import MlflowClient

    client = MlflowClient(mlflow_uri, registry_uri=mlflow_uri)
    runs = client.search_runs([client.get_experiment_by_name("haetae/support-bot").experiment_id])
    assert sorted(run.info.run_name for run in runs) == ["support-bot.0", "support-bot.1", "support-bot.2"]
    assert all(run.info.status == "FINISHED" and run.data.metrics["rouge"] == 0.4375 for run in runs)
    assert len(client.search_model_versions("name = 'support-llm'")) == 1
