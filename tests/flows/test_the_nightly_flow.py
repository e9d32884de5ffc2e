"""The flow of a schedule runs what is due and ends in the worst of it: read back from a real Prefect server."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from haetae import Report
from haetae.core.run import Manifest, Run, RunStatus, Spent
from haetae.core.suite import ScheduleSpec
from haetae.core.verdict import Comparison, Verdict
from haetae.errors import ConfigError
from haetae.workbench.schedules.due import NotDue, Unchanged

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
    left_out: list[str] = field(default_factory=list)
    demanded: set[datetime | None] = field(default_factory=set)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def run_due(self, suite: str, *, due: datetime | None = None, demanded: Any = None, watcher: Any) -> Any:
        self.asked.append((suite, due))
        self.demanded.add(demanded)
        said = self.says[suite]
        said = next(said) if isinstance(said, Iterator) else said
        if isinstance(said, BaseException):
            raise said
        return said

    def leave_out(self, suite: str) -> None:
        self.left_out.append(suite)


def ended(
    prefect_server: Any, monkeypatch: pytest.MonkeyPatch, says: dict[str, Any], **asked: Any
) -> tuple[Any, Bench]:
    """The state in which the flow ended, and what it asked."""
    bench = Bench(says)
    module = importlib.import_module("haetae.flows.nightly")
    monkeypatch.setattr(module, "Workbench", lambda: bench)
    monkeypatch.setattr(module, "_BETWEEN_S", 0.0)
    monkeypatch.setattr(importlib.import_module("haetae.flows.working"), "Workbench", lambda: bench)
    try:
        return module.nightly(list(says), return_state=True, **asked), bench
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
    state, _ = ended(prefect_server, monkeypatch, {"a": iter((early, report("a", Verdict.PASS)))})
    assert state.name == "Passed"


def test_what_is_in_anothers_hands_is_waited_for(prefect_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long that takes: what was demanded meanwhile is run after it, and not lost."""
    busy = [replace(IDLE, busy=True)] * 100
    state, bench = ended(prefect_server, monkeypatch, {"a": iter((*busy, report("a", Verdict.PASS)))}, demanded=AT)
    assert (state.name, len(bench.asked)) == ("Passed", 101)
    assert bench.demanded == {AT}


def test_a_process_that_dies_again_and_again_is_given_up(prefect_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    state, bench = ended(prefect_server, monkeypatch, {"a": report("a", Verdict.PASS)}, died=2)
    assert (state.name, len(bench.asked)) == ("Passed", 1)
    state, bench = ended(prefect_server, monkeypatch, {"a": report("a", Verdict.PASS)}, died=3)
    assert (state.name, bench.asked) == ("GivenUp", [])
    assert state.is_failed()
    assert not state.is_crashed()  # or it would be started once more


@pytest.mark.parametrize("cancelled", [True, False])
def test_only_what_a_person_cancelled_counts_as_served(
    prefect_server: Any, monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    module = importlib.import_module("haetae.flows.nightly")
    working = importlib.import_module("haetae.flows.working")
    monkeypatch.setattr(working, "is_cancelled", lambda: cancelled)
    monkeypatch.setattr(module, "is_cancelled", lambda: cancelled)
    said = report("a", None)
    stopped = replace(said, run=said.run.ended(RunStatus.INTERRUPTED, AT, "interrupted; what was in flight is kept"))
    bench = Bench({"a": stopped})
    monkeypatch.setattr(module, "Workbench", lambda: bench)
    monkeypatch.setattr(working, "Workbench", lambda: bench)
    if cancelled:
        state = module.nightly(["a"], return_state=True)
        assert (state.name, bench.left_out) == ("Cancelled", ["a"])
    else:
        with pytest.raises(KeyboardInterrupt):  # started by a program, and not from a deployment
            module.nightly(["a"], return_state=True)
        assert bench.left_out == []
    gc.collect()


def test_a_suite_that_is_unchanged_ends_as_the_run_that_stands_for_it(
    prefect_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    unchanged = Unchanged("a", report("a", Verdict.REGRESSION), AT, AT, IDLE.schedule)
    state, _ = ended(prefect_server, monkeypatch, {"a": unchanged})
    assert (state.name, state.is_failed()) == ("Regressed", True)  # a regression that stands is not hidden
    assert state.message.startswith("a: unchanged since a.7: ")
    state, _ = ended(prefect_server, monkeypatch, {"a": replace(unchanged, report=report("a", Verdict.PASS))})
    assert (state.name, state.is_completed()) == ("Unchanged", True)
    assert "unchanged since a.7" in state.message


def test_a_run_that_its_endpoint_stopped_is_tried_again_and_ends_as_it_did_in_the_end(
    prefect_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = importlib.import_module("haetae.flows.working")
    monkeypatch.setattr(working, "_tried", working._tried.with_options(retry_delay_seconds=0))
    said = report("a", Verdict.PASS)
    away = "http://h/v1: ClientConnectorError; it answers nobody: go on later. Go on with: haetae resume a.7"
    stopped = replace(said, run=said.run.ended(RunStatus.STOPPED, AT, away), comparison=None)
    state, bench = ended(prefect_server, monkeypatch, {"a": iter((stopped, stopped, said))})
    assert (state.name, len(bench.asked)) == ("Passed", 3)
    state, bench = ended(prefect_server, monkeypatch, {"a": stopped})
    assert (state.name, len(bench.asked)) == ("Stopped", 6)
    assert state.message.startswith(f"a.7: {away}")
    broke = replace(stopped, run=said.run.ended(RunStatus.STOPPED, AT, "the budget of usd: 1 is used up (1.0)"))
    state, bench = ended(prefect_server, monkeypatch, {"a": broke})
    assert (state.name, len(bench.asked)) == ("Stopped", 1)


def test_a_suite_that_fails_takes_no_turn_from_the_next(prefect_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    says = {"a": ConfigError("suite.yaml:3: wrong"), "b": report("b", Verdict.PASS)}
    state, bench = ended(prefect_server, monkeypatch, says)
    assert [suite for suite, _ in bench.asked] == ["a", "b"]
    assert state.is_failed()
    assert "suite.yaml:3: wrong" in state.message
