"""Faults of an endpoint over a real socket: every sample is accounted for, and every call that was made is counted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from haetae.core.generation import Failure
from haetae.core.run import RunStatus
from haetae.workbench import interrupt, run_deadline


@pytest.fixture
def only_asked(project: Any) -> Any:
    """The project with a suite that asks no judge."""
    text = project.suite.read_text().replace("  polite: { judge: polite.md, scale: [0, 1] }\n", "")
    project.suite.write_text(text.replace("    polite: { max_drop: 0.05 }\n", ""))
    return project


def _limits(project: Any, limits: str) -> None:
    kept, _, _ = project.suite.read_text().partition("limits:")
    project.suite.write_text(f"{kept}limits: {limits}\n")


@pytest.fixture
def faulty() -> Iterator[Callable[..., str]]:
    """faulty(p500=0.1, …): the URL of a mock endpoint with such faults, beside the checkout: not ours to ship.

    Where it is not, the test is skipped.
    """
    script = Path(__file__).parents[3] / "shared" / "tools" / "mockllm" / "server.py"
    if not script.exists():
        missing = f"the mock endpoint is not at {script}"
        pytest.skip(missing)
    started: list[subprocess.Popen[str]] = []

    def start(**faults: float) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = [part for name, value in faults.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        command = [sys.executable, str(script), "--port", str(port), *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert "mockllm on" in process.stdout.readline()
        return f"http://127.0.0.1:{port}/v1"

    yield start
    for process in started:
        process.terminate()
        process.communicate()


def _counted(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url.removesuffix("/v1") + "/__stats", timeout=10) as reply:  # noqa: S310  # our own address
        return dict(json.load(reply))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_third_of_all_calls_fails_and_every_sample_is_accounted_for(
    seed: int, only_asked: Any, faulty: Any
) -> None:  # END-03, END-04
    url = faulty(seed=seed, p500=0.15, p429=0.03, p_reset=0.03, p_malformed=0.1, retry_after_s=0)
    only_asked.settings.env["MODEL_URL"] = url
    only_asked.write_samples(150)
    _limits(only_asked, "{ in_flight: 16, tries: 3 }")
    with only_asked.bench() as bench:
        report = bench.run(only_asked.suite)
        rows = bench.ledger.done(report.run.id)
    (account,) = report.accounting
    failures = [row.result for row, _ in rows.values() if isinstance(row.result, Failure)]
    counted = _counted(url)
    assert report.run.status is RunStatus.FINISHED
    assert account.scored + sum(account.unscored.values()) == 150 == len(rows)
    assert account.scored == 150 - len(failures)
    assert all(failure.attempts == 3 for failure in failures)
    assert report.spent.calls == counted["requests"]
    assert report.spent.retried == counted["repeats"]
    assert {failure.reason for failure in failures} <= {
        "server_error",
        "rate_limited",
        "connection_failed",
        "malformed_response",
    }
    assert f"{counted['repeats']} retried" in report.text


def test_an_answer_that_came_too_late_is_kept_once_and_the_second_call_is_counted(
    only_asked: Any, server: Any, replies: Any
) -> None:  # END-16
    asked_again, late = threading.Event(), "q question 3"

    def answer(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        if body["messages"][-1]["content"] == late:
            if server.asked("m").count(late) == 1:
                asked_again.wait(60)  # answered, and bought: only its way back takes too long
            asked_again.set()
        return replies.by_model(body, headers)  # type: ignore[no-any-return]  # a pair

    server.answer = answer
    _limits(only_asked, "{ in_flight: 16, timeout_s: 0.5, tries: 5 }")
    with only_asked.bench() as bench:
        report = bench.run(only_asked.suite)
        rows = bench.ledger.done(report.run.id)
    assert len(rows) == 20
    row, _ = rows["s003", 0]
    assert row.result.output == f"answer to {late}"
    assert row.result.attempts == server.asked("m").count(late) >= 2
    assert report.spent.calls == len(server.asked("m"))
    assert f"{len(server.asked('m')) - 20} retried" in report.text


def _hanging(server: Any, replies: Any, hangs: Callable[[str], bool]) -> threading.Event:
    released = threading.Event()

    def answer(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        if hangs(body["messages"][-1]["content"]):
            released.wait(60)
        return replies.by_model(body, headers)  # type: ignore[no-any-return]  # a pair

    server.answer = answer
    return released


@pytest.mark.parametrize(
    "limits", ["{ timeout_s: 0.4, tries: 2 }", "{ call_deadline_s: 0.6 }"], ids=["attempt", "call"]
)
def test_a_last_sample_that_hangs_is_one_timeout(
    limits: str, only_asked: Any, server: Any, replies: Any
) -> None:  # END-05, END-06
    released = _hanging(server, replies, lambda question: question == "q question 19")
    _limits(only_asked, limits)
    with only_asked.bench() as bench:
        report = bench.run(only_asked.suite)
    released.set()
    assert report.run.status is RunStatus.FINISHED
    assert [(failure.reason, failure.count) for failure in report.failures] == [("timeout", 1)]
    (account,) = report.accounting
    assert (account.scored, dict(account.unscored)) == (19, {"not_generated": 1})


def test_a_run_ends_at_its_deadline_and_goes_on_under_another(
    only_asked: Any, server: Any, replies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # END-06
    monkeypatch.setattr(run_deadline, "GRACE_S", 0.1)
    released = _hanging(server, replies, lambda question: True)
    _limits(only_asked, "{ in_flight: 4, timeout_s: 600, run_deadline_s: 0.4 }")
    with only_asked.bench() as bench:
        report = bench.run(only_asked.suite)
        released.set()
        assert report.run.status is RunStatus.INTERRUPTED
        assert "limits.run_deadline_s: 0.4 s are over; 4 calls under way were broken off (they may" in (
            report.run.note or ""
        )
        assert f"haetae resume {report.run.id}" in report.text
        assert len(server.asked("m")) == 4
        assert [(failure.reason, failure.count) for failure in report.failures] == [("timeout", 4)]
        _limits(only_asked, "{ in_flight: 4 }")
        again = bench.run(only_asked.suite, resume=report.run.id)
    assert again.run.status is RunStatus.FINISHED
    assert again.accounting[0].scored == 20
    assert len(server.asked("m")) == 24


def test_a_deadline_of_which_only_the_last_call_knows_leaves_a_finished_run(
    only_asked: Any, server: Any, replies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # END-06
    monkeypatch.setattr(run_deadline, "GRACE_S", 0.1)
    released = _hanging(server, replies, lambda question: question == "q question 0")
    only_asked.write_samples(1)
    _limits(only_asked, "{ timeout_s: 600, run_deadline_s: 1.0 }")
    with only_asked.bench() as bench:
        report = bench.run(only_asked.suite)
    released.set()
    assert [(failure.reason, failure.count) for failure in report.failures] == [("timeout", 1)]
    assert "no answer before the run had to end" in report.text
    assert report.run.status is RunStatus.FINISHED


def _in_a_notebook(project: Any) -> Any:
    """The report of a run that a cell of a notebook makes: this thread's loop turns already."""

    async def cell() -> Any:
        with project.bench() as bench:
            return bench.run(project.suite)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.get_loop().run_until_complete(cell())


def test_ctrl_c_in_a_notebook_finishes_what_is_in_flight(
    only_asked: Any, server: Any, replies: Any
) -> None:  # END-18, END-19
    released = _hanging(server, replies, lambda question: True)

    def noticed(count: int) -> None:
        if count == 4:
            os.kill(os.getpid(), signal.SIGINT)
            released.set()

    server.noticed = noticed
    _limits(only_asked, "{ in_flight: 4 }")

    report = _in_a_notebook(only_asked)
    assert report.run.status is RunStatus.INTERRUPTED
    assert "interrupted; what was in flight is kept" in (report.run.note or "")
    assert 4 <= report.accounting[0].scored < 20


def test_in_a_notebook_a_second_ctrl_c_does_not_wait_for_them(
    only_asked: Any, server: Any, replies: Any
) -> None:  # END-18, END-19
    released = _hanging(server, replies, lambda question: True)

    def noticed(count: int) -> None:
        if count == 4:
            os.kill(os.getpid(), signal.SIGINT)
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    server.noticed = noticed
    _limits(only_asked, "{ in_flight: 4, timeout_s: 600 }")

    try:
        report = _in_a_notebook(only_asked)
    finally:
        released.set()
    assert "interrupted; 4 calls under way were broken off (they may have been billed) and are asked again. " in (
        report.run.note or ""
    )
    assert not interrupt._handlers, "no run is left that a signal could stop"
