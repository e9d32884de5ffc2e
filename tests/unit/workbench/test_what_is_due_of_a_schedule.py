"""What is due is run once: whoever calls, however often, late, from several machines, by clocks that differ."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from haetae.core.ledger import Turn
from haetae.core.run import RunStatus
from haetae.core.suite import ScheduleSpec
from haetae.errors import ConfigError
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench
from haetae.workbench.due import Due, NotDue, both_zones, due_of
from haetae.workbench.report import Report
from haetae.workbench.scheduled import scheduled

NIGHTLY = ScheduleSpec(cron="0 6 * * *", timezone="Asia/Seoul")
SIX = datetime(2026, 3, 1, 21, 0, tzinfo=UTC)
"""06:00 of 2 March in Seoul."""
DAY = timedelta(days=1)


@dataclass
class SetClock:
    time: datetime = SIX

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return write(tmp_path / "suite.yaml")


def write(path: Path, schedule: str = '{ cron: "0 6 * * *", timezone: Asia/Seoul }', name: str = "nightly") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "samples.jsonl").write_text(json.dumps({"id": "a", "input": "q", "reference": "r"}) + "\n")
    (path.parent / "outputs.jsonl").write_text(json.dumps({"id": "a", "output": "r"}) + "\n")
    path.write_text(
        f"suite: {name}\ndataset: samples.jsonl\ntarget: {{ outputs: outputs.jsonl }}\n"
        f"metrics: {{ right: exact_match }}\n" + (f"schedule: {schedule}\n" if schedule else "")
    )
    return path


@pytest.fixture
def bench(tmp_path: Path, clock: SetClock) -> Iterator[Workbench]:
    with Workbench(load_settings({"HAETAE_HOME": str(tmp_path / "home")}, tmp_path), clock=clock) as made:
        yield made


def test_a_time_is_run_once_and_asks_everything_again(bench: Workbench, clock: SetClock, suite: Path) -> None:
    clock.time = SIX + timedelta(seconds=3)
    report = bench.run_due(suite)
    assert isinstance(report, Report)
    assert report.run.manifest.epoch
    assert report.run.tags["due"] == SIX.isoformat()
    said = bench.run_due(suite)
    assert isinstance(said, NotDue)
    assert said.text == (
        "nightly: nothing is due; due next at 2026-03-03 06:00 Asia/Seoul (2026-03-02 21:00 UTC)"  # SCH-04
    )
    clock.time += DAY
    assert isinstance(bench.run_due(suite), Report)
    assert len(bench.ledger.runs("nightly")) == 2


def test_who_looks_every_half_hour_finds_the_first_morning(bench: Workbench, clock: SetClock, tmp_path: Path) -> None:
    suite = write(tmp_path / "suite.yaml", '{ cron: "17 6 * * *", timezone: Asia/Seoul }')
    clock.time = SIX
    assert isinstance(bench.run_due(suite), NotDue)
    clock.time = SIX + timedelta(minutes=30)
    report = bench.run_due(suite)
    assert isinstance(report, Report)
    assert report.notes[0] == "late: it was due at 2026-03-02 06:17 Asia/Seoul (2026-03-01 21:17 UTC)"


def test_the_answers_of_another_night_are_not_this_ones(bench: Workbench, clock: SetClock, suite: Path) -> None:
    first = bench.run_due(suite)
    assert isinstance(first, Report)
    stopped = bench.ledger.start("nightly", first.run.manifest, 1, clock.time, 0, {"due": SIX.isoformat()})
    bench.ledger.finish(stopped.id, RunStatus.STOPPED, clock.time, "the budget is spent")
    clock.time += DAY
    second = bench.run_due(suite)
    assert isinstance(second, Report)
    assert second.run.id not in (first.run.id, stopped.id)


def test_a_time_whose_run_is_finished_is_not_run_again_where_nobody_could_say_so(  # the process died between the two
    bench: Workbench, clock: SetClock, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(bench.ledger, "end_turn", lambda *_, **__: None)
        assert isinstance(bench.run_due(suite), Report)
    clock.time += timedelta(minutes=6)  # SCH-10
    said = bench.run_due(suite)
    assert isinstance(said, NotDue)
    assert "is served already" in said.why
    assert len(bench.ledger.runs("nightly")) == 1


def test_a_scheduler_that_starts_before_a_gap_is_told_to_wait(
    bench: Workbench, clock: SetClock, tmp_path: Path
) -> None:
    suite = write(tmp_path / "suite.yaml", '{ cron: "30 2 * * *", timezone: America/New_York }')  # SCH-01
    clock.time = datetime(2026, 3, 8, 6, 30, tzinfo=UTC)  # 01:30; the clock leaves 02:30 out, which comes at 03:00
    said = bench.run_due(suite, due=clock.time)
    assert isinstance(said, NotDue)
    assert said.is_early
    assert said.next_at == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)
    assert isinstance(bench.run_due(suite, due=said.next_at), Report)
    again = bench.run_due(suite, due=said.next_at)
    assert isinstance(again, NotDue)
    assert not again.is_early


def test_who_first_looks_in_the_afternoon_waits_for_the_morning(bench: Workbench, clock: SetClock, suite: Path) -> None:
    clock.time = SIX + timedelta(hours=8)
    assert isinstance(bench.run_due(suite), NotDue)
    clock.time = SIX + DAY
    assert isinstance(bench.run_due(suite), Report)


def test_what_was_missed_is_run_once_and_named(bench: Workbench, clock: SetClock, suite: Path) -> None:  # SCH-09
    bench.run_due(suite)
    clock.time = SIX + 4 * DAY + timedelta(hours=2)
    report = bench.run_due(suite)
    assert isinstance(report, Report)
    assert report.notes[0] == (
        "missed: it was due 3 times since 2026-03-03 06:00 Asia/Seoul (2026-03-02 21:00 UTC), and no run was made of "
        "it; this one stands for all of them"
    )
    assert isinstance(bench.run_due(suite), NotDue)


def test_what_was_missed_is_left_out_where_that_is_declared(bench: Workbench, clock: SetClock, tmp_path: Path) -> None:
    suite = write(tmp_path / "suite.yaml", '{ cron: "0 6 * * *", timezone: Asia/Seoul, missed: skip }')
    bench.run_due(suite)
    clock.time = SIX + DAY + timedelta(hours=2)
    said = bench.run_due(suite)
    assert isinstance(said, NotDue)
    assert "what was due at 2026-03-03 06:00 Asia/Seoul (2026-03-02 21:00 UTC) was missed and is left out" in said.why
    clock.time = SIX + 2 * DAY + timedelta(minutes=9)
    assert isinstance(bench.run_due(suite), Report)


def test_while_a_run_of_the_suite_goes_on_the_next_time_waits(
    bench: Workbench, clock: SetClock, suite: Path
) -> None:  # SCH-06, SCH-15
    first = bench.run_due(suite)
    assert isinstance(first, Report)
    with Workbench(bench.settings, clock=clock) as elsewhere:
        by_hand = elsewhere.ledger.start("nightly", first.run.manifest, 1, clock.time, 0, {})
        clock.time += DAY
        said = bench.run_due(suite)
        assert isinstance(said, NotDue)
        assert "it is being run; what was due at 2026-03-03 06:00" in said.why
        elsewhere.ledger.finish(by_hand.id, RunStatus.FINISHED, clock.time)
    assert isinstance(bench.run_due(suite), Report)


def test_a_scheduler_whose_clock_is_ahead_is_believed(bench: Workbench, clock: SetClock, suite: Path) -> None:  # SCH-11
    clock.time = SIX - timedelta(minutes=5)
    assert isinstance(bench.run_due(suite, due=SIX), Report)
    assert isinstance(bench.run_due(suite, due=SIX), NotDue)
    clock.time = SIX
    assert isinstance(bench.run_due(suite), NotDue)


@pytest.mark.parametrize("missed", ["once", "skip"])
def test_a_run_whose_process_died_is_gone_on_with(  # SCH-08
    bench: Workbench, clock: SetClock, tmp_path: Path, missed: str
) -> None:
    suite = write(tmp_path / "suite.yaml", f'{{ cron: "0 6 * * *", timezone: Asia/Seoul, missed: {missed} }}')
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(suite)], env=_env(tmp_path), check=False)
    assert killed.returncode == -9
    (left,) = bench.ledger.runs("nightly")
    assert left.status is RunStatus.RUNNING
    clock.time = SIX + timedelta(minutes=4)
    assert "it is being run" in str(getattr(bench.run_due(suite), "why", ""))
    clock.time = SIX + timedelta(minutes=20)
    report = bench.run_due(suite)
    assert isinstance(report, Report)
    assert (report.run.id, report.run.status) == (left.id, RunStatus.FINISHED)
    assert isinstance(bench.run_due(suite), NotDue)


_KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from haetae.engine.committer import Committer
from haetae.workbench.bench import Workbench

class Six:
    def now(self):
        return datetime(2026, 3, 1, 21, 0, tzinfo=UTC)
    def monotonic(self):
        return 0.0

async def die(*rows, **more):
    os.kill(os.getpid(), signal.SIGKILL)

Committer.put_all = die
with Workbench(clock=Six()) as bench:
    bench.run_due(sys.argv[1])
"""


def _env(folder: Path) -> dict[str, str]:
    return {**os.environ, "HAETAE_HOME": str(folder / "home")}


def test_a_run_that_was_interrupted_is_due_still(
    bench: Workbench, clock: SetClock, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> Report:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(bench, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bench.run_due(suite)
    assert isinstance(bench.run_due(suite), Report)


def test_a_run_that_fails_is_due_until_mended(bench: Workbench, clock: SetClock, suite: Path, tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl").write_text("not JSON\n")
    for _ in range(2):
        with pytest.raises(ConfigError):
            bench.run_due(suite)
    write(suite)
    clock.time += timedelta(hours=1)
    assert isinstance(bench.run_due(suite), Report)


def test_a_suite_without_a_schedule_is_not_run_by_one(bench: Workbench, tmp_path: Path) -> None:
    suite = write(tmp_path / "suite.yaml", "")
    with pytest.raises(ConfigError, match="the suite has no schedule; add one"):
        bench.run_due(suite)


def test_a_line_of_every_minute_is_counted_only_so_far() -> None:
    every_minute = ScheduleSpec(cron="* * * * *")
    found = due_of(every_minute, Turn(SIX - timedelta(days=90), ended=True), SIX)
    assert found is not None
    assert found.at == SIX
    assert "10000 times or more" in str(found.note(every_minute, SIX)).replace(",", "")
    assert due_of(every_minute, Turn(SIX, ended=True), SIX) is None
    assert due_of(every_minute, Turn(SIX - timedelta(minutes=1), ended=True), SIX) == Due(SIX)


def test_a_time_in_utc_is_shown_once() -> None:
    assert both_zones(SIX, ScheduleSpec(cron="0 6 * * *")) == "2026-03-01 21:00 UTC"


def test_suites_with_a_schedule_are_found_below_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "b" / "two.yml", name="b")
    write(tmp_path / "a" / "suite.yaml", name="a")
    write(tmp_path / "c" / "suite.yaml", "", name="by-hand")
    write(tmp_path / ".hidden" / "suite.yaml", name="hidden")
    (tmp_path / "model.yaml").write_text("model: m\n")
    assert [loaded.suite.suite for loaded in scheduled([tmp_path, tmp_path / "a" / "suite.yaml"], {})[0]] == ["a", "b"]


def test_every_mistake_of_every_suite_is_told_at_once(tmp_path: Path) -> None:  # SCH-12
    write(tmp_path / "a.yaml", '{ cron: "61 * * * *", timezone: Asia/Seul }', name="a")
    write(tmp_path / "b.yaml", name="same")
    write(tmp_path / "c.yaml", name="same")
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere.yaml")
    found, problems = scheduled([tmp_path], {})
    assert [loaded.suite.suite for loaded in found] == ["same"]
    text = str(ConfigError(problems))
    assert "a.yaml:5" in text
    assert "the minute of '61 * * * *' is '61'" in text
    assert "did you mean 'Asia/Seoul'?" in text
    assert "b.yaml in" in text


def test_a_suite_that_is_named_has_a_schedule(tmp_path: Path) -> None:
    found, (problem,) = scheduled([write(tmp_path / "suite.yaml", "")], {})
    assert found == []
    assert "the suite has no schedule" in problem.message
    with pytest.raises(ConfigError, match="no suite with a schedule in"):
        scheduled([tmp_path], {})
