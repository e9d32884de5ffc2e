"""A Prefect server that is named hears of every move of an alias; one that is away holds up nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What a server heard, which PREFECT_API_URL names."""
    heard: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            heard.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{server.server_address[1]}/api")
    yield heard
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "llm.yaml"
    file.write_text("base_url: http://127.0.0.1:1/v1\nmodel: m\n")
    return file


def test_each_move_is_one_event(haetae: Callable[..., Any], model: Path, events: list[Any]) -> None:
    haetae("register", "model", model, "--alias", "production")
    haetae("alias", "model", "llm@1", "production")  # it points there already
    haetae("alias", "model", "llm@1", "후보")
    assert [event["event"] for event in events] == ["haetae.alias.moved"] * 2
    first, second = (event["payload"] for event in events)
    assert first == {"kind": "model", "name": "llm", "alias": "production", "number": 1, "before": None}
    assert second["alias"] == "후보"
    assert events[0]["resource"]["prefect.resource.id"] == "haetae.model.llm"


def test_a_server_that_is_away_is_said_and_no_error(
    haetae: Callable[..., Any], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    haetae("register", "model", model)
    said = haetae("alias", "model", "llm@1", "production")
    assert (said.code, "llm@production is now llm@1" in said.out) == (0, True)
    assert "was not told that llm@production moved" in said.err


def test_without_a_server_nobody_is_told(
    haetae: Callable[..., Any], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    haetae("register", "model", model)
    assert haetae("alias", "model", "llm@1", "production").err == ""
