"""`haetae resume`: a run knows where its suite lies, and goes on with it as it was started."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from haetae.core.run import RunStatus
from haetae.errors import ConfigError
from haetae.store.sql import open_ledger
from haetae.store.tables import COMPARISON, ESTIMATE
from haetae.workbench.resuming import lines

PROGRAM = "import sys; sys.argv[0] = 'haetae'; from haetae.cli.main import main; main()"


def _haetae(project: Any, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **project.settings.env}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=folder)


def _stopped(project: Any, server: Any, replies: Any, after: int = 10, gate: bool = False) -> str:
    """A run whose judge refused the key after a few calls."""
    before = len(server.bodies)

    def answer(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        refused = len(server.bodies) > before + after
        return (401, "{}") if refused else replies.by_model(body, headers)  # type: ignore[no-any-return]  # a pair

    server.answer = answer
    with project.bench() as bench:
        report = bench.gate(project.suite) if gate else bench.run(project.suite)
    assert report.run.status is RunStatus.STOPPED
    server.answer = replies.by_model
    return str(report.run.id)


def test_the_newest_unfinished_run_goes_on_from_any_folder(
    project: Any, server: Any, replies: Any, tmp_path: Path
) -> None:
    run_id = _stopped(project, server, replies)
    kept = len(server.asked("m"))
    said = _haetae(project, "resume", "--quiet", "--no-track", folder=tmp_path)
    assert said.returncode == 3, said.stderr  # no baseline yet: no verdict
    assert f"{run_id}  finished" in said.stdout
    assert sorted(set(server.asked("m"))) == sorted(f"q question {n}" for n in range(20))
    assert len(server.asked("m")) <= kept + 20
    with project.bench() as bench:
        assert [run.id for run in bench.ledger.runs()] == [run_id]
        assert all(account.scored == 20 for account in bench.report(run_id).accounting)


def test_of_several_runs_all_are_listed_and_the_newest_goes_on(project: Any, server: Any, replies: Any) -> None:
    first = _stopped(project, server, replies)
    project.suite.write_text(project.suite.read_text().replace("max_drop: 0.05", "max_drop: 0.04"))
    second = _stopped(project, server, replies)
    said = _haetae(project, "resume", "--quiet", "--no-track")
    assert f"  {first}  stopped, " in said.stderr
    assert f"  {second}  stopped, " in said.stderr
    assert f"going on with {second}" in said.stderr
    assert f"{second}  finished" in said.stdout
    refused = _haetae(project, "resume", "--quiet")  # the older one was started from a suite that is no more
    assert refused.returncode == 2
    assert '-        "max_drop": 0.05' in refused.stderr


def test_where_nothing_is_left_that_is_said(project: Any) -> None:
    said = _haetae(project, "resume")
    assert (said.returncode, said.stderr) == (2, "haetae: there is no run to continue: every run is finished\n")


def test_a_run_that_somebody_works_on_is_named_with_its_process(project: Any, server: Any, replies: Any) -> None:
    run_id = _stopped(project, server, replies)
    with open_ledger(project.settings.ledger) as other:
        other.resume(run_id)
        said = _haetae(project, "resume")
        assert said.returncode == 2
        assert f"{run_id}  running, " in said.stderr
        assert f"worked on by process {os.getpid()} on " in said.stderr
        named = _haetae(project, "resume", run_id)
        assert named.returncode == 3
        assert f"worked on by process {os.getpid()} on " in named.stderr


def test_a_gate_that_was_stopped_goes_on_as_a_gate(project: Any, server: Any, replies: Any) -> None:
    with project.bench() as bench:
        bench.promote(bench.run(project.suite).run.id)
        project.write_samples(40)
        (project.folder / "ask.md").write_text("again q {{ input }}")
    run_id = _stopped(project, server, replies, gate=True)
    with project.bench() as bench:
        report = bench.resume()
        assert report.run.id == run_id
        assert report.run.tags["door"] == "gate"
        assert report.comparison is not None


def test_a_run_that_left_out_bad_rows_leaves_them_out_again(project: Any, server: Any, replies: Any) -> None:
    with (project.folder / "samples.jsonl").open("a") as file:
        file.write("not json\n")
    server.answer = lambda body, headers: (401, "{}") if len(server.bodies) > 10 else replies.by_model(body, headers)
    with project.bench() as bench:
        stopped = bench.run(project.suite, skip_bad=True)
        assert stopped.run.status is RunStatus.STOPPED
        server.answer = replies.by_model
        assert bench.resume(stopped.run.id).run.status is RunStatus.FINISHED


def test_a_suite_that_went_away_and_a_run_that_never_told_it_say_how_to_go_on(
    project: Any, server: Any, replies: Any
) -> None:
    run_id = _stopped(project, server, replies)
    project.suite.rename(project.folder / "renamed.yaml")
    with project.bench() as bench:
        with pytest.raises(ConfigError, match=rf"{project.suite} .* is not there; .* SUITE --resume {run_id}"):
            bench.resume()
        bench.ledger._database.write("ageing", lambda c: c.exec_driver_sql("UPDATE run SET tags = '{}'"))
        with pytest.raises(ConfigError, match=rf"does not know which suite .* haetae run SUITE --resume {run_id}"):
            bench.resume()
        assert bench.run(project.folder / "renamed.yaml", resume=run_id).run.status is RunStatus.FINISHED


def test_a_project_that_moves_with_its_ledger_goes_on(project: Any, server: Any, replies: Any) -> None:
    run_id = _stopped(project, server, replies)
    (elsewhere := project.folder.with_name("elsewhere")).mkdir()
    moved = project.folder.rename(elsewhere / project.folder.name)
    env = {**project.settings.env, "HAETAE_HOME": str(moved / "home")}
    command = [sys.executable, "-c", PROGRAM, "resume", run_id, "--quiet", "--no-track"]
    said = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert f"{run_id}  finished" in said.stdout, said.stderr


def test_a_run_that_died_after_its_last_answer_is_concluded(project: Any, server: Any) -> None:
    with project.bench() as bench:
        whole = bench.run(project.suite, track=False)
        calls = len(server.bodies)
        for lost in (COMPARISON, ESTIMATE):  # what is written after the run has ended
            bench.ledger._database.write("losing", lambda c, table=lost: c.execute(table.delete()))
            again = bench.resume(whole.run.id, track=False)
            assert [e.as_json() for e in again.estimates] == [e.as_json() for e in whole.estimates]
            assert again.comparison is not None
    assert len(server.bodies) == calls


def test_a_long_list_ends_with_how_many_more_there_are(project: Any, server: Any) -> None:
    with project.bench() as bench:
        run = bench.run(project.suite, track=False).run
        for number in range(13):
            at = run.started_at + timedelta(minutes=number + 1)
            started = bench.ledger.start("other", run.manifest, 9, at, 0, {})
            bench.ledger.finish(started.id, RunStatus.STOPPED, at)
        listed = lines(bench.ledger.unfinished_runs())
    assert listed[0] == "  other.13  stopped, 0 of 9 answered"
    assert listed[-1] == "  and 3 older"
    assert len(listed) == 11


def test_a_fresh_run_that_died_over_its_report_is_reported_by_the_same_command(project: Any, server: Any) -> None:
    with project.bench() as bench:
        whole = bench.run(project.suite, fresh=True, track=False)
        calls = len(server.bodies)
        for resume in (False, True):
            bench.ledger._database.write("losing", lambda c: c.execute(ESTIMATE.delete()))
            again = bench.resume(track=False) if resume else bench.run(project.suite, fresh=True, track=False)
            assert again.run.id == whole.run.id
            assert again.estimates == whole.estimates
        assert len(server.bodies) == calls
        assert bench.run(project.suite, fresh=True, track=False).run.id != whole.run.id
    assert len(server.bodies) == 2 * calls


def test_a_run_that_is_finished_and_reported_is_shown_and_not_continued(project: Any) -> None:
    with project.bench() as bench:
        run_id = bench.run(project.suite, track=False).run.id
    said = _haetae(project, "resume", run_id)
    assert (said.returncode, said.stderr) == (2, f"haetae: {run_id} is finished; haetae show {run_id} shows it\n")


def test_a_project_whose_folder_was_renamed_goes_on(project: Any, server: Any, replies: Any) -> None:
    run_id = _stopped(project, server, replies)
    moved = project.folder.rename(project.folder.with_name("renamed"))
    env = {**project.settings.env, "HAETAE_HOME": str(moved / "home")}
    command = [sys.executable, "-c", PROGRAM, "resume", run_id, "--quiet", "--no-track"]
    said = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert f"{run_id}  finished" in said.stdout, said.stderr


@pytest.mark.parametrize("status", [400, 500])
def test_every_request_that_was_sent_is_spent_and_the_budget_is_for_all_of_them(
    project: Any, server: Any, replies: Any, status: int
) -> None:
    """A judge that takes no form of the question, or fails: its requests count, also over several continuations."""
    text = project.suite.read_text().replace("tries: 2", "tries: 1")
    project.suite.write_text(text + "budget: { calls: 70 }\n")

    def answer(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        return replies.by_model(body, headers) if body["model"] == "m" else (status, "{}")  # type: ignore[no-any-return]

    server.answer = answer
    with project.bench() as bench:
        for _ in range(4):
            report = bench.run(project.suite, track=False)
            assert report.spent.calls == len(server.bodies)
            if report.run.status is RunStatus.FINISHED:
                break
        else:
            assert "budget.calls: 70 is reached" in (report.run.note or "")
