"""What is due is run once: whoever calls, however often, late, from several machines, by clocks that differ."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from haetae.core.run import RunStatus
from haetae.core.suite import ScheduleSpec
from haetae.core.turn import Turn
from haetae.errors import ConfigError
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench
from haetae.workbench.report import Report
from haetae.workbench.schedules.due import Due, NotDue, both_zones, due_of
from haetae.workbench.schedules.scheduled import scheduled

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


RUN_EACH_TIME = "{ right: exact_match, slow: latency_s }"  # a time may come out otherwise


def write(
    path: Path,
    schedule: str = '{ cron: "0 6 * * *", timezone: Asia/Seoul }',
    name: str = "nightly",
    metrics: str = RUN_EACH_TIME,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "samples.jsonl").write_text(json.dumps({"id": "a", "input": "q", "reference": "r"}) + "\n")
    (path.parent / "outputs.jsonl").write_text(json.dumps({"id": "a", "output": "r"}) + "\n")
    path.write_text(
        f"suite: {name}\ndataset: samples.jsonl\ntarget: {{ outputs: outputs.jsonl }}\n"
        f"metrics: {metrics}\n" + (f"schedule: {schedule}\n" if schedule else "")
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


@pytest.mark.parametrize("asked", [None, SIX])
def test_what_was_due_before_anybody_looked_was_not_missed(
    bench: Workbench, clock: SetClock, tmp_path: Path, asked: datetime | None
) -> None:
    suite = write(tmp_path / "suite.yaml", '{ cron: "* * * * *" }')
    clock.time = SIX + timedelta(seconds=20)
    report = bench.run_due(suite, due=asked)
    assert isinstance(report, Report)
    assert (report.run.tags["due"], report.notes) == (SIX.isoformat(), ())
    write(suite, '{ cron: "*/2 * * * *" }')
    clock.time += timedelta(hours=2)
    report = bench.run_due(suite, due=asked and SIX + timedelta(hours=2))
    assert isinstance(report, Report)
    assert (report.run.tags["due"], report.notes) == ((SIX + timedelta(hours=2)).isoformat(), ())


def test_what_was_missed_is_run_once_and_named(bench: Workbench, clock: SetClock, suite: Path) -> None:  # SCH-09
    bench.run_due(suite)
    clock.time = SIX + 4 * DAY + timedelta(hours=2)
    report = bench.run_due(suite)
    assert isinstance(report, Report)
    assert report.notes[0] == (
        "missed: it was due 3 times and no run was made of it: at 2026-03-03 06:00 Asia/Seoul (2026-03-02 21:00 UTC), "
        "2026-03-04 06:00 Asia/Seoul (2026-03-03 21:00 UTC), 2026-03-05 06:00 Asia/Seoul (2026-03-04 21:00 UTC); this "
        "one stands for all of them"
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
        assert said.busy
        assert f"being run by process {os.getpid()} on {socket.gethostname()}, as run nightly.2; what was" in said.why
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


@pytest.mark.parametrize(("later", "first"), [(7, True), (90, False)])
def test_what_died_is_gone_on_with_first_for_an_hour_and_then_stood_for(
    bench: Workbench, clock: SetClock, tmp_path: Path, later: int, first: bool
) -> None:  # SCH-08
    suite = write(tmp_path / "suite.yaml", '{ cron: "* * * * *" }')
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(suite)], env=_env(tmp_path), check=False)
    assert killed.returncode == -9
    clock.time = SIX + timedelta(minutes=later)
    said = [bench.run_due(suite), bench.run_due(suite)]
    runs = bench.ledger.runs("nightly")[::-1]
    assert [(run.id, run.tags["due"]) for run in runs] == [
        ("nightly.1", SIX.isoformat()),
        ("nightly.2", clock.time.isoformat()),
    ]
    if first:
        assert [one.run.id for one in said if isinstance(one, Report)] == ["nightly.1", "nightly.2"]
        assert {run.status for run in runs} == {RunStatus.FINISHED}
    else:
        assert [one.run.id for one in said if isinstance(one, Report)] == ["nightly.2"]
        assert runs[0].status is RunStatus.INTERRUPTED
        assert "its process died, and the run of what was due at 2026-03-01T22:30" in str(runs[0].note)
        assert "haetae resume nightly.1" in str(runs[0].note)


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
    note = str(found.note(every_minute, SIX))
    assert "it was due 10,000 times or more and no run was made of it: at 2025-12-01 21:01 UTC, " in note
    assert "21:05 UTC and 9,995 more; this one stands for all of them" in note
    assert due_of(every_minute, Turn(SIX, ended=True), SIX) is None
    assert due_of(every_minute, Turn(SIX - timedelta(minutes=1), ended=True), SIX) == Due(SIX)


@pytest.mark.parametrize("cron", ["* * * * 1", "* * 1 * *", "* * 1 1 *"])  # in the last day, week and month: none
def test_of_more_than_can_be_counted_the_newest_is_run_and_nothing_after_it(cron: str) -> None:
    schedule = ScheduleSpec(cron=cron)
    now = datetime(2026, 12, 24, 12, 0, tzinfo=UTC)
    found = due_of(schedule, Turn(now - timedelta(days=3_660), ended=True), now)
    assert found is not None
    assert found.missed == 10_000
    assert due_of(schedule, Turn(found.at, ended=True), now) is None


def test_who_looks_every_half_hour_loses_no_run_of_those_that_leave_out_what_was_missed(
    bench: Workbench, clock: SetClock, tmp_path: Path
) -> None:
    suite = write(tmp_path / "suite.yaml", '{ cron: "17 6 * * *", timezone: Asia/Seoul, missed: skip }')
    said = []
    for half_hours in range(3 * 48):
        clock.time = SIX - timedelta(hours=2) + timedelta(minutes=30 * half_hours)
        said.append(bench.run_due(suite))
    assert [one.run.tags["due"] for one in said if isinstance(one, Report)] == [
        (SIX + timedelta(minutes=17) + n * DAY).isoformat() for n in range(3)
    ]
    assert not any("was missed" in one.why for one in said if isinstance(one, NotDue))
    clock.time += timedelta(hours=10)  # nobody looked, and one was missed
    left_out = bench.run_due(suite)
    assert isinstance(left_out, NotDue)
    assert "what was due at 2026-03-05 06:17" in left_out.why
    assert "was missed and is left out" in left_out.why


def test_what_was_due_by_a_line_that_was_not_there_yet_was_not_missed(
    bench: Workbench, clock: SetClock, suite: Path
) -> None:
    assert isinstance(bench.run_due(suite), Report)
    clock.time = SIX + timedelta(hours=12)
    write(suite, '{ cron: "*/30 * * * *", timezone: Asia/Seoul }')
    clock.time += timedelta(minutes=15)
    said = bench.run_due(suite)
    assert isinstance(said, NotDue)
    assert said.why == "nothing is due"
    clock.time += timedelta(minutes=15)
    report = bench.run_due(suite)
    assert isinstance(report, Report)
    assert report.notes == ()
    clock.time += timedelta(hours=2)
    late = bench.run_due(suite)
    assert isinstance(late, Report)
    assert "missed: it was due 3 times" in late.notes[0]


def test_what_died_by_the_line_before_is_due_still_and_all_else_of_it_is_forgotten(
    bench: Workbench, clock: SetClock, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(bench, "run", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            bench.run_due(suite)
    write(suite, '{ cron: "*/30 * * * *", timezone: Asia/Seoul }')
    clock.time += timedelta(hours=12, minutes=15)
    report = bench.run_due(suite)
    assert isinstance(report, Report)
    assert report.run.tags["due"] == SIX.isoformat()
    assert report.notes == ()


def test_two_suites_of_one_name_are_told_apart(bench: Workbench, clock: SetClock, tmp_path: Path) -> None:
    one = write(tmp_path / "one" / "suite.yaml")
    other = write(tmp_path / "other" / "suite.yaml", metrics="{ contained: contains }")
    assert isinstance(bench.run_due(one), Report)
    with pytest.raises(ConfigError) as refused:
        bench.run_due(other)
    assert "suite.yaml:1:" in str(refused.value)
    assert f"{one} is another suite of this name with a schedule" in str(refused.value)
    clock.time += DAY
    assert isinstance(bench.run_due(write(other)), Report)  # the same suite, checked out twice
    one.unlink()
    other.rename(one)  # and moved
    clock.time += DAY
    (one.parent / "samples.jsonl").write_bytes((other.parent / "samples.jsonl").read_bytes())
    assert isinstance(bench.run_due(one), Report)


def test_a_clock_that_was_years_ahead_silences_nobody(bench: Workbench, clock: SetClock, suite: Path) -> None:
    assert isinstance(bench.run_due(suite), Report)
    clock.time = SIX + 4_000 * DAY
    assert isinstance(bench.run_due(suite), Report)
    clock.time = SIX + DAY
    report = bench.run_due(suite)
    assert isinstance(report, Report)
    assert report.run.tags["due"] == clock.time.isoformat()
    assert report.notes == (
        "it was served up to 2037-02-12 06:00 Asia/Seoul (2037-02-11 21:00 UTC) by a clock that was 3,999 days ahead; "
        "what is due counts from now on again",
    )
    again = bench.run_due(suite)
    assert isinstance(again, NotDue)
    assert again.why == "nothing is due"


def test_a_scheduler_whose_clock_is_days_ahead_is_not_believed(bench: Workbench, clock: SetClock, suite: Path) -> None:
    clock.time = SIX + timedelta(hours=1)
    assert isinstance(bench.run_due(suite), NotDue)
    said = bench.run_due(suite, due=SIX + 40 * DAY)
    assert isinstance(said, NotDue)
    assert "the scheduler that started this asked for 2026-04-11 06:00 Asia/Seoul" in said.why
    assert "39 days ahead of the ledger's, and it was not believed" in said.why
    clock.time = SIX + DAY
    assert isinstance(bench.run_due(suite), Report)


@pytest.mark.parametrize("hours", [-9, -1, 1, 9])
def test_schedulers_hours_apart_serve_each_time_once(
    bench: Workbench, clock: SetClock, suite: Path, hours: int
) -> None:  # SCH-11
    """Two of them start the same nights, one of them by a clock that is wrong."""
    clock.time = SIX - timedelta(hours=12)
    assert isinstance(bench.run_due(suite), NotDue)
    starts = sorted((SIX + n * DAY - timedelta(hours=off), SIX + n * DAY) for n in range(5) for off in (0, hours))
    said = []
    for clock.time, due in starts:
        said.append(bench.run_due(suite, due=due))
    served = [one.run.tags["due"] for one in said if isinstance(one, Report)]
    assert served == [(SIX + n * DAY).isoformat() for n in range(5)]


@pytest.mark.real
def test_on_postgres_machines_months_apart_serve_each_time_once(
    postgres_url: str, tmp_path: Path, suite: Path
) -> None:  # SCH-11
    """One of them believes that the next time has come already, the other that this one is to come."""
    yearly = ScheduleSpec(cron="0 0 1 7 *")
    write(suite, '{ cron: "0 0 1 7 *" }')
    settings = load_settings({"HAETAE_HOME": str(tmp_path / "home"), "HAETAE_LEDGER": postgres_url}, tmp_path)
    now = datetime.now(UTC)
    clocks = (SetClock(now - 500 * DAY), SetClock(now + 500 * DAY))
    with Workbench(settings, clock=clocks[0]) as behind, Workbench(settings, clock=clocks[1]) as ahead:
        line = "0 0 1 7 * UTC"
        behind.ledger.watch_from("nightly", now - 400 * DAY, None, line, os.path.relpath(suite, settings.home))
        found = due_of(yearly, Turn(now - 400 * DAY, ended=True), now)
        assert found is not None
        said = [bench.run_due(suite) for bench in (ahead, behind, ahead, behind)]
    assert [isinstance(one, Report) for one in said] == [True, False, False, False]
    assert said[0].run.tags["due"] == found.at.isoformat()
    assert [one.why for one in said[1:]] == ["nothing is due"] * 3


def test_what_is_next_after_a_scheduler_that_was_ahead(bench: Workbench, clock: SetClock, suite: Path) -> None:
    clock.time = SIX - timedelta(hours=3)
    assert isinstance(bench.run_due(suite, due=SIX), Report)
    for said in (bench.run_due(suite), bench.run_due(suite, due=SIX)):
        assert isinstance(said, NotDue)
        assert said.next_at == SIX + DAY


def test_a_run_that_takes_longer_than_its_interval_says_so_and_one_waits_at_most(
    bench: Workbench, clock: SetClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # SCH-16
    suite = write(tmp_path / "suite.yaml", '{ cron: "*/10 * * * *" }')
    run = bench.run

    def long(*given: Any, **options: Any) -> Report:
        report = run(*given, **options)
        clock.time += timedelta(minutes=35)
        return report

    monkeypatch.setattr(bench, "run", long)
    first = bench.run_due(suite)
    assert isinstance(first, Report)
    assert first.notes == (
        "too long: it was due again at 2026-03-01 21:10 UTC, before this run ended; of all that comes due during a run "
        "one run is made. Where that is every time, let it come due less often",
    )
    second = bench.run_due(suite)
    assert isinstance(second, Report)
    assert second.run.tags["due"] == (SIX + timedelta(minutes=30)).isoformat()
    assert "missed: it was due 2 times and no run was made of it: at 2026-03-01 21:10 UTC, " in second.notes[0]
    assert len(bench.ledger.runs("nightly")) == 2


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
