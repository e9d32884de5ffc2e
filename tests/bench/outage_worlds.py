"""What an outage happens to: real servers on this machine, and projects whose suites ask or tell them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAMPLES = 200
QUIET = {
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_MODEL_CATALOG_URI": "",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "WANDB_ERROR_REPORTING": "false",
}
_MAIN = "from haetae.cli.main import main; main()"
_HAETAE = [sys.executable, "-c", _MAIN]
_TELLING = """
import sys, time
from haetae.workbench.telling import Telling
run_ended = Telling.run_ended
def timed(self, run):
    began = time.time()
    try:
        return run_ended(self, run)
    finally:
        print("telling", began, time.time(), file=sys.stderr)
Telling.run_ended = timed
"""
"""Before a command: trackers are told as ever, and how long that took is printed."""
_ANSWER = """
import asyncio


async def answer(input):
    await asyncio.sleep(0.1)
    return "a"
"""


@dataclass(frozen=True)
class Done:
    """One process of ours: seconds until it was gone, exit code, what it printed."""

    seconds: float
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Project:
    """A folder with a suite, and the environment of the commands on it."""

    folder: Path
    env: dict[str, str]

    def haetae(self, *arguments: str, **env: str) -> Done:
        started = time.perf_counter()
        done = subprocess.run(
            [*_HAETAE, *arguments], cwd=self.folder, env=self.env | env, capture_output=True, text=True, check=False
        )
        return Done(time.perf_counter() - started, done.returncode, done.stdout, done.stderr)

    def run(self) -> tuple[Done, float, float]:
        """A run, the seconds that its trackers took of it, and those from then until its process was gone."""
        command = [sys.executable, "-c", _TELLING + _MAIN, "run", "suite.yaml", "--quiet"]
        started = time.time()
        done = subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False)
        gone = time.time()
        said = next(
            (line for line in done.stderr.splitlines() if line.startswith("telling ")), f"telling {gone} {gone}"
        )
        began, ended = (float(part) for part in said.split()[1:])
        return Done(gone - started, done.returncode, done.stdout, done.stderr), ended - began, gone - ended

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*_HAETAE, *arguments], cwd=self.folder, env=self.env, stdout=pipe, stderr=pipe, text=True
        )


def project(folder: Path, suite: str, lines: str = "", *, asks: bool = False, **env: str) -> Project:
    """A suite over recorded outputs, or one that asks a function which takes a tenth of a second for each answer."""
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    rows = [{"id": f"s{n:03}", "input": f"q{n}", "reference": "a"} for n in range(SAMPLES)]
    outputs = [{"id": f"s{n:03}", "output": "ab"[n % 3 == 0]} for n in range(SAMPLES)]
    for name, told in (("samples", rows), ("outputs", outputs)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))
    (folder / "answers.py").write_text(_ANSWER)
    target = "{ function: answers:answer }" if asks else "{ outputs: outputs.jsonl }"
    text = f"suite: {suite}\ndataset: samples.jsonl\ntarget: {target}\nmetrics: {{ right: exact_match }}\n{lines}"
    (folder / "suite.yaml").write_text(text)
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("HAETAE", "PREFECT", "WANDB"))}
    return Project(folder, {**ours, **QUIET, "HAETAE_HOME": str(folder / "home"), **env})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def served(module: list[str], folder: Path, health: str, **env: str) -> Iterator[None]:
    """A server as a process with all its children, up to its answer to `health`; killed at the end."""
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=folder,
            env=os.environ | QUIET | env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until(lambda: server.poll() is None and answers(health), 180)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@contextmanager
def mlflow_server(folder: Path) -> Iterator[int]:
    """The port of an MLflow server with its own SQLite."""
    port = free_port()
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "kept")]
    with served(command, folder, f"http://127.0.0.1:{port}/health"):
        yield port


@contextmanager
def prefect_server(folder: Path) -> Iterator[int]:
    """The port of a Prefect server with its own SQLite."""
    port = free_port()
    command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with served(command, folder, f"http://127.0.0.1:{port}/api/health", PREFECT_HOME=str(folder / "prefect")):
        yield port


def until(look: Any, within_s: float) -> Any:
    """What `look` finds, asked again until it finds something."""
    end = time.monotonic() + within_s
    while not (found := look()):
        if time.monotonic() > end:
            sys.exit(f"nothing after {within_s:g} s")
        time.sleep(0.1)
    return found


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310  # our own address
            return True
    except OSError:
        return False


def asked(url: str, body: dict[str, Any] | None = None) -> Any:
    """The JSON that a server answers: to a POST where there is a body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310  # our own address
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310  # our own address
        return json.load(reply)
