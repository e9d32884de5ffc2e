"""Suites that are due and that nobody runs: told once, and once more when somebody runs them again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from haetae.core.clock import SystemClock
from haetae.errors import ConfigError
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench

SUITE = """\
suite: bot
dataset: samples.jsonl
target: { outputs: outputs.jsonl }
metrics: { exact: exact_match }
schedule: { cron: "0 6 * * *", timezone: Asia/Seoul }
alert: [missed, recovery]
"""
MONDAY = datetime(2026, 3, 1, 21, 0, tzinfo=UTC)
"""When it is due: 6 in the morning in Seoul."""


class Clock(SystemClock):
    at = MONDAY - timedelta(hours=3)

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "samples.jsonl").write_text(json.dumps({"id": "s", "input": "q", "reference": "a"}) + "\n")
    (tmp_path / "outputs.jsonl").write_text(json.dumps({"id": "s", "output": "a"}) + "\n")
    return tmp_path / "suite.yaml"


@pytest.fixture
def bench(suite: Path, clock: Clock) -> Any:
    with Workbench(load_settings({"HAETAE_HOME": str(suite.parent / "home")}), clock=clock) as made:
        yield made


def _titles(bench: Workbench) -> list[str]:
    return [raised.alert.title for raised in reversed(bench.ledger.alerts())]


def test_an_outage_is_one_message_and_its_end_is_one(bench: Workbench, suite: Path, clock: Clock) -> None:
    assert bench.overdue(suite) == []  # from now on it counts
    clock.at = MONDAY + timedelta(minutes=59)
    assert bench.overdue(suite) == []
    clock.at = MONDAY + timedelta(minutes=61)
    (late,) = bench.overdue(suite)
    assert late.text.startswith("bot was due at 2026-03-02 06:00 Asia/Seoul (2026-03-01 21:00 UTC), and nobody has run")
    clock.at = MONDAY + timedelta(days=2, hours=2)
    (later,) = bench.overdue(suite)
    assert later.as_json() == {"suite": "bot", "overdue_since": MONDAY.isoformat(), "times": 3}
    assert _titles(bench) == ["– Schedule missed: bot"]
    bench.run_due(suite)
    assert bench.overdue(suite) == []
    assert _titles(bench) == ["– Schedule missed: bot", "✓ Recovered: bot"]
    assert "it was due 2 times" in bench.ledger.alerts()[0].alert.text


def test_the_catch_up_run_says_what_was_missed_where_nobody_did(bench: Workbench, suite: Path, clock: Clock) -> None:
    bench.overdue(suite)
    clock.at = MONDAY + timedelta(days=2, hours=2)
    bench.run_due(suite)
    assert _titles(bench) == ["– Schedule missed: bot"]
    clock.at += timedelta(days=1)
    bench.run_due(suite)
    assert len(_titles(bench)) == 1


def test_what_was_due_by_another_line_was_not_missed(bench: Workbench, suite: Path, clock: Clock) -> None:
    bench.overdue(suite)
    suite.write_text(SUITE.replace("0 6", "0 1"))
    clock.at = MONDAY + timedelta(hours=2)
    assert bench.overdue(suite) == []
    clock.at = MONDAY + timedelta(days=1)
    assert len(bench.overdue(suite)) == 1


def test_a_suite_says_that_nobody_is_told(bench: Workbench, suite: Path, clock: Clock) -> None:
    suite.write_text(SUITE.replace("[missed, recovery]", "[]"))
    bench.overdue(suite)
    clock.at = MONDAY + timedelta(hours=2)
    assert len(bench.overdue(suite)) == 1
    assert _titles(bench) == []


def test_a_wrong_suite_hides_no_other(bench: Workbench, suite: Path, clock: Clock) -> None:
    bench.overdue(suite)
    (suite.parent / "wrong.yaml").write_text("suite: [\n")
    clock.at = MONDAY + timedelta(hours=2)
    with pytest.raises(ConfigError, match=r"wrong\.yaml"):
        bench.overdue(suite.parent)
    assert _titles(bench) == ["– Schedule missed: bot"]
