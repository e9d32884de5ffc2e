"""`make stack`: every service of compose.yaml as a process on loopback, and one scheduled night through all of them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What it printed. Its processes are looked for by the folder that they run in: none may be left."""
    folder = tmp_path_factory.mktemp("stack")
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(folder), "LANG": "C.UTF-8"}
    for up in (folder, *folder.parents):
        if up == Path(tempfile.gettempdir()):
            break
        up.chmod(up.stat().st_mode | 0o011)  # Postgres has a user of its own
    with (folder / "log").open("w") as log:
        stack = subprocess.Popen(
            [sys.executable, str(DEPLOY / "stack.py")], cwd=folder, env=env, stdout=log, stderr=log
        )
        try:
            code = stack.wait(540)
        finally:
            if stack.poll() is None:
                stack.send_signal(signal.SIGTERM)
                stack.wait(90)
    text = (folder / "log").read_text("utf-8")
    assert code == 0, text
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(folder) in read(path)]
    assert not left, [read(path) for path in left]
    assert [file.name for file in folder.iterdir()] == ["log"]
    return text


def read(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:  # it has just ended
        return ""


def test_every_service_became_well(said: str) -> None:
    assert set(re.findall(r" s  ([\w-]+) (?:is well|has done its work)\n", said)) == {
        "postgres", "mlflow-tables", "mlflow", "prefect", "baseline", "deploy", "worker", "dashboard"
    }  # fmt: skip


def test_a_night_that_the_schedule_made_ended_in_its_verdict_and_arrived_everywhere(said: str) -> None:
    assert re.search(r"Prefect: nightly .*, due \S+Z, ended as Passed: first\.2: Nothing got worse", said), said
    assert re.search(r"MLflow: run [0-9a-f]{32} of first\.2\n", said)
    assert "OTLP: a span was taken at MLflow's /v1/traces\n" in said
    assert "dashboard: closed without a login, open with one\n" in said
    assert re.search(r"verdict: pass\. .*\n +\S+ s  all is down\n$", said)


def test_without_a_password_nothing_is_started(tmp_path: Path) -> None:  # SEC-13
    """As `docker compose` does, with the words of the file."""
    code = "import sys; from composed import *; services(DEPLOY / 'compose.yaml', {}, Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=DEPLOY, capture_output=True, text=True, check=False
    )
    assert "NotSet: HAETAE_DB_PASSWORD: say a password for the role haetae in deploy/.env" in done.stderr
    assert list(tmp_path.iterdir()) == []
