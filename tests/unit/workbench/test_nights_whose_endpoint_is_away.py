"""A scheduled run that an endpoint stopped is due still where that may pass: the next call goes on with it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from haetae.core.clock import SystemClock
from haetae.core.run import RunStatus
from haetae.errors import StoreError
from haetae.settings import load_settings
from haetae.store.sql import SqlLedger
from haetae.workbench.bench import Workbench
from haetae.workbench.report import Report
from haetae.workbench.schedules.due import NotDue

SIX = datetime(2026, 3, 1, 21, 0, tzinfo=UTC)
"""06:00 of 2 March in Seoul, a Monday."""
SAMPLES = 16


class Clock(SystemClock):
    at = SIX

    def now(self) -> datetime:
        return self.at


class Endpoint:
    """A chat endpoint that is not there before `opens`; after `answers` calls it says `status` to the others."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self.answers, self.status, self.asked = SAMPLES, 200, 0
        self._server: ThreadingHTTPServer | None = None

    def opens(self) -> None:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.asked += 1
                status = 200 if endpoint.asked <= endpoint.answers else endpoint.status
                body = json.dumps({"choices": [{"message": {"content": "r"}}]} if status == 200 else {}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if status == 429:
                    self.send_header("Retry-After", "86400")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    rows = ({"id": f"s{number:02}", "input": "q", "reference": "r"} for number in range(SAMPLES))
    (tmp_path / "samples.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "ask.md").write_text("{{ input }}\n")
    (tmp_path / "suite.yaml").write_text(
        "suite: bot\ndataset: samples.jsonl\ntarget: { model: bot@1, prompt: ask.md }\n"
        "metrics: { right: exact_match }\nlimits: { in_flight: 1, tries: 1 }\n"
        'schedule: { cron: "0 6 * * 1", timezone: Asia/Seoul }\nalert: [no_verdict, recovery]\n'
    )
    return tmp_path / "suite.yaml"


@pytest.fixture
def bench(tmp_path: Path, clock: Clock, endpoint: Endpoint, suite: Path) -> Iterator[Workbench]:
    with Workbench(load_settings({"HAETAE_HOME": str(tmp_path / "home")}, tmp_path), clock=clock) as made:
        (tmp_path / "bot.yaml").write_text(f"base_url: http://127.0.0.1:{endpoint.port}/v1\nmodel: bot\n")
        made.register("model", tmp_path / "bot.yaml")
        yield made


def _stopped(said: Any) -> Report:
    assert isinstance(said, Report)
    assert said.run.status is RunStatus.STOPPED
    return said


def _finished(said: Any) -> Report:
    assert isinstance(said, Report)
    assert said.run.status is RunStatus.FINISHED
    return said


def _titles(bench: Workbench) -> list[str]:
    return [raised.alert.title for raised in reversed(bench.ledger.alerts())]


@pytest.mark.parametrize("samples", [SAMPLES, 1])  # a few failures alone are none of an endpoint that is out
def test_each_call_goes_on_with_the_run_until_the_endpoint_is_there_and_people_are_told_once(
    samples: int, bench: Workbench, clock: Clock, suite: Path, endpoint: Endpoint
) -> None:
    rows = suite.with_name("samples.jsonl")
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[:samples]))
    for minutes in (0, 5, 90):
        clock.at = SIX + timedelta(minutes=minutes)
        report = _stopped(bench.run_due(suite))
        assert report.run.id == "bot.1"
        assert "it answers nobody: go on later. Go on with the same command, or: haetae resume bot.1" in report.text
    assert _titles(bench) == ["– No verdict: bot"]
    endpoint.opens()
    assert _finished(bench.run_due(suite)).run.id == "bot.1"
    assert isinstance(bench.run_due(suite), NotDue)
    assert len(_titles(bench)) == 2  # and that it is well again


def test_what_was_answered_is_kept_and_only_the_rest_is_asked_again(
    bench: Workbench, suite: Path, endpoint: Endpoint
) -> None:
    endpoint.answers, endpoint.status = SAMPLES - 2, 429
    endpoint.opens()
    assert "it asks to wait 86400 s: go on later" in _stopped(bench.run_due(suite)).text
    endpoint.asked, endpoint.answers = 0, SAMPLES
    _finished(bench.run_due(suite))
    assert endpoint.asked == 2


def test_the_next_time_that_is_due_stands_for_it(bench: Workbench, clock: Clock, suite: Path) -> None:
    assert _stopped(bench.run_due(suite)).run.id == "bot.1"
    clock.at = SIX + timedelta(days=7)
    assert _stopped(bench.run_due(suite)).run.id == "bot.2"
    assert _stopped(bench.run_due(suite)).run.id == "bot.2"


def test_it_is_tried_for_a_day(bench: Workbench, clock: Clock, suite: Path) -> None:
    for hours in (0, 23, 25):
        clock.at = SIX + timedelta(hours=hours)
        _stopped(bench.run_due(suite))
    assert isinstance(bench.run_due(suite), NotDue)


def test_a_key_that_is_refused_is_not_tried_again_before_the_next_time(
    bench: Workbench, suite: Path, endpoint: Endpoint
) -> None:
    endpoint.answers, endpoint.status = 0, 401
    endpoint.opens()
    _stopped(bench.run_due(suite))
    assert isinstance(bench.run_due(suite), NotDue)
    assert endpoint.asked == 1


def test_a_budget_that_is_used_up_is_not_tried_again(bench: Workbench, suite: Path, endpoint: Endpoint) -> None:
    suite.write_text(f"{suite.read_text()}budget: {{ calls: 5 }}\n")
    endpoint.opens()
    assert "is used up" in _stopped(bench.run_due(suite)).text
    assert isinstance(bench.run_due(suite), NotDue)


def test_a_ledger_that_was_away_for_a_moment_leaves_it_due_too(
    bench: Workbench, suite: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise StoreError("the ledger does not answer.")

    endpoint.opens()
    with monkeypatch.context() as broken:
        broken.setattr(SqlLedger, "done_count", away)
        assert "the ledger does not answer: go on later. Go on with" in str(_stopped(bench.run_due(suite)).run.note)
    _finished(bench.run_due(suite))


def test_while_it_waits_for_its_endpoint_nobody_is_said_to_serve_it_no_more(
    bench: Workbench, clock: Clock, suite: Path
) -> None:
    _stopped(bench.run_due(suite))
    clock.at = SIX + timedelta(days=2)
    assert bench.overdue(suite) == []
    clock.at = SIX + timedelta(days=7, hours=2)  # due again, and nobody called
    (late,) = bench.overdue(suite)
    assert "nobody has run it" in late.text
