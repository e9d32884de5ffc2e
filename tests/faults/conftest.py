"""A model server in a thread, and a project whose suite asks it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from haetae.settings import Settings, load_settings
from haetae.workbench.bench import Workbench

KEY = "canary-key-0123456789"


@dataclass
class ModelServer:
    """Answers chat completions by `answer(body, headers) -> (status, text)`; keeps what it was asked."""

    answer: Callable[[dict[str, Any], dict[str, str]], tuple[int, str]]
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    noticed: Callable[[int], None] = lambda count: None
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self, model: str) -> list[str]:
        """The last message of every call of one model."""
        return [body["messages"][-1]["content"] for body in self.bodies if body["model"] == model]

    def take(self, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        with self._lock:
            self.bodies.append(body)
            self.headers.append(headers)
            count = len(self.bodies)
        self.noticed(count)
        return self.answer(body, headers)


def completed(text: str, **rest: Any) -> tuple[int, str]:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return 200, json.dumps({"choices": [choice], "usage": usage, "model": "m-2026", **rest})


def graded(score: float = 1.0) -> tuple[int, str]:
    return completed(json.dumps({"reasoning": "it is right", "score": score}))


def by_model(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
    return graded() if body["model"] == "judge" else completed(f"answer to {body['messages'][-1]['content']}")


@pytest.fixture
def replies() -> Any:
    """Ways to answer: completed(text), graded(score), by_model."""

    class Replies:
        pass

    Replies.completed, Replies.graded, Replies.by_model = map(staticmethod, (completed, graded, by_model))  # type: ignore[attr-defined]  # a bag of names
    return Replies


@pytest.fixture
def server() -> Iterator[ModelServer]:
    state = ModelServer(by_model)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # the library's name
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, text = state.take(body, dict(self.headers))
            raw = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *arguments: Any) -> None:
            """A client that was killed is no news here."""

    http = Quiet(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


SUITE = """\
suite: bot
dataset: samples.jsonl
target: { model: llm, prompt: ask@production }
judge: grader
metrics:
  chrf: chrf
  polite: { judge: polite.md, scale: [0, 1] }
gate:
  metrics:
    chrf: { max_drop: 0.05 }
    polite: { max_drop: 0.05 }
limits: { in_flight: 16, timeout_s: 5, tries: 2 }
"""


@dataclass
class Project:
    """A folder with a suite, its samples, its registered models and prompts."""

    folder: Path
    settings: Settings

    @property
    def suite(self) -> Path:
        return self.folder / "suite.yaml"

    @property
    def ledger_file(self) -> Path:
        return self.settings.home / "ledger.db"

    def write_samples(self, count: int) -> None:
        rows = [
            {"id": f"s{n:03}", "input": f"question {n}", "reference": f"answer to q question {n}"} for n in range(count)
        ]
        (self.folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def bench(self) -> Workbench:
        return Workbench(self.settings)


@pytest.fixture
def project(tmp_path: Path, server: ModelServer) -> Project:
    return make_project(tmp_path / "project", server.url)


@pytest.fixture
def another_project(tmp_path: Path, server: ModelServer) -> Project:
    return make_project(tmp_path / "another", server.url)


def make_project(folder: Path, url: str) -> Project:
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    env = {"HAETAE_HOME": str(folder / "home"), "MODEL_URL": url, "MODEL_KEY": KEY}
    made = Project(folder, load_settings(env))
    made.write_samples(20)
    made.suite.write_text(SUITE)
    (folder / "polite.md").write_text("Is this polite? {{ output }}")
    for name in ("llm", "grader"):
        model = "judge" if name == "grader" else "m"
        text = (
            f'base_url: "${{MODEL_URL}}"\nmodel: {model}\napi_key: "${{MODEL_KEY}}"\nparameters: {{ temperature: 0 }}\n'
        )
        (folder / f"{name}.yaml").write_text(text)
    (folder / "ask.md").write_text("q {{ input }}")
    with made.bench() as bench:
        bench.register("model", folder / "llm.yaml")
        bench.register("model", folder / "grader.yaml")
        bench.register("prompt", folder / "ask.md")
        bench.alias("prompt", "ask@1", "production")
    return made
