"""The flow of a schedule runs what is due and ends in the worst of it: read back from a real Prefect server."""

from __future__ import annotations

import asyncio
import gc
import importlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from haetae import Report
from haetae.core.run import Manifest, Run, RunStatus, Spent
from haetae.core.suite import ScheduleSpec
from haetae.core.verdict import Comparison, Verdict
from haetae.errors import ConfigError
from haetae.workbench.due import NotDue

pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # of Prefect's own clients
]
AT = datetime(2026, 3, 1, tzinfo=UTC)


def report(suite: str, verdict: Verdict | None) -> Report:
    dataset = {"name": "d", "version": "sha256:" + "0" * 64, "count": 3}
    run = Run(f"{suite}.7", suite, 7, RunStatus.FINISHED, Manifest({}, dataset, {}, {}), 3, AT, AT)
    said = Comparison(suite, run.id, (f"{suite}.6",), verdict, "rouge fell by 0.05") if verdict else None
    return Report(run, (), (), Spent(0), said)


@dataclass
class Bench:
    """A workbench that says of each suite what it is told to."""

    says: dict[str, Any]
    asked: list[tuple[str, datetime | None]] = field(default_factory=list)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def run_due(self, suite: str, *, due: datetime | None = None) -> Any:
        self.asked.append((suite, due))
        said = self.says[suite]
        if isinstance(said, Exception):
            raise said
        return said


def ended(prefect_server: Any, monkeypatch: pytest.MonkeyPatch, says: dict[str, Any]) -> tuple[Any, Bench]:
    """The state in which the flow ended, and what it asked."""
    bench = Bench(says)
    module = importlib.import_module("haetae.flows.nightly")
    monkeypatch.setattr(module, "Workbench", lambda: bench)

    async def run() -> Any:
        return await module.nightly(list(says), return_state=True)

    try:
        return asyncio.run(run()), bench
    finally:
        gc.collect()  # Prefect leaves sockets to the collector: here, not in somebody else's test


IDLE = NotDue("c", "nothing is due", AT, ScheduleSpec(cron="0 6 * * *"))


@pytest.mark.parametrize(
    ("says", "name", "message"),
    [
        ({"a": report("a", Verdict.PASS), "b": report("b", Verdict.REGRESSION), "c": IDLE}, "Regressed", "b.7: rouge"),
        ({"a": report("a", Verdict.NO_VERDICT), "b": report("b", Verdict.INCONCLUSIVE)}, "NoVerdict", "a.7: rouge"),
        ({"a": report("a", None), "b": report("b", Verdict.PASS)}, "Passed", "b.7: rouge"),
        ({"c": IDLE}, "NotDue", "c: nothing is due; due next at 2026-03-01 00:00 UTC"),
        ({}, "NotDue", "no suite was named"),
    ],
)
def test_it_ends_as_the_worst_of_its_suites(
    prefect_server: Any, monkeypatch: pytest.MonkeyPatch, says: dict[str, Any], name: str, message: str
) -> None:
    state, bench = ended(prefect_server, monkeypatch, says)
    assert state.name == name
    assert state.message.startswith(message)
    assert bench.asked == [(suite, None) for suite in says]  # nobody scheduled this


def test_where_prefect_starts_before_a_gap_it_waits_for_what_is_due(
    prefect_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # SCH-01
    soon = datetime.now(UTC) + timedelta(milliseconds=50)
    new_york = ScheduleSpec(cron="30 2 * * *", timezone="America/New_York")
    early = NotDue("a", "nothing is due", soon, new_york, asked=soon - timedelta(minutes=30))
    assert early.is_early
    says = {"a": iter((early, report("a", Verdict.PASS)))}
    monkeypatch.setattr(Bench, "run_due", lambda bench, suite, due=None: next(bench.says[suite]))
    state, _ = ended(prefect_server, monkeypatch, says)
    assert state.name == "Passed"


def test_a_suite_that_fails_takes_no_turn_from_the_next(prefect_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    says = {"a": ConfigError("suite.yaml:3: wrong"), "b": report("b", Verdict.PASS)}
    state, bench = ended(prefect_server, monkeypatch, says)
    assert [suite for suite, _ in bench.asked] == ["a", "b"]
    assert state.is_failed()
    assert "suite.yaml:3: wrong" in state.message
