"""The flow says what the workbench found: read back from a real Prefect server."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

import haetae
from haetae.core.run import Manifest, Run, RunStatus
from haetae.core.verdict import Comparison, Estimate, Verdict
from haetae.errors import ConfigError

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

    def run(self, suite, *, fresh=False):
        self.asked, self.thread = (suite, fresh), threading.get_ident()
        if isinstance(self.report, Exception):
            raise self.report
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
        monkeypatch.setattr(haetae, "Workbench", lambda: bench, raising=False)
        module = importlib.import_module("haetae.flows.evaluate")
        monkeypatch.setattr(module, "Workbench", lambda: bench)
        return module.evaluate, bench

    return build


def run(flow, *args, **kwargs):
    try:
        return asyncio.run(_run(flow, *args, **kwargs))
    finally:
        gc.collect()  # Prefect leaves sockets to the collector: here, not in somebody else's test


async def _run(flow, *args, **kwargs):
    """Run the flow, then ask the server: the flow run as it recorded it, and its artifacts by key."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    state = await flow(*args, return_state=True, **kwargs)
    async with get_client() as client:
        flow_run = await client.read_flow_run(state.state_details.flow_run_id)
        mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run.id]))
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
    assert shown.startswith("# Regressed\n\n````text\nworst sample:\n```\n<img")
    assert shown.rstrip().endswith("\n````")


def test_a_suite_in_another_script_has_artifacts_of_its_own(flow_with):
    flow, _ = flow_with(report(Verdict.PASS, suite="상담봇"))
    _, first = run(flow, "상담봇")
    flow, _ = flow_with(report(Verdict.PASS, suite="예약봇"))
    _, second = run(flow, "예약봇")
    assert len(first) == len(second) == 2
    assert not set(first) & set(second)


def test_a_scheduled_run_asks_afresh_unless_told_otherwise_and_not_on_the_event_loop(flow_with):
    flow, bench = flow_with(report(Verdict.PASS))
    run(flow, "support-bot")
    assert bench.asked == ("support-bot", True)
    assert bench.thread != threading.get_ident()
    run(flow, "support-bot", fresh=False)
    assert bench.asked == ("support-bot", False)


def test_a_wrong_suite_fails_the_flow_run_with_its_reason(flow_with):
    flow, bench = flow_with(ConfigError("suite.yaml:3:5: metrics: nothing to measure"))
    flow_run, artifacts = run(flow, "support-bot")
    assert flow_run.state.type.value == "FAILED"
    assert "suite.yaml:3:5" in flow_run.state.message
    assert artifacts == {}
    assert bench.closed
