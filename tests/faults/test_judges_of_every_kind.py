"""Every kind of judge in one suite against a model server: what it scores, and what its faults cost."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any

import pytest

from haetae.core.run import RunStatus
from haetae.core.verdict import Verdict
from haetae.errors import ConfigError

SUITE = """\
suite: kinds
dataset: samples.jsonl
target: { model: llm, prompt: ask@production }
judge: grader
metrics:
  tone: { judge: tone.md, scale: { good: 1, bad: 0 } }
  steady: { judge: helpfulness.ko, samples: 3, steps: true }
  right: judge/correctness.en
  wise: { g_eval: "The answer is right and complete.", shown: [input, reference] }
  better: { pairwise: preference.en }
  newer: { pairwise: preference.ko, against: old.jsonl }
  best: { best_of: preference.en, against: [old.jsonl, older.jsonl] }
  panel: { jury: politeness.ko, models: [grader, second, third], vote: majority, steps: true }
gate:
  sequential: false
  metrics:
    better: { max_drop: 0.05 }
    panel: { max_drop: 0.05 }
limits: { in_flight: 8, timeout_s: 5, tries: 1 }
"""
KINDS = ["tone", "steady", "right", "wise", "better", "newer", "best", "panel"]
SAMPLES = 12

Reply = tuple[int, str]


def _chat(content: str, model: str = "judge-2026", **choice: Any) -> Reply:
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    said = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop", **choice}
    return 200, json.dumps({"choices": [said], "usage": usage, "model": model})


def _answers(prompt: str) -> dict[str, str]:
    """The answers of a contest by their labels."""
    return dict(re.findall(r"<answer-([A-H])-[0-9a-f]{16}>\n(.*?)\n</answer", prompt, re.DOTALL))


def judging(body: dict[str, Any], headers: dict[str, str]) -> Reply:
    """The model answers; the judge likes long answers, and weighs its scores 4 and 5 as 0.6 and 0.3."""
    prompt = body["messages"][-1]["content"]
    if body["model"] == "m":
        return _chat(f"a good answer to {prompt}", model="m-2026")
    if "response_format" not in body:
        told = [{"token": text, "logprob": math.log(share)} for text, share in (("4", 0.6), (" 5", 0.3), ("It", 0.1))]
        logprobs = {"content": [{"token": "4", "logprob": math.log(0.6), "top_logprobs": told}]}
        return _chat("4", finish_reason="length", logprobs=logprobs)
    form = body["response_format"]["json_schema"]
    if form["name"] == "steps":
        return _chat(json.dumps({"steps": ["Compare with the reference.", "Look for gaps."]}))
    if form["name"] == "choice":
        answers = _answers(prompt)
        best = max(answers, key=lambda label: (len(answers[label]), answers[label]))
        return _chat(json.dumps({"reasoning": "the longest", "best": best}))
    if "label" in form["schema"]["properties"]:
        return _chat(json.dumps({"reasoning": "좋다", "label": "good"}))
    score = {"judge-b": 3, "judge-c": 5}.get(body["model"], 4)
    return _chat(json.dumps({"reasoning": "fine", "score": score}))


@pytest.fixture
def kinds(project: Any, server: Any) -> Any:
    """A project whose suite has a metric of each kind; the old system answers at length every third time."""
    server.answer = judging
    project.write_samples(SAMPLES)
    project.suite.write_text(SUITE)
    (project.folder / "tone.md").write_text("말씨가 좋은가? {{ output }}")
    for name, words in (("old", 40), ("older", 0)):
        rows = [{"id": f"s{n:03}", "output": "old " + "word " * (words * (n % 3 == 0))} for n in range(SAMPLES)]
        (project.folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with project.bench() as bench:
        for name, model in (("second", "judge-b"), ("third", "judge-c")):
            file = project.folder / f"{name}.yaml"
            file.write_text((project.folder / "grader.yaml").read_text().replace("model: judge", f"model: {model}"))
            bench.register("model", file)
    return project


def _only(metrics: str) -> str:
    """The suite with these metrics alone."""
    return re.sub(r"metrics:\n(  .*\n)+gate:\n(.*\n)+limits", f"metrics:\n{metrics}limits", SUITE)


def _account(report: Any, metric: str) -> tuple[int, dict[str, int]]:
    account = next(account for account in report.accounting if account.metric == metric)
    return account.scored, dict(account.unscored)


def _values(report: Any) -> dict[str, float]:
    return {estimate.metric: estimate.value for estimate in report.estimates if not estimate.slice}


def test_every_kind_scores_what_its_judge_says(kinds: Any, server: Any) -> None:
    with kinds.bench() as bench:
        report = bench.run(kinds.suite)
        assert report.run.status is RunStatus.FINISHED
        assert {metric: _account(report, metric) for metric in KINDS} == dict.fromkeys(KINDS, (SAMPLES, {}))
        assert _values(report) == pytest.approx(
            {
                "tone": 1.0,
                "steady": 4.0,
                "right": 4.0,
                "wise": (4 * 0.6 + 5 * 0.3) / 0.9,
                "better": 1.0,
                "newer": 8 / 12,  # four of the old answers are longer
                "best": 8 / 12,
                "panel": 3.0,  # 4, 3 and 5 have one vote each: the lowest counts
            },
            abs=1e-12,
        )
        found = bench.judges(report.run.id)
    calls = {judge.metric: judge.calls for judge in found.judges}
    of_each = {"tone": 1, "steady": 3, "right": 1, "wise": 1, "better": 2, "newer": 2, "best": 3, "panel": 3}
    expected = {metric: number * SAMPLES for metric, number in of_each.items()}
    assert calls == {**expected, "wise": SAMPLES + 1}  # its steps were written once
    assert len(server.bodies) == SAMPLES + sum(calls.values())
    by_name = {judge.metric: judge for judge in found.judges}
    assert by_name["panel"].jury.members[1].mean == 3.0
    assert [juror.model.split(" ")[1] for juror in by_name["panel"].jury.members] == ["grader@1", "second@1", "third@1"]
    assert by_name["panel"].models == ("judge-2026, judge-2026, judge-2026",)
    assert (by_name["better"].places.disagreeing, by_name["better"].places.first) == (0.0, 0.5)
    assert by_name["best"].places.fair == pytest.approx(1 / 3)
    assert (by_name["wise"].weighing.weighted, by_name["wise"].weighing.sampled) == (SAMPLES, 0)
    assert by_name["steady"].repeated.differing == 0.0
    assert "1. Compare with the reference." in found.text


def test_what_is_judged_once_is_not_judged_again(kinds: Any, server: Any) -> None:
    with kinds.bench() as bench:
        first = bench.run(kinds.suite)
        calls = len(server.bodies)
        kinds.suite.write_text(SUITE.replace("max_drop: 0.05", "max_drop: 0.04"))
        again = bench.run(kinds.suite)
        assert again.run.id != first.run.id
        assert _values(again) == _values(first)
        assert all(judge.reused == SAMPLES for judge in bench.judges(again.run.id).judges)
    assert len(server.bodies) == calls


@pytest.mark.parametrize("kind", ["steady", "wise", "newer", "best", "panel"])
def test_a_judge_that_is_down_for_a_whole_stage_costs_no_answer(kinds: Any, server: Any, kind: str) -> None:
    """Its run goes on where it was, and asks the candidate nothing again."""  # JDG-06, JDG-18
    line = next(line for line in SUITE.splitlines() if line.startswith(f"  {kind}:"))
    kinds.suite.write_text(_only(f"{line}\n"))
    server.answer = lambda body, headers: judging(body, headers) if body["model"] == "m" else (503, "{}")
    with kinds.bench() as bench:
        report = bench.run(kinds.suite)
        scored, unscored = _account(report, kind)
        assert (scored, set(unscored)) <= (0, {"judge_failed"})
        server.answer = judging
        kinds.suite.write_text(kinds.suite.read_text() + "slices: [topic]\n")
        better = bench.run(kinds.suite)
        assert _account(better, kind) == (SAMPLES, {})
        assert bench.judges(better.run.id).judges[0].reused == 0  # no failure was kept as a score
    assert len(server.asked("m")) == SAMPLES


def test_a_refusal_is_asked_about_again_by_the_next_run(kinds: Any, server: Any) -> None:  # JDG-05, JDG-18
    def refusing(body: dict[str, Any], headers: dict[str, str]) -> Reply:
        contest = body.get("response_format", {}).get("json_schema", {}).get("name") == "choice"
        return _chat("I'm sorry, I can't compare these.") if contest else judging(body, headers)

    server.answer = refusing
    with kinds.bench() as bench:
        report = bench.run(kinds.suite)
        for metric in ("better", "newer", "best"):
            assert _account(report, metric) == (0, {"judge_refusal": SAMPLES})
        assert "better: " in bench.judges(report.run.id).text
        assert f"judge_refusal {SAMPLES} (100.0%)" in bench.judges(report.run.id).text
        server.answer = judging
        kinds.suite.write_text(SUITE.replace("max_drop: 0.05", "max_drop: 0.04"))
        again = bench.run(kinds.suite)
        assert _account(again, "better") == (SAMPLES, {})


def test_more_than_a_twentieth_of_failures_gives_no_verdict(kinds: Any, server: Any) -> None:  # JDG-16
    with kinds.bench() as bench:
        first = bench.run(kinds.suite)
        bench.promote(first.run.id)

        def failing(body: dict[str, Any], headers: dict[str, str]) -> Reply:
            chat = "\n".join(message["content"] for message in body["messages"])
            broken = "response_format" in body and "question 3\n" in chat
            return _chat("no JSON here") if broken else judging(body, headers)

        server.answer = failing
        report = bench.run(kinds.suite, fresh=True)
        assert _account(report, "better") == (SAMPLES - 1, {"judge_parse_failure": 1})
        assert (report.verdict, report.exit_code) == (Verdict.NO_VERDICT, 3)
        assert "the judge failed on 1 of 12" in report.comparison.reason
        assert "the judge failed on 1 of 12" in bench.judges(report.run.id).text


def test_an_edited_rubric_is_judged_anew_and_compared_with_nothing_older(kinds: Any, server: Any) -> None:  # JDG-10
    rubric = kinds.folder / "mine.md"
    rubric.write_text("Which is better? {{ answers }}")
    kinds.suite.write_text(SUITE.replace("{ pairwise: preference.en }", "{ pairwise: mine.md }"))
    with kinds.bench() as bench:
        bench.promote(bench.run(kinds.suite).run.id)
        rubric.write_text("Which is better, all in all? {{ answers }}")
        calls = len(server.asked("judge"))
        report = bench.run(kinds.suite)
    assert len(server.asked("judge")) == calls + 2 * SAMPLES
    assert report.verdict is Verdict.NO_VERDICT
    assert "The runs differ in judge: metrics.better.signature.prompt" in report.comparison.reason


def test_another_answer_of_the_other_system_is_judged_anew(kinds: Any, server: Any) -> None:  # JDG-17
    with kinds.bench() as bench:
        bench.run(kinds.suite)
        calls = len(server.asked("judge"))
        old = kinds.folder / "old.jsonl"
        old.write_text(old.read_text().replace('"old "', '"old and edited "'))
        bench.run(kinds.suite)
    assert len(server.asked("judge")) == calls + 5 * SAMPLES  # newer and best


def test_metrics_that_share_a_rubric_and_differ_in_a_parameter_are_both_asked(kinds: Any, server: Any) -> None:
    two = "  one: { judge: tone.md, scale: [1, 5] }\n  two: { judge: tone.md, scale: [1, 5], temperature: 0.5 }\n"
    kinds.suite.write_text(_only(two))  # JDG-17
    with kinds.bench() as bench:
        bench.run(kinds.suite)
    assert [body["temperature"] for body in server.bodies if body["model"] == "judge"].count(0.5) == SAMPLES
    assert len(server.asked("judge")) == 2 * SAMPLES


def test_a_judge_behind_the_same_name_that_is_another_is_seen(kinds: Any, server: Any) -> None:  # JDG-11
    with kinds.bench() as bench:
        bench.promote(bench.run(kinds.suite).run.id)

        def renamed(body: dict[str, Any], headers: dict[str, str]) -> Reply:
            status, text = judging(body, headers)
            return status, text.replace("judge-2026", "judge-2027") if body["model"] == "judge" else text

        server.answer = renamed
        report = bench.run(kinds.suite, fresh=True)
        assert report.verdict is Verdict.NO_VERDICT
        assert "metrics.better.reported_model: judge-2026 → judge-2027" in report.comparison.reason
        said = bench.judges(report.run.id, "better").text
        assert "the judge called itself judge-2026 in kinds.1 and judge-2027 now" in said
        assert bench.ledger.reported_models(report.run.id)["panel"] == {"judge-2027, judge-2026, judge-2026"}


def test_a_model_that_calls_itself_otherwise_in_the_middle_of_a_run_is_told(kinds: Any, server: Any) -> None:  # END-13
    def answering(body: dict[str, Any], headers: dict[str, str]) -> Reply:
        status, text = judging(body, headers)
        late = len(server.asked(body["model"])) > 2
        return status, text.replace("judge-2026", "judge-2027").replace("m-2026", "m-2027") if late else text

    server.answer = answering
    with kinds.bench() as bench:
        run = bench.run(kinds.suite)
        shown = bench.report(run.run.id)
    for report in (run, shown):
        assert "the target called itself m-2026 and m-2027 in this run: it may not have been one model" in report.notes
        assert "the judge of tone called itself judge-2026 and judge-2027 in this run" in report.text


def test_a_judge_that_writes_a_megabyte_is_unscored_and_kept_short(kinds: Any, server: Any) -> None:  # JDG-13
    def babbling(body: dict[str, Any], headers: dict[str, str]) -> Reply:
        return judging(body, headers) if body["model"] == "m" else _chat("and so on, " * 100_000)

    server.answer = babbling
    with kinds.bench() as bench:
        report = bench.run(kinds.suite)
        for metric in KINDS:
            assert _account(report, metric) == (0, {"judge_parse_failure": SAMPLES})
        rows = bench.ledger.results(report.run.id, limit=1)
        assert all(len(row.score.explanation or "") < 20_000 for row in rows[0].scores.values())


def test_the_gate_compares_the_means_of_repeated_judgements(kinds: Any, server: Any) -> None:  # JDG-15
    turns: dict[str, int] = {}

    def wavering(body: dict[str, Any], headers: dict[str, str]) -> Reply:
        prompt = body["messages"][-1]["content"]
        if body["model"] != "judge":
            return judging(body, headers)
        turns[prompt] = turns.get(prompt, -1) + 1
        return _chat(json.dumps({"reasoning": "r", "score": (4, 5, 3)[turns[prompt] % 3]}))

    server.answer = wavering
    steady = "  steady: { judge: helpfulness.ko, samples: 3, steps: true }\n"
    kinds.suite.write_text(_only(steady + "gate: { metrics: { steady: { max_drop: 0.1 } } }\n"))
    with kinds.bench() as bench:
        first = bench.run(kinds.suite)
        bench.promote(first.run.id)
        again = bench.run(kinds.suite, fresh=True)
        stored = bench.ledger.results(again.run.id)
        assert all(result.scores["steady"].score.stats == (4.0, 5.0, 3.0) for result in stored)
        assert _values(again)["steady"] == 4.0
        (difference,) = again.comparison.differences
        assert (difference.baseline, difference.candidate) == (4.0, 4.0)
        (judge,) = bench.judges(again.run.id).judges
        assert (judge.repeated.differing, judge.repeated.sd) == (1.0, pytest.approx(1.0))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{ pairwise: preference.en, against: gone.jsonl }", "metrics.x.against: gone.jsonl does not exist"),
        ("{ best_of: preference.en }", "metrics.x: best_of needs against"),
        ("{ best_of: preference.en, against: old.jsonl }", "expected a list of names of recorded output files"),
        ("{ jury: politeness.ko, models: [grader] }", "models names 1 judges; expected 2 to 15"),
        ("{ jury: politeness.ko, models: [grader, grader@1] }", "judges 1 and 2 are one and the same"),
        ("{ g_eval: tone.md }", "'tone.md' is the name of a file, and criteria are not read from one"),
        ("{ jury: politeness.ko, models: [grader, nobody] }", "metrics.x.models.1: "),
        ("{ g_eval: polite, scale: [1, 10] }", "a score of two digits"),
        ("{ judge: politenes.ko }", "did you mean politeness.ko?"),
        ("{ judge: judge/politeness.ko }", "metrics.x.judge: 'judge/politeness.ko' is not a name; write politeness.ko"),
        ("{ judge: preference.ko }", "variable 'answers' is not offered"),
        ("{ judge: preference.ko }", "expected one with {{ output }}, such as helpfulness.ko"),
        ("{ pairwise: helpfulness.ko }", "metrics.x.pairwise: helpfulness.ko: line "),
        ("{ pairwise: helpfulness.ko }", "expected one with {{ answers }}, such as preference.ko"),
        ("{ judge: tone.md, scale: { good: 1 } }", "labels are two or more different names"),
        ("{ judge: tone.md, scale: { good: yes, bad: no } }", "metrics.x.scale"),
    ],
)
def test_a_judge_that_cannot_be_is_named_at_its_field(kinds: Any, server: Any, line: str, said: str) -> None:
    kinds.suite.write_text(_only(f"  x: {line}\n"))
    with kinds.bench() as bench, pytest.raises(ConfigError) as caught:
        bench.check(kinds.suite)
    assert said in str(caught.value)
    assert server.bodies == []


def test_a_judge_of_the_whole_suite_is_missed_once_and_the_target_with_it(kinds: Any) -> None:
    lines = "".join(f"  m{n}: {{ judge: politeness.ko }}\n" for n in range(3))
    suite = re.sub(r"judge: \w+", "judge: nobody", _only(lines), count=1)
    kinds.suite.write_text(re.sub(r"target: .*", "target: { model: neither }", suite))
    with kinds.bench() as bench, pytest.raises(ConfigError) as caught:
        bench.check(kinds.suite)
    said = [(problem.field, problem.message.partition(" is registered")[0]) for problem in caught.value.problems]
    assert sorted(said) == [("judge", "no model 'nobody'"), ("target", "no model 'neither'")]


def test_the_command_line_tells_the_report(
    kinds: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from haetae.cli.main import main

    with kinds.bench() as bench:
        bench.run(kinds.suite)
    monkeypatch.setenv("HAETAE_HOME", str(kinds.settings.home))

    def called(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["haetae", "judge", "report", *arguments])
        with pytest.raises(SystemExit) as done:
            main()
        return int(done.value.code or 0), capsys.readouterr().out

    code, out = called("kinds.1")
    assert code == 0
    assert "better: pairwise(preference.en), judged by judge-2026" in out
    assert "0.0% of 12 samples got another verdict in another order" in out
    code, out = called("kinds.1", "--metric", "panel", "--json")
    (panel,) = json.loads(out)["results"]
    assert (panel["metric"], panel["jury"]["answers"], panel["calls"]) == ("panel", 12, 36)
    file = kinds.folder / "judges.json"
    for _ in range(2):  # its own document may be written again
        assert called("kinds.1", "--json", str(file))[0] == 0
    assert len(json.loads(file.read_text())["results"]) == len(KINDS)
    assert called("kinds.9")[0] == 2
