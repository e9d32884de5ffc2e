"""A run in shards through the workbench: opened, worked on, concluded once, and told like any other run."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from haetae.core.run import RunStatus
from haetae.core.sample import Sample
from haetae.engine.watch import Progress
from haetae.errors import ConfigError
from haetae.settings import Settings, load_settings
from haetae.workbench.bench import Workbench
from haetae.workbench.sharing.stretches import Stretches

SUITE = """\
suite: bot
dataset: samples.jsonl
target: {{ function: "answering:answer" }}
metrics: {{ exact: exact_match }}
{more}"""
SAMPLES = 30
ANSWERING = "def answer(input):\n    return input.replace('question', 'answer')\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "pyproject.toml").touch()
    rows = ({"id": f"s{n}", "input": f"question {n}", "reference": f"answer {n % 20}"} for n in range(SAMPLES))
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "suite.yaml").write_text(SUITE.format(more=""))
    (tmp_path / "answering.py").write_text(ANSWERING)
    return load_settings({"HAETAE_HOME": str(tmp_path / "home")}, tmp_path)


@pytest.fixture
def bench(settings: Settings) -> Any:
    with Workbench(settings) as made:
        yield made


@pytest.fixture
def suite(settings: Settings) -> Path:
    return settings.home.parent / "suite.yaml"


def test_stretches_are_read_in_one_pass_and_again_from_the_start_where_they_do_not_come_in_order() -> None:
    passes = 0

    class Counted:
        def __iter__(self) -> Any:
            nonlocal passes
            passes += 1
            return iter([Sample(str(n), "x") for n in range(10)])

    stretches = Stretches(Counted())
    ids = [[sample.id for sample in stretches.of(places)] for places in (range(2), range(4, 6), range(6, 10))]
    assert ids == [["0", "1"], ["4", "5"], ["6", "7", "8", "9"]]
    assert passes == 1
    assert [sample.id for sample in stretches.of(range(2, 4))] == ["2", "3"]
    assert next(stretches.of(range(4, 6))).id == "4"  # and is left in the middle
    assert [sample.id for sample in stretches.of(range(4, 6))] == ["4", "5"]


def test_it_is_worked_on_concluded_once_and_reported_like_the_run_of_one_process(bench: Workbench, suite: Path) -> None:
    alone = bench.run(suite, fresh=True)
    run = bench.share(suite, shards=4, fresh=True)
    with pytest.raises(ConfigError, match=rf"{run.id}: 4 of 4 shards have not ended; 4 wait for somebody: haetae work"):
        bench.conclude(run.id)
    worked = bench.work()
    assert worked.text == f"{run.id}: 4 shards done here, 30 samples"
    assert worked.as_json() == {"run": run.id, "shards": [1, 2, 3, 4], "why": None}
    assert bench.ledger.run(run.id).status is RunStatus.RUNNING
    report = bench.conclude(run.id)
    assert report.run.status is RunStatus.FINISHED
    assert [one.as_json() for one in report.estimates] == [one.as_json() for one in alone.estimates]
    assert report.spent == alone.spent
    assert report.run.unkept == alone.run.unkept
    again = bench.conclude(run.id)
    assert [one.as_json() for one in again.estimates] == [one.as_json() for one in alone.estimates]
    with pytest.raises(ConfigError, match="there is no shared run to work on"):
        bench.work()
    with pytest.raises(ConfigError, match=rf"{alone.run.id} is not shared among processes"):
        bench.work(alone.run.id)


def test_who_leads_it_does_what_nobody_else_does(bench: Workbench, suite: Path) -> None:
    told: list[Progress] = []
    run = bench.share(suite, shards=3)
    report = bench.resume(run.id, watcher=told.append)
    assert (report.run.id, report.run.status) == (run.id, RunStatus.FINISHED)
    assert told[-1].done == SAMPLES
    assert max(progress.done for progress in told) == SAMPLES


RACY, MENDED = ("3.40.1", (3, 40, 1)), ("3.51.3", (3, 51, 3))


@pytest.mark.parametrize(("version", "warns"), [(RACY, True), (MENDED, False)])
def test_whoever_works_on_it_hears_once_that_this_sqlite_can_damage_its_ledger(
    bench: Workbench,
    suite: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    version: tuple[str, tuple[int, ...]],
    warns: bool,
) -> None:  # STO-05
    monkeypatch.setattr(sqlite3, "sqlite_version", version[0])
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version[1])
    bench.run(suite)
    assert caplog.messages == []
    for work in (bench.work, bench.resume):
        caplog.clear()
        work(bench.share(suite, shards=3, fresh=True).id)
        told = [message for message in caplog.messages if "WAL-reset race" in message]
        assert len(told) == warns
        assert all("SQLite 3.40.1" in one and "Postgres" in one and "take a newer SQLite" in one for one in told)


@pytest.mark.parametrize("leads", [False, True])
def test_who_slept_while_another_ended_its_shard_ends_nothing(
    bench: Workbench, suite: Path, settings: Settings, leads: bool
) -> None:
    suite.write_text(SUITE.format(more="limits: { in_flight: 1 }\n"))
    run = bench.share(suite, shards=3)
    others: list[Any] = []

    def asleep(progress: Progress) -> None:
        if not others and progress.done:
            long_ago = (
                "UPDATE shard SET owner_host = 'far away', lease_until = '2026-01-01 00:00:00' WHERE ended_at IS NULL"
            )
            with closing(sqlite3.connect(settings.home / "ledger.db")) as beside, beside:
                beside.execute(f"{long_ago} AND owner_token IS NOT NULL")

            def meanwhile() -> None:
                with Workbench(settings) as other:
                    others.append(other.work(run.id))

            working = threading.Thread(target=meanwhile)
            working.start()
            working.join()

    if leads:
        report = bench.resume(run.id, watcher=asleep)
    else:
        bench.work(run.id, watcher=asleep)
        report = bench.conclude(run.id)
    assert others[0].as_json()["shards"] == [1, 2, 3]
    assert (report.run.status, report.run.note) == (RunStatus.FINISHED, None)
    assert bench.ledger.done_count(run.id, ["exact"]) == (SAMPLES, SAMPLES)


def test_the_same_command_goes_on_with_it_and_another_kind_of_run_does_not(bench: Workbench, suite: Path) -> None:
    run = bench.share(suite, shards=3)
    assert bench.share(suite, shards=9).id == run.id
    assert bench.run(suite).run.id != run.id
    with pytest.raises(ConfigError, match=rf"go on with it by haetae resume {run.id}"):
        bench.run(suite, resume=run.id)


def test_files_that_differ_on_this_machine_are_refused(bench: Workbench, suite: Path, tmp_path: Path) -> None:
    run = bench.share(suite, shards=3)
    (tmp_path / "samples.jsonl").write_text('{"id": "s", "input": "another", "reference": "x"}\n')
    with pytest.raises(ConfigError, match=rf"{run.id} cannot be continued, this has changed since it started"):
        bench.work(run.id)
    assert all(shard.is_free for shard in bench.ledger.shards(run.id))


def test_a_suite_that_lies_elsewhere_here_is_named(bench: Workbench, suite: Path, tmp_path: Path) -> None:
    run = bench.share(suite, shards=3)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("suite.yaml", "samples.jsonl", "answering.py", "pyproject.toml"):
        (tmp_path / name).rename(elsewhere / name)
    with pytest.raises(ConfigError, match=rf"which is not there; name it: haetae work {run.id} --suite FILE"):
        bench.work(run.id)
    bench.work(run.id, suite=elsewhere / "suite.yaml")
    assert bench.ledger.open_to_work() == []


def test_one_who_is_interrupted_gives_its_shard_back_and_the_run_goes_on(
    bench: Workbench, suite: Path, tmp_path: Path, settings: Settings
) -> None:
    slow = "import time\ndef answer(input):\n    time.sleep(0.05)\n    return input.replace('question', 'answer')\n"
    (tmp_path / "answering.py").write_text(slow)
    run = bench.share(suite, shards=2)
    interrupted = threading.Event()

    def interrupt(progress: Progress) -> None:
        if progress.done and not interrupted.is_set():
            interrupted.set()
            os.kill(os.getpid(), signal.SIGINT)

    worked = bench.work(run.id, watcher=interrupt)
    assert worked.why is not None
    assert worked.why.startswith("interrupted; ")
    assert not worked.failed
    assert any(shard.is_free for shard in bench.ledger.shards(run.id))
    assert bench.ledger.run(run.id).status is RunStatus.RUNNING
    with Workbench(settings) as other:
        assert other.resume(run.id).run.status is RunStatus.FINISHED


def test_one_who_leads_and_is_interrupted_ends_the_run_until_it_is_gone_on_with(
    bench: Workbench, suite: Path, tmp_path: Path
) -> None:
    slow = "import time\ndef answer(input):\n    time.sleep(0.05)\n    return input.replace('question', 'answer')\n"
    (tmp_path / "answering.py").write_text(slow)
    run = bench.share(suite, shards=2)
    interrupted = threading.Event()

    def interrupt(progress: Progress) -> None:
        if progress.done and not interrupted.is_set():
            interrupted.set()
            os.kill(os.getpid(), signal.SIGINT)

    report = bench.resume(run.id, watcher=interrupt)
    assert report.run.status is RunStatus.INTERRUPTED
    assert f"haetae resume {run.id}" in (report.run.note or "")
    assert bench.work(run.id).why is not None  # whoever helped stops as well
    assert bench.resume(run.id).run.status is RunStatus.FINISHED


def test_code_that_cannot_be_called_ends_the_run_for_all_who_work_on_it(
    bench: Workbench, suite: Path, failing: Callable[[], None]
) -> None:
    run = bench.share(suite, shards=3)
    failing()
    worked = bench.work(run.id)
    assert worked.failed
    stopped = bench.ledger.run(run.id)
    assert stopped.status is RunStatus.STOPPED
    assert "the key is wrong" in (stopped.note or "")
    assert f"haetae resume {run.id}" in (stopped.note or "")
    assert all(shard.is_free for shard in bench.ledger.shards(run.id))
    refused = bench.work(run.id)
    assert refused.shards == []
    assert "the key is wrong" in (refused.why or "")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called on no call of the target can succeed."""
    from haetae.errors import TargetError
    from haetae.targets.function import FunctionTarget

    async def refuse(*_: Any) -> Any:
        raise TargetError("the key is wrong")

    return lambda: monkeypatch.setattr(FunctionTarget, "generate", refuse)


def test_together_they_stop_where_the_budget_ends(bench: Workbench, suite: Path) -> None:
    suite.write_text(SUITE.format(more="budget: { calls: 20 }\n"))
    run = bench.share(suite, shards=5)
    report = bench.resume(run.id)
    assert report.run.status is RunStatus.STOPPED
    assert (report.run.note or "").startswith("the budget of 20 calls is used up")
    assert report.spent.calls == 20
    suite.write_text(SUITE.format(more="budget: { calls: 30 }\n"))
    done = bench.resume(run.id)
    assert (done.run.status, done.spent.calls) == (RunStatus.FINISHED, 30)
