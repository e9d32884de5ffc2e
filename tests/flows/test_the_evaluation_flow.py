"""The flow says what the workbench found: read back from a real Prefect server."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from haetae.core.run import Manifest, Run, RunStatus
from haetae.core.verdict import Comparison, Estimate, Verdict
from haetae.engine.watch import Progress
from haetae.errors import ConfigError, StoreError

pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # of Prefect's own clients
]


@dataclass
class Report:
    run: Run
    estimates: list[Estimate]
    comparison: Comparison | None
    text: str
    notes: tuple[str, ...] = ()
    status: str = "finished"
    is_interrupted: bool = False

    def markdown(self, again: str) -> str:
        return f"### said\n\n{again}\n"

    @property
    def verdict(self) -> Verdict | None:
        return self.comparison.verdict if self.comparison else None


@dataclass
class Bench:
    """A workbench that reports what it is told to, and remembers what it was asked."""

    report: Report | Exception
    asked: tuple | None = None
    thread: int | None = None
    closed: bool = False

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.closed = True

    def run(self, suite, *, watcher, **asked):
        self.asked, self.thread = (suite, asked), threading.get_ident()
        if isinstance(self.report, Exception):
            raise self.report
        watcher(Progress(3, 4, 1, 0, 0, 4, None, 1.0, run=self.report.run.id))
        return self.report


def report(verdict: Verdict | None, suite: str = "support-bot", estimates: int = 2, text: str = "the report") -> Report:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    run = Run(f"{suite}.7", suite, 7, RunStatus.FINISHED, Manifest({}, {}, {}, {}), 3, at, at)
    numbers = [
        Estimate("rouge", f"id={n}" if n else "", n / 8, n / 8 - 0.1, n / 8 + 0.1, 40 + n, 40, n)
        for n in range(estimates)
    ]
    said = Comparison(suite, run.id, (f"{suite}.6",), verdict, "rouge fell by 0.05") if verdict else None
    return Report(run, numbers, said, text)


@pytest.fixture
def flow_with(prefect_server, monkeypatch):
    """The flow, asking this workbench."""

    def build(said: Report | Exception):
        bench = Bench(said)
        monkeypatch.setattr(importlib.import_module("haetae.flows.working"), "Workbench", lambda: bench)
        return importlib.import_module("haetae.flows.evaluate").evaluate, bench

    return build


def run(flow, *args, **kwargs):
    """Run the flow, then ask the server: the flow run as it recorded it, and its artifacts by key."""
    try:
        state = flow(*args, return_state=True, **kwargs)
        return asyncio.run(_recorded(state.state_details.flow_run_id))
    finally:
        gc.collect()  # Prefect leaves sockets to the collector: here, not in somebody else's test


async def _recorded(flow_run_id):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    async with get_client() as client:
        flow_run = await client.read_flow_run(flow_run_id)
        mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
        artifacts = await client.read_artifacts(artifact_filter=mine)
    return flow_run, {artifact.key: artifact for artifact in artifacts if artifact.key}  # results have no key


@pytest.mark.parametrize(
    ("verdict", "kind", "name"),
    [
        (Verdict.PASS, "COMPLETED", "Passed"),
        (Verdict.REGRESSION, "FAILED", "Regressed"),
        (Verdict.INCONCLUSIVE, "COMPLETED", "Inconclusive"),
        (Verdict.NO_VERDICT, "FAILED", "NoVerdict"),
        (None, "COMPLETED", "Completed"),
    ],
)
def test_the_flow_run_ends_in_the_verdict(flow_with, verdict, kind, name):
    flow, bench = flow_with(report(verdict))
    flow_run, _ = run(flow, "support-bot")
    assert (flow_run.state.type.value, flow_run.state.name) == (kind, name)
    assert flow_run.state.message.startswith("support-bot.7: ")
    assert ("rouge fell" in flow_run.state.message) == (verdict is not None)
    assert flow_run.name == "evaluate support-bot"
    assert bench.closed


def test_the_numbers_on_the_server_are_the_numbers_of_the_report(flow_with):
    said = report(Verdict.PASS)
    flow, _ = flow_with(said)
    _, artifacts = run(flow, "support-bot")
    table = artifacts["estimates-support-bot"]
    assert table.type == "table"
    assert json.loads(table.data) == [estimate.as_json() for estimate in said.estimates]
    assert table.description == "support-bot.7: 2 of 2 estimates"


def test_many_estimates_are_cut_below_a_hundred_rows_and_it_says_so(flow_with):
    flow, _ = flow_with(report(Verdict.PASS, estimates=250))
    _, artifacts = run(flow, "support-bot")
    table = artifacts["estimates-support-bot"]
    assert len(json.loads(table.data)) == 99
    assert table.description == "support-bot.7: 99 of 250 estimates"


def test_the_report_is_shown_verbatim_and_cannot_break_out_of_its_block(flow_with):
    flow, _ = flow_with(report(Verdict.REGRESSION, text="worst sample:\n```\n<img src=x onerror=alert(1)>"))
    _, artifacts = run(flow, "support-bot")
    shown = artifacts["verdict-support-bot"].data
    assert "````text\nworst sample:\n```\n<img" in shown
    assert shown.rstrip().endswith("\n````")


def test_a_suite_in_another_script_has_artifacts_of_its_own(flow_with):
    flow, _ = flow_with(report(Verdict.PASS, suite="상담봇"))
    _, first = run(flow, "상담봇")
    flow, _ = flow_with(report(Verdict.PASS, suite="예약봇"))
    _, second = run(flow, "예약봇")
    kinds = {"estimates", "verdict"}
    said = [{key for key in artifacts if key.partition("-")[0] in kinds} for artifacts in (first, second)]
    assert len(said[0]) == len(said[1]) == 2
    assert not said[0] & said[1]


def test_it_asks_afresh_unless_told_otherwise_with_the_model_and_prompt_that_were_named(flow_with):
    flow, bench = flow_with(report(Verdict.PASS))
    run(flow, "support-bot")
    assert bench.asked == ("support-bot", {"fresh": True, "model": None, "prompt": None})
    run(flow, "support-bot", fresh=False, model="bot@candidate", prompt="answer@2")
    assert bench.asked == ("support-bot", {"fresh": False, "model": "bot@candidate", "prompt": "answer@2"})


def test_it_runs_in_the_main_thread_which_alone_hears_signals(flow_with):
    flow, bench = flow_with(report(Verdict.PASS))
    run(flow, "support-bot")
    assert bench.thread == threading.main_thread().ident


def test_how_far_it_came_and_the_tracker_are_artifacts(flow_with):
    said = report(Verdict.PASS)
    said.notes = ("mlflow: http://127.0.0.1:5000/#/experiments/1/runs/abc", "monitor: nothing")
    flow, _ = flow_with(said)
    _, artifacts = run(flow, "suites/support-bot.yaml")
    assert artifacts["progress-support-bot"].data == 75.0
    assert artifacts["progress-support-bot"].description == "support-bot.7: 3 of 4 done, 1 failed"
    assert "(http://127.0.0.1:5000/#/experiments/1/runs/abc)" in artifacts["mlflow-support-bot"].data
    assert set(artifacts) == {f"{kind}-support-bot" for kind in ("progress", "estimates", "verdict", "mlflow")}


def test_a_person_finds_it_by_suite_run_verdict_model_and_prompt(flow_with):
    said = report(Verdict.REGRESSION)
    suite = {"target": {"model": "bot@production", "prompt": "answer.md"}}
    manifest = replace(said.run.manifest, suite=suite, references={"bot@production": "bot@3"})
    said.run = replace(said.run, manifest=manifest, tags={"due": "2026-03-01T06:00:00+00:00"})
    flow, _ = flow_with(said)
    flow_run, _ = run(flow, "support/suite.yaml")
    assert flow_run.name == "evaluate support"
    assert set(flow_run.tags) == {
        "suite:support-bot",
        "run:support-bot.7",
        "verdict:regression",
        "model:bot@3",
        "prompt:answer.md",
        "due:2026-03-01T06:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("file", "text", "name"),
    [
        ("slow/suite.yaml", "metrics: {}\nsuite: support-bot\n", "support-bot"),
        ("nights.yaml", "\ufeff'suite': 상담봇\n", "상담봇"),
        ("slow/suite.yaml", "suite: [\n", "slow"),
        ("nights.yaml", "- suite\n", "nights"),
        ("nights.yaml", "suite: 7\n", "nights"),
    ],
)
def test_it_is_called_what_the_suite_calls_itself(flow_with, tmp_path, file, text, name):
    (tmp_path / "slow").mkdir()
    (tmp_path / file).write_text(text, "utf-8")
    flow, _ = flow_with(report(Verdict.PASS, suite=name))
    flow_run, artifacts = run(flow, str(tmp_path / file))
    assert flow_run.name == f"evaluate {name}"
    assert f"suite:{name}" in flow_run.tags
    slug = importlib.import_module("haetae.flows.naming").slug
    assert {f"{kind}-{slug(name)}" for kind in ("progress", "verdict")} <= set(artifacts)


@pytest.mark.parametrize(("status", "name"), [("interrupted", "Interrupted"), ("stopped", "Stopped")])
def test_a_run_that_did_not_finish_is_no_success(flow_with, status, name):
    said = report(None)
    said.status, said.run = status, replace(said.run, note="the deadline of the run came")
    flow, _ = flow_with(said)
    flow_run, _ = run(flow, "support-bot")
    assert (flow_run.state.type.value, flow_run.state.name) == ("FAILED", name)
    assert flow_run.state.message == "support-bot.7: the deadline of the run came"


def test_only_what_may_pass_is_tried_again(flow_with, monkeypatch):
    working = importlib.import_module("haetae.flows.working")
    monkeypatch.setattr(working, "_tried", working._tried.with_options(retry_delay_seconds=0))
    tries = []

    def fail(bench, suite, **asked):
        tries.append(suite)
        raise bench.report

    monkeypatch.setattr(Bench, "run", fail)
    for error, expected in ((StoreError("the ledger is away"), 6), (ConfigError("wrong"), 1), (ValueError("ours"), 1)):
        tries.clear()
        flow, _ = flow_with(error)
        flow_run, _ = run(flow, "support-bot")
        assert (flow_run.state.type.value, len(tries)) == ("FAILED", expected)


def test_a_wrong_suite_fails_the_flow_run_with_its_reason(flow_with):
    flow, bench = flow_with(ConfigError("suite.yaml:3:5: metrics: nothing to measure"))
    flow_run, artifacts = run(flow, "support-bot")
    assert flow_run.state.type.value == "FAILED"
    assert "suite.yaml:3:5" in flow_run.state.message
    assert artifacts == {}
    assert bench.closed
