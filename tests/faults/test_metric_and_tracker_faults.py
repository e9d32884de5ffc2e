"""One sample of a thousand that a metric cannot score, and trackers that are down: no number moves, none is lost."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from haetae.core.score import Score
from haetae.metrics.reference.short_answers import ExactMatch
from haetae.settings import load_settings

SUITE = """\
suite: recorded
dataset: samples.jsonl
target: { outputs: outputs.jsonl }
metrics: { exact: exact_match }
"""


def _recorded(project: Any, count: int) -> None:
    """A suite over recorded outputs: every second of them is right."""
    project.suite.write_text(SUITE)
    samples = [{"id": f"s{n:04}", "input": "q", "reference": "a"} for n in range(count)]
    outputs = [{"id": f"s{n:04}", "output": "ab"[n % 2]} for n in range(count)]
    for name, rows in (("samples", samples), ("outputs", outputs)):
        (project.folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _raises() -> Score:
    raise ValueError("no score for https://host/?token=canary-in-a-traceback")


def _infinite() -> Score:
    return Score(0.5, stats=(float("inf"),))


@pytest.mark.parametrize(("fault", "reason"), [(_raises, "metric_raised"), (_infinite, "not_finite")])
def test_one_sample_of_a_thousand_without_a_score_is_counted_and_not_averaged(
    fault: Any, reason: str, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # MET-06, MET-07
    _recorded(project, 1000)
    score = ExactMatch.score
    monkeypatch.setattr(
        ExactMatch,
        "score",
        lambda self, sample, answer: fault() if sample.id == "s0500" else score(self, sample, answer),
    )
    with project.bench() as bench:
        report = bench.run(project.suite)
        (found,) = (e for e in report.estimates if e.metric == "exact" and not e.slice)
        (account,) = report.accounting
        assert (found.n, found.unscored, found.value) == (999, 1, pytest.approx(499 / 999))
        assert (account.scored, dict(account.unscored), account.not_run) == (999, {reason: 1}, 0)
        assert "999 of 1,000" in report.text
        _, scores = bench.ledger.done(report.run.id)["s0500", 0]
        kept = scores["exact"].score
        assert (kept.value, kept.reason) == (None, reason)
        if fault is _raises:
            assert "ValueError: no score for https://host/?token=***" in str(kept.explanation)
            assert "canary" not in str(kept.explanation)


def test_no_context_anywhere_is_counted_by_its_reason_and_is_neither_0_nor_1(
    project: Any, server: Any, replies: Any
) -> None:  # DAT-16
    project.suite.write_text(
        project.suite.read_text()
        .replace("  polite: { judge: polite.md, scale: [0, 1] }\n", "  faithful: faithfulness\n")
        .replace("polite: {", "faithful: {")
    )
    with project.bench() as bench:
        report = bench.run(project.suite)
    account = next(each for each in report.accounting if each.metric == "faithful")
    assert (account.scored, dict(account.unscored)) == (0, {"missing_context": 20})
    assert next(e for e in report.estimates if e.metric == "faithful").value is None
    assert server.asked("judge") == []


@pytest.fixture(params=["refuses", "fails", "says nothing"])
def mlflow_down(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an MLflow that refuses connections, answers 500, or takes connections and never answers."""
    if request.param == "fails":

        class Failing(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the library's name
                self.send_error(500)

            do_POST = do_GET  # noqa: N815  # likewise

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        http = HTTPServer(("127.0.0.1", 0), Failing)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()
        http.server_close()
        thread.join()
        return
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        if request.param == "refuses":
            listening.close()
        yield f"http://127.0.0.1:{port}"


def test_a_tracker_that_is_down_changes_no_score_and_no_exit_code(
    mlflow_down: str, project: Any, another_project: Any
) -> None:  # TRK-01, TRK-02, TRK-03
    told = []
    for each, track in ((project, "track: [mlflow]\n"), (another_project, "")):
        each.suite.write_text(each.suite.read_text() + track)
        each.settings = load_settings({**each.settings.env, "HAETAE_MLFLOW": mlflow_down})
        with each.bench() as bench:
            bench.promote(bench.run(each.suite).run.id)
            report = bench.run(each.suite, fresh=True)
            rows = bench.ledger.results(report.run.id, limit=99)
            values = {r.sample.id: {name: row.score.value for name, row in r.scores.items()} for r in rows}
            estimates = [(e.metric, e.slice, e.value, e.low, e.high) for e in report.estimates]
            told.append((report.exit_code, report.verdict, estimates, values))
            if track:
                assert len([note for note in report.notes if note.startswith("mlflow: not delivered yet")]) >= 1
                assert len(bench.ledger.pending("mlflow")) == 2
    assert told[0] == told[1]
