"""A Prefect server of its own for each file of tests that need its scheduler, its workers or its automations."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

Found = TypeVar("Found")
_QUIET = {
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
}
HAETAE = ("-c", "from haetae.cli.main import main; main()")


@dataclass(frozen=True)
class Process:
    """A Python process that a test has started, and its log."""

    child: subprocess.Popen[bytes]
    log: Path

    def lives(self) -> bool:
        """True; fails with its log where it has ended."""
        assert self.child.poll() is None, self.said()
        return True

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")[-4000:]


@dataclass(frozen=True)
class Server:
    """A Prefect server: where it keeps things, the environment of its clients, how to ask it."""

    folder: Path
    env: dict[str, str]
    client: httpx.Client
    process: Process

    def asked(self, what: str, **filters: Any) -> list[dict[str, Any]]:
        """What there is of these, by the filters of its API."""
        found: list[dict[str, Any]] = self.post(f"/{what}/filter", filters).json()
        return found

    def post(self, path: str, content: dict[str, Any]) -> httpx.Response:
        """What it answers; while its own database is busy (503) it is asked again."""

        def answered() -> httpx.Response | None:
            reply = self.client.post(path, json=content, timeout=60)
            assert reply.is_success or reply.status_code == 503, reply.text
            return reply if reply.is_success else None

        return self.eventually(answered)

    def eventually(self, look: Callable[[], Found], within_s: float = 180) -> Found:
        """What `look` finds, asked again until it finds something. Fails after `within_s` seconds."""
        deadline = time.monotonic() + within_s
        while not (found := look()):
            self.process.lives()
            assert time.monotonic() < deadline, f"nothing after {within_s} s"
            time.sleep(0.2)
        return found

    def running(self, *arguments: str) -> Any:
        """A Python process with all its children, while the block lasts."""
        return running(arguments, self.folder, self.env)


@contextmanager
def running(arguments: tuple[str, ...], folder: Path, env: dict[str, str]) -> Iterator[Process]:
    log = folder / f"{len(list(folder.glob('*.log')))}.log"
    with log.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=env, stdout=out, stderr=out, start_new_session=True
        )
    process = Process(child, log)
    try:
        yield process
    except AssertionError as failed:
        failed.add_note(process.said())
        raise
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("scheduled")
    port = _free_port()
    api = f"http://127.0.0.1:{port}/api"
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("HAETAE_", "PREFECT_"))}
    env = {**ours, **_QUIET, "PREFECT_HOME": str(folder / "prefect"), "PREFECT_API_URL": api}
    env["HAETAE_HOME"] = str(folder / "home")
    command = ("-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port))
    with running(command, folder, env) as process, httpx.Client(base_url=api) as client:
        server = Server(folder, env, client, process)
        server.eventually(lambda: _healthy(client))
        yield server


def _healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx.TransportError:  # it does not listen yet
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
