"""The units of systemd, by its own checkers."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.files import UNITS, ran


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units, with their programs where this environment has them."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    folder = shutil.copytree(UNITS, tmp_path_factory.mktemp("systemd") / "units")
    for file in folder.glob("*.service"):
        file.write_text(file.read_text("utf-8").replace("/opt/haetae/bin/", f"{Path(sys.executable).parent}/"), "utf-8")
    return folder


def test_what_runs_suites_has_time_to_end_and_flow_runs_are_told_by_their_worker() -> None:
    """To flow runs that are killed beside their worker the answers in flight are lost."""
    worker = (UNITS / "haetae-worker.service").read_text("utf-8").splitlines()
    assert {"KillMode=mixed", "TimeoutStopSec=120"} <= set(worker)
    assert "TimeoutStopSec=120" in (UNITS / "haetae-schedule.service").read_text("utf-8").splitlines()


@pytest.mark.parametrize("login", ["", "haetae:", "secret"])
def test_without_a_login_prefects_server_does_not_start(tmp_path: Path, login: str) -> None:  # SEC-13
    done = started(tmp_path, login)
    assert (done.returncode, done.stdout) == (78, "")
    assert "write NAME:PASSWORD into /etc/haetae/haetae.env" in done.stderr
    assert "RestartPreventExitStatus=78\n" in (UNITS / "haetae-prefect.service").read_text("utf-8")


def test_with_one_it_does(tmp_path: Path) -> None:
    done = started(tmp_path, "haetae:secret")
    assert (done.returncode, done.stdout) == (0, "server start --host 127.0.0.1 --port 4200\n")


def started(folder: Path, login: str) -> subprocess.CompletedProcess[str]:
    """Prefect's unit with this login, and a program in Prefect's place that says how it was called."""
    program = folder / "prefect"
    program.write_text('#!/bin/sh\necho "$@"\n', "utf-8")
    program.chmod(0o755)
    text = (UNITS / "haetae-prefect.service").read_text("utf-8").replace("\\\n", " ").replace("$$", "$")
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    words = shlex.split(command.replace("/opt/haetae/bin/prefect", str(program)))
    env = {"PREFECT_SERVER_API_AUTH_STRING": login} if login else {}
    return subprocess.run(words, env=env, capture_output=True, text=True, check=False)


def test_systemd_finds_nothing_amiss_in_the_units(units: Path) -> None:
    files = sorted(str(file) for file in units.glob("haetae-*.*") if file.is_file())
    assert len(files) == 8
    done = subprocess.run(
        ["systemd-analyze", "verify", *files], env={"SYSTEMD_UNIT_PATH": f"{units}:", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", [file.name for file in sorted(UNITS.glob("*.service"))])
def test_no_unit_is_exposed(units: Path, name: str) -> None:
    found = ran(
        "systemd-analyze", "security", "--offline=true", "--json=short", name,
        env={"SYSTEMD_UNIT_PATH": f"{units}:", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert sum(float(each["exposure"] or 0) for each in json.loads(found)) < 2.0, found
