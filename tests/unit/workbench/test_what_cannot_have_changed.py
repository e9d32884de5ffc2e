"""A night of which the same answers and scores would come out is not run: only where that is certain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from haetae.core.run import RunStatus
from haetae.core.verdict import Verdict
from haetae.settings import load_settings
from haetae.store.tables import RUN
from haetae.workbench.bench import Workbench
from haetae.workbench.report import Report
from haetae.workbench.schedules.due import NotDue, Unchanged

SIX = datetime(2026, 3, 1, 21, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SAMPLES = 60


@dataclass
class Place:
    """A folder with a suite, whose clock is set by hand."""

    folder: Path
    time: datetime = SIX

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0

    def outputs(self, right: int) -> None:
        rows = [{"id": f"s{n}", "output": f"a{n}" if n < right else "no"} for n in range(SAMPLES)]
        (self.folder / "outputs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def write(self, target: str = "{ outputs: outputs.jsonl }", metrics: str = "{ right: exact_match }") -> Path:
        samples = [{"id": f"s{n}", "input": f"q{n}", "reference": f"a{n}"} for n in range(SAMPLES)]
        (self.folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in samples))
        path = self.folder / "suite.yaml"
        path.write_text(
            f"suite: nightly\ndataset: samples.jsonl\ntarget: {target}\nmetrics: {metrics}\n"
            "gate: { metrics: { right: { max_drop: 0.05 } } }\n"
            'schedule: { cron: "0 6 * * *", timezone: Asia/Seoul }\n'
        )
        return path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "pyproject.toml").touch()
    made = Place(tmp_path)
    made.outputs(60)
    return made


@pytest.fixture
def bench(place: Place) -> Iterator[Workbench]:
    home = {"HAETAE_HOME": str(place.folder / "home")}
    with Workbench(load_settings(home, place.folder), clock=place) as made:
        yield made


def night(bench: Workbench, place: Place) -> Report | NotDue | Unchanged:
    """What comes of the next night."""
    said = bench.run_due(place.folder / "suite.yaml")
    place.time += DAY
    return said


def test_recorded_outputs_that_are_the_same_are_scored_once(bench: Workbench, place: Place) -> None:
    place.write()
    first = night(bench, place)
    assert isinstance(first, Report)
    bench.promote(first.run.id)
    said = night(bench, place)
    assert isinstance(said, Unchanged)
    assert said.report.run == first.run
    assert said.text == (
        "nightly: unchanged since nightly.1: the same answers and scores would come out, so nothing was run; "
        "see nightly.1 (pass); due next at 2026-03-04 06:00 Asia/Seoul (2026-03-03 21:00 UTC)"
    )
    assert said.as_json() == {
        "suite": "nightly",
        "run": None,
        "why": said.why,
        "unchanged_since": "nightly.1",
        "verdict": "pass",
        "next_at": "2026-03-03T21:00:00+00:00",
    }
    place.time -= DAY
    assert isinstance(night(bench, place), NotDue)  # that time is served
    assert len(bench.ledger.runs("nightly")) == 1
    assert bench.monitor().nights == {"nightly": 1}


def test_what_was_missed_is_said_of_what_is_unchanged_too(bench: Workbench, place: Place) -> None:
    place.write()
    night(bench, place)
    place.time += 3 * DAY
    said = night(bench, place)
    assert isinstance(said, Unchanged)
    assert said.notes == (
        "missed: nothing came of what was due at 2026-03-03 06:00 Asia/Seoul (2026-03-02 21:00 UTC), 2026-03-04 06:00 "
        "Asia/Seoul (2026-03-03 21:00 UTC), 2026-03-05 06:00 Asia/Seoul (2026-03-04 21:00 UTC); nightly.1 stands for "
        "all of it",
    )


def test_outputs_that_are_others_are_scored_and_then_stand(bench: Workbench, place: Place) -> None:
    place.write()
    night(bench, place)
    place.outputs(40)
    second = night(bench, place)
    assert isinstance(second, Report)
    third = night(bench, place)
    assert isinstance(third, Unchanged)
    assert third.report.run.id == second.run.id


def test_the_verdict_is_over_the_baseline_of_now(bench: Workbench, place: Place) -> None:
    place.write()
    good = night(bench, place)
    assert isinstance(good, Report)
    place.outputs(40)
    bad = night(bench, place)
    assert isinstance(bad, Report)
    assert bad.verdict is Verdict.NO_VERDICT  # nothing is promoted
    bench.promote(good.run.id)
    worse = night(bench, place)
    assert isinstance(worse, Unchanged)
    assert (worse.report.verdict, worse.exit_code) == (Verdict.REGRESSION, 1)
    assert bench.report(bad.run.id).verdict is Verdict.REGRESSION
    bench.promote(bad.run.id, reason="it is meant to be so")
    accepted = night(bench, place)
    assert isinstance(accepted, Unchanged)
    assert (accepted.report.verdict, accepted.exit_code) == (Verdict.PASS, 0)
    comparison = bench.ledger.comparison(bad.run.id)
    assert isinstance(night(bench, place), Unchanged)
    assert bench.ledger.comparison(bad.run.id) == comparison
    assert len(bench.ledger.runs("nightly")) == 2


def test_the_baseline_itself_passes_and_keeps_what_was_said_of_it(bench: Workbench, place: Place) -> None:
    place.write()
    first = night(bench, place)
    assert isinstance(first, Report)
    assert first.verdict is Verdict.NO_VERDICT
    bench.promote(first.run.id, reason="the first")
    said = night(bench, place)
    assert isinstance(said, Unchanged)
    assert said.report.verdict is Verdict.PASS
    assert bench.report(first.run.id).verdict is Verdict.NO_VERDICT


def test_a_run_by_hand_is_never_left_out_and_stands_for_the_next_night(bench: Workbench, place: Place) -> None:
    suite = place.write()
    night(bench, place)
    by_hand = bench.run(suite)
    assert by_hand.run.id == "nightly.2"
    said = night(bench, place)
    assert isinstance(said, Unchanged)
    assert said.report.run.id == "nightly.2"


def test_a_run_that_did_not_finish_stands_for_nothing(bench: Workbench, place: Place) -> None:
    place.write()
    first = night(bench, place)
    assert isinstance(first, Report)
    stopped = RUN.update().where(RUN.c.id == first.run.id).values(status=RunStatus.STOPPED.value)
    bench.ledger._database.write("stopping", lambda connection: connection.execute(stopped))
    assert isinstance(night(bench, place), Report)


def test_a_finished_run_that_lacks_answers_stands_for_nothing(bench: Workbench, place: Place) -> None:
    place.write()
    first = night(bench, place)
    assert isinstance(first, Report)
    empty = bench.ledger.start("nightly", first.run.manifest, SAMPLES, place.time, 0, {})  # as a gate that stops early
    bench.ledger.finish(empty.id, RunStatus.FINISHED, place.time)
    assert isinstance(night(bench, place), Report)


@pytest.mark.parametrize(
    ("target", "metrics"),
    [
        ("{ outputs: outputs.jsonl }", "{ right: exact_match, slow: latency_s }"),
        ("{ outputs: outputs.jsonl }", "{ right: exact_match, own: { function: 'of_a_night:half' } }"),
        ("{ function: 'of_a_night:answer' }", "{ right: exact_match }"),
    ],
)
def test_what_may_come_out_otherwise_is_run_each_night(
    bench: Workbench, place: Place, target: str, metrics: str
) -> None:
    code = "import haetae\n\n@haetae.metric\ndef half(output):\n    return 0.5\n\ndef answer(input):\n    return 'a'\n"
    (place.folder / "of_a_night.py").write_text(code)
    place.write(target, metrics)
    assert isinstance(night(bench, place), Report)
    assert isinstance(night(bench, place), Report)
    assert len(bench.ledger.runs("nightly")) == 2


def test_a_guard_of_rules_alone_is_certain_and_one_with_a_function_is_not(bench: Workbench, place: Place) -> None:
    def guarded(*stages: str) -> Any:
        lines = "".join(f"  - {stage}\n" for stage in stages)
        (place.folder / "guard.yaml").write_text(f"stages:\n{lines}default: pass\n")
        place.write("{ guard: guard.yaml }")
        return [night(bench, place) for _ in range(2)]

    rules = "{ name: words, rules: { patterns: ['bomb'] } }"
    first, second = guarded(rules)
    assert isinstance(first, Report)
    assert isinstance(second, Unchanged)
    (place.folder / "of_a_guard.py").write_text("def score(text):\n    return 0.0\n")
    first, second = guarded(rules, "{ name: own, function: 'of_a_guard:score' }")
    assert isinstance(first, Report)
    assert isinstance(second, Report)
