"""What fails between the start of a run and its end, and what a continued run does about it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from haetae.core.run import RunStatus
from haetae.core.verdict import Verdict
from haetae.errors import ConfigError, StoreError


def _down(body: dict[str, Any], headers: dict[str, str], replies: Any) -> tuple[int, str]:
    return (401, "{}") if body["model"] == "judge" else replies.by_model(body, headers)


def test_a_judge_that_is_down_costs_no_second_answer(project: Any, server: Any, replies: Any) -> None:  # JDG-06
    server.answer = lambda body, headers: _down(body, headers, replies)
    with project.bench() as bench:
        report = bench.run(project.suite)
        assert report.run.status is RunStatus.STOPPED
        assert report.exit_code == 3
        assert "HTTP 401" in (report.run.note or "")
        assert "JudgeError" not in report.text
        assert f"haetae resume {report.run.id}" in report.text
        kept = len(bench.ledger.done(report.run.id))
        assert kept > 0
    answered = server.asked("m")
    server.answer = replies.by_model
    with project.bench() as bench:
        again = bench.run(project.suite)
        assert again.run.id == report.run.id
        assert again.run.status is RunStatus.FINISHED
        assert all(account.scored == 20 for account in again.accounting)
    assert sorted(server.asked("m")) == sorted({*answered, *server.asked("m")})  # each question once
    assert len(server.asked("m")) == 20


def test_a_judge_that_fails_for_a_while_is_asked_again_only_where_a_run_goes_on(
    project: Any, server: Any, replies: Any
) -> None:
    def busy(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        return (503, "{}") if body["model"] == "judge" else replies.by_model(body, headers)

    project.suite.write_text(project.suite.read_text().replace("tries: 2", "tries: 1"))
    server.answer = busy
    with project.bench() as bench:
        report = bench.run(project.suite)
        assert report.run.status is RunStatus.FINISHED
        polite = next(account for account in report.accounting if account.metric == "polite")
        assert (polite.scored, dict(polite.unscored)) == (0, {"judge_failed": 20})
        assert next(e for e in report.estimates if e.metric == "polite").value is None
        with pytest.raises(ConfigError, match=r"polite: no sample is scored \(judge_failed 20\)"):
            bench.promote(report.run.id)
        bench.ledger.promote("bot", "production", report.run.id, report.run.started_at)  # as an older version would
        server.answer = replies.by_model
        better = bench.run(project.suite)
        assert better.verdict is Verdict.NO_VERDICT  # the baseline has no polite score
        assert better.exit_code == 3
    assert len(server.asked("m")) == 20  # answers were reused


@pytest.mark.parametrize("said", ["I'm sorry, but I can't rate this.", "", "score: 9"])
def test_a_refusal_or_an_unreadable_verdict_is_never_taken_again(
    said: str, project: Any, server: Any, replies: Any
) -> None:  # JDG-18
    def no_verdict(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        judged = body["model"] == "judge"
        return replies.completed(said) if judged else replies.by_model(body, headers)  # type: ignore[no-any-return]

    server.answer = no_verdict
    with project.bench() as bench:
        first = bench.run(project.suite)
        assert next(account for account in first.accounting if account.metric == "polite").scored == 0
        server.answer, asked = replies.by_model, len(server.asked("judge"))
        second = bench.run(project.suite)
    assert next(account for account in second.accounting if account.metric == "polite").scored == 20
    assert len(server.asked("judge")) == asked + 20
    assert len(server.asked("m")) == 20  # answers were taken again


def test_an_alias_that_moves_during_a_run_does_not_move_the_run(
    project: Any, server: Any, replies: Any
) -> None:  # REG-09
    (project.folder / "other.md").write_text("other {{ input }}")

    def move_at_5(count: int) -> None:
        if count == 5:
            with project.bench() as other:
                other.register("prompt", project.folder / "other.md", "ask")
                other.alias("prompt", "ask@2", "production")

    server.noticed = move_at_5
    with project.bench() as bench:
        report = bench.run(project.suite)
        assert report.run.manifest.references["ask@production"] == "ask@1"
        assert all(question.startswith("q ") for question in server.asked("m"))
        server.noticed = lambda count: None
        later = bench.run(project.suite)
        assert later.run.manifest.references["ask@production"] == "ask@2"
    assert sum(question.startswith("other ") for question in server.asked("m")) == 20


def _interrupted(project: Any, server: Any, replies: Any) -> str:
    server.answer = lambda body, headers: (401, "{}") if len(server.bodies) > 10 else replies.by_model(body, headers)
    with project.bench() as bench:
        report = bench.run(project.suite)
        assert report.run.status is RunStatus.STOPPED
    server.answer = replies.by_model
    return str(report.run.id)


def test_a_suite_that_was_edited_is_not_the_run_to_continue(project: Any, server: Any, replies: Any) -> None:  # CFG-16
    run_id = _interrupted(project, server, replies)
    before = len(server.bodies)
    project.suite.write_text(project.suite.read_text().replace("max_drop: 0.05", "max_drop: 0.04"))
    with project.bench() as bench:
        with pytest.raises(ConfigError) as caught:
            bench.run(project.suite, resume=run_id)
        assert bench.ledger.run(run_id).manifest.suite["gate"]["metrics"]["chrf"]["max_drop"] == 0.05
    said = str(caught.value)
    assert '-        "max_drop": 0.05' in said
    assert '+        "max_drop": 0.04' in said
    assert len(server.bodies) == before


def test_what_changed_is_told_by_the_name_of_its_file_and_without_what_may_change(
    project: Any, server: Any, replies: Any
) -> None:
    run_id = _interrupted(project, server, replies)
    rubric = project.folder / "polite.md"
    rubric.write_text(f"{rubric.read_text()}\nBe strict.\n")
    project.suite.write_text(f"{project.suite.read_text()}budget: {{ calls: 9000 }}\n")
    with project.bench() as bench, pytest.raises(ConfigError) as caught:
        bench.run(project.suite, resume=run_id)
    assert str(caught.value).splitlines() == [
        f"{run_id} cannot be continued, this has changed since it started:",
        "  metrics.polite: polite.md has changed",
        f"`haetae run {project.suite.name}` starts a new one; it takes the answers that are there.",
    ]


def test_a_dataset_that_changed_is_named_with_both_hashes_and_counts(project: Any, server: Any, replies: Any) -> None:
    run_id = _interrupted(project, server, replies)  # DAT-12
    with project.bench() as bench:
        old = bench.ledger.run(run_id).manifest.dataset["version"]
    project.write_samples(21)
    with project.bench() as bench, pytest.raises(ConfigError) as caught:
        bench.run(project.suite, resume=run_id)
    said = str(caught.value)
    assert f"dataset.version: {old} → sha256:" in said
    assert "dataset.count: 20 → 21" in said


def test_continuing_what_is_finished_calls_nobody_and_says_the_same(project: Any, server: Any) -> None:  # STO-15
    with project.bench() as bench:
        first = bench.run(project.suite)
        calls = len(server.bodies)
        again = bench.run(project.suite, resume=first.run.id)
        assert len(server.bodies) == calls
        assert [e.as_json() for e in again.estimates] == [e.as_json() for e in first.estimates]
        assert again.run.status is RunStatus.FINISHED
        with pytest.raises(StoreError, match="there is no run"):
            bench.run(project.suite, resume="bot.99")


def test_a_budget_stops_the_run_and_counts_what_was_spent_before(project: Any, server: Any) -> None:  # END-14
    project.suite.write_text(project.suite.read_text() + "budget: { calls: 15 }\n")
    with project.bench() as bench:
        report = bench.run(project.suite)
        assert report.run.status is RunStatus.STOPPED
        assert (
            "the budget of 15 calls is used up (15 spent, the next call could exceed it). Raise budget.calls in "
            in (report.run.note or "")
        )
        assert len(server.bodies) == 15
        again = bench.run(project.suite)
        assert again.run.id == report.run.id
        assert again.run.status is RunStatus.STOPPED
        assert len(server.bodies) <= 16  # what was never committed may be asked again, once


def test_a_budget_of_money_needs_a_price(project: Any, server: Any) -> None:
    project.suite.write_text(project.suite.read_text() + "budget: { usd: 1.5 }\n")
    with project.bench() as bench, pytest.raises(ConfigError, match=r"budget\.usd: model grader has no price"):
        bench.run(project.suite)
    assert server.bodies == []


def test_a_run_works_where_a_loop_is_running_already(project: Any, server: Any) -> None:  # END-19
    async def notebook() -> Any:
        with project.bench() as bench:
            return bench.run(project.suite)

    assert asyncio.run(notebook()).run.status is RunStatus.FINISHED


def test_a_rubric_that_asks_for_what_a_sample_lacks_costs_that_sample_only(project: Any, server: Any) -> None:
    (project.folder / "polite.md").write_text("{{ metadata.topic }} {{ output }}")
    rows = [json.loads(line) for line in (project.folder / "samples.jsonl").read_text().splitlines()]
    for row in rows[1:]:
        row["metadata"] = {"topic": "t"}
    (project.folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with project.bench() as bench:
        report = bench.run(project.suite)
    polite = next(account for account in report.accounting if account.metric == "polite")
    assert report.run.status is RunStatus.FINISHED
    assert (polite.scored, dict(polite.unscored)) == (19, {"metric_raised": 1})


@pytest.mark.parametrize("key", ["canary-key\n", "열쇠-canary-key"])
def test_a_key_that_no_header_can_carry_is_named_and_not_repeated(key: str, project: Any, server: Any) -> None:
    project.settings.env["MODEL_KEY"] = key
    with project.bench() as bench, pytest.raises(ConfigError, match="variable MODEL_KEY holds") as caught:
        bench.run(project.suite)
    assert "canary" not in str(caught.value)
    assert server.bodies == []
