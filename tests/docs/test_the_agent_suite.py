"""The conversations that ship score as they were worked out by hand, and a judge is added as their suite says."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from haetae import Workbench, load_settings

AGENT = Path(__file__).parents[2] / "datasets" / "agent"

# (F1 of the calls, all expected in order, turns written)
BY_HAND = {
    "ko-track": (1, 1, 3),
    "ko-refund": (1, 1, 3),
    "ko-address": (2 / 3, 0, 2),  # never looked the order up; the address differs in a blank
    "ko-policy": (1, 1, 1),
    "ko-correct": (1, 1, 3),  # four turns, of which one was given
    "ko-coupon": (1, 0, 2),
    "en-track": (1, 1, 3),
    "en-refund": (4 / 5, 1, 4),  # one wrong call before the right one
    "en-policy": (0, 1, 2),  # a call where none was needed
    "en-cancel": (4 / 5, 0, 3),
    "en-correct": (1, 1, 2),  # 50 written as "50"
    "en-charge": (1, 0, 3),
}


def test_the_agents_conversations_score_as_worked_out_by_hand(tmp_path: Path) -> None:
    with Workbench(load_settings({"HAETAE_HOME": str(tmp_path)})) as bench:
        report = bench.run(AGENT / "suite.yaml")
        found = {result.sample.id: result.scores for result in bench.ledger.results(report.run.id)}
    assert found.keys() == BY_HAND.keys()
    for sample_id, (calls, way, turns) in BY_HAND.items():
        scores = [found[sample_id][name].score.value for name in ("calls", "way", "turns")]
        assert scores == [pytest.approx(calls), way, turns], sample_id


@pytest.fixture
def grader() -> Iterator[str]:
    """The URL of a judge: a goal is reached where money is spoken of; a turn is worth its place, to 5 at most."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # the library's name
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            shown = body["messages"][-1]["content"]
            last = max(map(int, re.findall(r"<turn-(\d+)-assistant-", shown)))
            verdict: dict[str, Any] = {"reasoning": f"turn {last}", "score": min(last, 5)}
            if body["response_format"]["json_schema"]["name"] == "goal":
                verdict = {"reason": "money", "reached": int("환불" in shown or "refund" in shown)}
            choice = {"message": {"content": json.dumps(verdict)}, "finish_reason": "stop"}
            raw = json.dumps({"choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_the_judge_of_the_suites_comment_judges_goals_and_conversations(tmp_path: Path, grader: str) -> None:
    folder = shutil.copytree(AGENT, tmp_path / "agent")
    text = (folder / "suite.yaml").read_text("utf-8")
    judged = "".join(f"  {line}\n" for line in re.findall(r"^#   (\w+: .*)$", text, re.MULTILINE))
    text = text.replace("# judge:", "judge:").replace("\nmetrics:\n", f"\nmetrics:\n{judged}")
    (folder / "suite.yaml").write_text(text, "utf-8")
    (folder / "judge.yaml").write_text(f"base_url: {grader}\nmodel: judge\n")
    with Workbench(load_settings({"HAETAE_HOME": str(tmp_path / "home")})) as bench:
        bench.register("model", folder / "judge.yaml", name="my-judge")
        bench.alias("model", "my-judge@1", "production")
        report = bench.run(folder / "suite.yaml")
        found = {result.sample.id: result.scores for result in bench.ledger.results(report.run.id)}

    def of(sample_id: str, *names: str) -> list[float | None]:
        return [found[sample_id][name].score.value for name in names]

    assert of("ko-refund", "goal", "useful", "grows", "better") == [1.0, pytest.approx(11 / 3), 5.0, 3.0]  # 2, 4, 5
    assert of("ko-track", "goal", "useful", "grows", "better") == [0.0, 3.5, 5.0, 3.0]  # 2 and 6; 4 says nothing
    assert of("ko-correct", "useful", "better") == [4.5, 1.0]  # turns 4 and 8; turn 2 was given
