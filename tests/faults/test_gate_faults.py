"""Whatever a gate is given, it says pass only where that is proven, and its exit code and JSON never lie.

The first half gates score files of any tool, the second half a suite against a model server.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from haetae.cli.main import main
from haetae.core.metric import MetricFacts
from haetae.core.table import ScoreTable
from haetae.core.verdict import Verdict
from haetae.stats.compare import GatedColumn, compare


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Call = Callable[..., Said]


@pytest.fixture
def haetae(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """haetae("gate", …) in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_EVENT_NAME", "CI_PIPELINE_SOURCE", "HAETAE_LEDGER", "HAETAE_MLFLOW", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HAETAE_HOME", str(tmp_path / "home"))

    def call(*arguments: Any) -> Said:
        monkeypatch.setattr(sys, "argv", ["haetae", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0, said.out, said.err)

    return call


def write(file: str, *rows: dict[str, Any] | str) -> None:
    Path(file).write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))


def scores(file: str, *values: float | None, metric: str = "right", more: list[Any] | None = None) -> None:
    write(file, *({"id": f"q{n}", "metric": metric, "score": value} for n, value in enumerate(values)), *(more or []))


@pytest.fixture
def gate(haetae: Call) -> Call:
    """gate(options…) on a.jsonl and b.jsonl at a tolerance of 5 points."""
    files = ("--baseline-scores", "a.jsonl", "--candidate-scores", "b.jsonl", "--margin", "0.05")
    return lambda *options: haetae("gate", *files, *options)


GOOD = [1.0] * 200


# score files


def test_the_four_exit_codes_of_score_files(gate: Call) -> None:
    scores("a.jsonl", *GOOD)
    for after, code in ((GOOD, 0), ([0.0] * 60 + [1.0] * 140, 1), ([1.0, 7.0] * 100, 2), ([None] * 200, 3)):
        scores("b.jsonl", *after)
        said = gate()
        assert said.code == code
        assert "Traceback" not in said.err


def test_an_inconclusive_verdict_of_score_files_passes_unless_strict(gate: Call) -> None:
    scores("a.jsonl", *[1.0] * 40)
    scores("b.jsonl", *[1.0] * 40)
    assert (gate().code, gate("--strict").code) == (0, 3)
    assert gate("--json").json["more_samples_needed"] == 20


def test_json_alone_prints_and_with_a_file_writes(gate: Call, tmp_path: Path) -> None:
    scores("a.jsonl", *GOOD)
    scores("b.jsonl", *[0.0] * 60, *[1.0] * 140)
    printed = gate("--json")
    written = gate("--json", "reports/out.json")
    assert printed.code == written.code == 1
    assert "REGRESSION" not in printed.out
    assert written.out.startswith("✗ REGRESSION  against a.jsonl")
    document = json.loads((tmp_path / "reports" / "out.json").read_text())
    assert document == printed.json
    assert document["verdict"] == "regression"
    assert document["changed"] == [{"metric": "right", "slice": "", "delta": pytest.approx(-0.3)}]
    (result,) = document["results"]
    assert {"metric", "slice", "n", "delta", "ci", "p_drop", "p_drop_adj", "p_noninferior", "verdict"} <= result.keys()
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["out.json"]


def test_json_never_writes_over_an_input_or_a_suite(gate: Call, haetae: Call) -> None:
    scores("a.jsonl", *GOOD)
    Path("b.jsonl").write_text(Path("a.jsonl").read_text())
    Path("b.json").write_text(Path("a.jsonl").read_text())
    Path("suite.yaml").write_text("suite: mine")
    files = ("--baseline-scores", "a.jsonl", "--candidate-scores", "b.json")
    said = haetae("gate", *files, "--json", "b.json")
    assert said.code == 2
    assert "would write over an input" in said.err
    assert Path("b.json").read_text() == Path("a.jsonl").read_text()
    assert gate("--json", "suite.yaml").code == 2  # a SUITE beside score files, not a file to write
    assert haetae("gate", "--json", "suite.yaml").code == 2
    assert haetae("gate", *files, "--json=suite.yaml").code == 2
    assert Path("suite.yaml").read_text() == "suite: mine"


@pytest.mark.parametrize(
    "text", ['{"suite": "mine", "metrics": {}}', '{"evalId": 1, "results": []}', "suite: mine", "[]"]
)
def test_json_never_writes_over_a_file_of_anyone_else(text: str, gate: Call, haetae: Call) -> None:
    scores("a.jsonl", *GOOD)
    scores("b.jsonl", *GOOD)
    Path("mine.json").write_text(text)
    for said in (gate("--json", "mine.json"), haetae("gate", "--json", "mine.json", "other.json")):
        assert said.code == 2
        assert "this file exists and is no report of haetae" in said.err
    assert haetae("gate", "--json", "mine.json").code == 2
    assert Path("mine.json").read_text() == text
    Path("empty.json").touch()
    assert gate("--json", "empty.json").code == 0
    assert gate("--json", "empty.json").code == 0  # its own


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "name a SUITE, or both --baseline-scores and --candidate-scores"),
        (["--baseline-scores", "a.jsonl"], "name a SUITE, or both --baseline-scores and --candidate-scores"),
        (["suite.yaml", "--margin", "0.05"], "--margin goes with score files"),
        (["suite.yaml", "--slice", "lang"], "--slice goes with score files"),
        (["suite.yaml", "--candidate-scores", "b.jsonl"], "--candidate-scores goes with score files"),
        (["--scale-of", "right"], "is not METRIC=LOW:HIGH"),
        (["--scale-of", "right=1:x"], "is not METRIC=LOW:HIGH"),
        (["--scale-of", "right=5:1"], "the scale runs from low to high"),
        (["--scale-of", "right=0:inf"], "an end is a finite number, or left out"),
        (["--baseline-scores", "a", "--candidate-scores", "b", "--margin", "nan"], "--margin and --alpha are numbers"),
        (["--margin", "-0.1"], "margin"),
        (["--alpha", "0"], "alpha"),
        (["--skip-without-secrets"], "goes with a SUITE"),
    ],
)
def test_wrong_usage_is_2_and_says_what_to_write(arguments: list[str], told: str, haetae: Call) -> None:
    said = haetae("gate", *arguments)
    assert said.code == 2
    assert told in said.err


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"metric": "right", "score": 1}, "b.jsonl:201: id: missing"),
        (
            {"id": "q7", "metric": "right", "score": 1},
            "b.jsonl:201: the score of right for 'q7', sample 0, stands twice",
        ),
        ('{"id": "x", "metric": "right", "score": NaN}', "b.jsonl:201: score: expected a finite number, got NaN"),
        ('{"id": "x", "metric": "right", "score": Infinity}', "b.jsonl:201: score: expected a finite number"),
        ({"id": "x", "metric": "right", "score": "good"}, "b.jsonl:201: score: expected a number or null"),
        ({"id": "x", "metric": "right", "score": 4}, "b.jsonl:201: score: 4 is outside the scale of right, 0 to 1"),
        ("{broken", "b.jsonl:201: not JSON at column 2"),
    ],
)
def test_a_bad_row_is_told_at_its_line_and_in_the_document(row: Any, told: str, gate: Call) -> None:
    scores("a.jsonl", *GOOD)
    scores("b.jsonl", *GOOD, more=[row])
    said = gate("--json")
    assert said.code == 2
    assert told in said.err
    assert said.json["verdict"] == "no verdict"
    assert told in said.json["error"]
    assert said.json["exit_code"] == 2


def test_scales_are_declared_for_all_or_for_one(gate: Call) -> None:
    scores("a.jsonl", *[3.0, 4.0] * 100)
    scores("b.jsonl", *[3.0, 4.0] * 100)
    assert gate().code == 2
    assert gate("--scale", "1", "5").code == 0
    assert gate("--scale-of", "right=1:5").code == 0
    assert gate("--scale-of", "right=0:").code == 0
    assert gate("--scale", "5", "1").code == 2
    assert "no metric 'rigth' in the files; did you mean right?" in gate("--scale-of", "rigth=1:5").err
    assert gate("--scale", "1", "5", "--lower-is-better", "rigth").code == 2


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_file_is_no_verdict(text: str, gate: Call) -> None:
    scores("a.jsonl", *GOOD)
    Path("b.jsonl").write_text(text)
    said = gate("--json")
    assert said.code == 3
    assert "b.jsonl: holds no score" in said.err
    assert (said.json["verdict"], said.json["exit_code"]) == ("no verdict", 3)


def test_a_file_that_is_not_there_is_named(gate: Call) -> None:
    scores("a.jsonl", *GOOD)
    said = gate()
    assert said.code == 2
    assert "b.jsonl: cannot be read" in said.err


def test_no_pairs_one_sample_and_all_equal(gate: Call) -> None:
    scores("a.jsonl", *GOOD)
    write("b.jsonl", *({"id": f"other{n}", "metric": "right", "score": 1} for n in range(200)))
    assert gate().code == 3
    assert "no sample id is in both files" in gate().out
    scores("a.jsonl", 1.0)
    scores("b.jsonl", 0.0)
    assert "fewer than two independent samples" in gate().out
    assert gate("--strict").code == 3
    for value in (0.0, 0.5, 1.0):
        scores("a.jsonl", *[value] * 200)
        scores("b.jsonl", *[value] * 200)
        assert gate("--json").json["verdict"] == "pass"


def test_a_metric_that_was_renamed_is_never_skipped(gate: Call) -> None:  # GAT-12
    scores("a.jsonl", *GOOD)
    scores("b.jsonl", *GOOD, metric="rihgt")
    said = gate()
    assert said.code == 3
    assert "right: is in a.jsonl only; rihgt: is in b.jsonl only" in said.out


def test_samples_that_vanish_are_no_pass(gate: Call) -> None:  # GAT-12
    scores("a.jsonl", *GOOD)
    scores("b.jsonl", *GOOD[:188])
    said = gate()
    assert said.code == 3
    assert "missing samples 12" in said.out
    scores("b.jsonl", *GOOD[:191])  # 95.5 % are there, but nine went on one side only
    said = gate("--json")
    assert said.json["verdict"] == "inconclusive"
    assert "right: more samples are unscored or missing than in the baseline" in said.json["warnings"][0]


def test_a_tenth_of_errors_on_one_side_is_no_verdict(gate: Call) -> None:  # GAT-03
    scores("a.jsonl", *GOOD)
    scores("b.jsonl", *(None if n % 10 == 0 else 1.0 for n in range(200)))
    assert gate().code == 3
    assert "below the coverage of 95%" in gate().out


def test_an_aggregate_of_nothing_is_no_verdict(gate: Call) -> None:  # GAT-04
    scores("a.jsonl", *GOOD)
    scores("b.jsonl", *[None] * 200)
    document = gate("--json").json
    assert (document["verdict"], document["results"][0]["delta"]) == ("no verdict", None)


def test_twenty_points_up_at_once_are_a_warning(gate: Call) -> None:  # GAT-08
    scores("a.jsonl", *[0.0] * 60, *[1.0] * 140)
    scores("b.jsonl", *GOOD)
    assert "! right: improved by 30.0 points, more than chance explains" in gate().out


def test_a_five_point_drop_of_1319_samples_is_found_or_the_findable_one_is_said(gate: Call) -> None:  # GAT-05
    rng = np.random.default_rng(20_260)
    found = 0
    for _ in range(40):
        skill = rng.random(1319)
        before, after = (skill < 0.70) ^ (rng.random(1319) < 0.1), (skill < 0.6375) ^ (rng.random(1319) < 0.1)
        columns = [
            GatedColumn("right", (_table(before.astype(float)),), _table(after.astype(float)), None, 0.01)
        ]  # true drop: 6.25 points of skill, seen through 10 % of flips: 5.0 points
        found += compare(columns)[0] is Verdict.REGRESSION
    assert found >= 32
    scores("a.jsonl", *before.astype(float).tolist())
    scores("b.jsonl", *after.astype(float).tolist())
    assert "smallest drop that this comparison finds four times in five: right" in gate().out


def _table(values: Any, low: float = 0.0, high: float = 1.0) -> ScoreTable:
    ids = tuple(f"q{n}" for n in range(len(values)))
    return ScoreTable(MetricFacts("right", "1", low, high), ids, np.asarray(values, float), ids)


@pytest.mark.parametrize("score", [0.8, 0.7999999999, 0.8000000001])
def test_a_score_at_the_threshold_breaks_nothing_and_proves_nothing(score: float) -> None:  # GAT-11
    table = _table([score] * 200)
    verdict, (column,) = compare([GatedColumn("right", (table,), table, None, 0.05, minimum=0.8)])
    assert (verdict, column.note) == (Verdict.INCONCLUSIVE, "floor not settled")
    shares = _table([1.0] * 160 + [0.0] * 40)
    verdict, (column,) = compare([GatedColumn("right", (shares,), shares, None, 0.05, minimum=0.8)])
    assert (verdict, column.note) == (Verdict.INCONCLUSIVE, "floor not settled")


def test_a_crash_in_the_gate_is_told_in_the_document(gate: Call, monkeypatch: pytest.MonkeyPatch) -> None:  # GAT-14
    def broken(*given: Any, **named: Any) -> None:
        raise ZeroDivisionError("a bug")

    scores("a.jsonl", *GOOD)
    scores("b.jsonl", *GOOD)
    assert gate("--json", "out.json").code == 0
    assert json.loads(Path("out.json").read_text())["verdict"] == "pass"
    monkeypatch.setattr("haetae.workbench.scores.gate.compare", broken)
    said = gate("--json", "out.json")
    assert said.code == 3
    document = json.loads(Path("out.json").read_text())  # not yesterday's pass
    assert document == {"verdict": "no verdict", "error": "ZeroDivisionError: a bug", "exit_code": 3}
    assert gate("--json").json == document


# a suite


@pytest.fixture
def suite(project: Any, server: Any, haetae: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    """suite(options…): the gate on the project's suite."""
    for name in ("HAETAE_HOME", "MODEL_URL", "MODEL_KEY"):
        monkeypatch.setenv(name, project.settings.env[name])
    monkeypatch.chdir(project.folder)
    return lambda *options: haetae("gate", "suite.yaml", "--quiet", *options)


def new_prompt(project: Any) -> None:
    """What makes the next run ask everything again."""
    (project.folder / "ask.md").write_text("please: {{ input }}")
    with project.bench() as bench:
        bench.register("prompt", project.folder / "ask.md")
        bench.alias("prompt", "ask@2", "production")


def test_no_gate_moves_the_baseline(suite: Call, project: Any, haetae: Call) -> None:  # GAT-01, GAT-07
    first = suite()
    assert first.code == 3
    assert "No baseline" in first.out
    haetae("promote", "bot.1")
    new_prompt(project)
    for _ in range(3):
        assert suite("--json").json["comparison"]["baseline"][0] == "bot.1"
    with project.bench() as bench:
        assert bench.ledger.baseline("bot", "production").id == "bot.1"
        assert len(bench.ledger.runs("bot", limit=10)) > 1


def test_a_sudden_rise_of_a_suite_is_a_warning(
    suite: Call, project: Any, server: Any, haetae: Call, replies: Any
) -> None:  # GAT-08
    server.answer = lambda body, headers: replies.graded(0.5) if body["model"] == "judge" else replies.completed("?")
    suite()
    haetae("promote", "bot.1")
    new_prompt(project)
    server.answer = replies.by_model
    said = suite()
    assert "! chrf: improved by " in said.out


def test_an_endpoint_that_is_down_is_not_a_regression(
    suite: Call, project: Any, server: Any, haetae: Call
) -> None:  # GAT-10
    suite()
    haetae("promote", "bot.1")
    new_prompt(project)
    project.suite.write_text(project.suite.read_text().replace("tries: 2", "tries: 1"))
    server.answer = lambda body, headers: (503, "{}")
    said = suite("--json")
    assert said.code == 3
    assert said.json["verdict"] == "no verdict"
    assert "no sample is scored (not_generated 20)" in said.json["comparison"]["reason"]


def test_the_share_of_retried_samples_is_shown(suite: Call, server: Any, replies: Any) -> None:  # GAT-15
    seen = Counter[str]()

    def moody(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        question = body["messages"][-1]["content"]
        seen[question] += 1
        return (503, "{}") if seen[question] == 1 and question.endswith("7") else replies.by_model(body, headers)

    server.answer = moody
    said = suite()
    retried = sum(count > 1 for count in seen.values())
    assert retried > 0
    assert f"{retried} retried" in said.out


@pytest.mark.parametrize(
    "event", [("GITHUB_EVENT_NAME", "pull_request"), ("CI_PIPELINE_SOURCE", "merge_request_event")]
)
@pytest.mark.parametrize("key", [None, ""])
def test_a_fork_without_secrets_is_skipped_with_the_reason_on_request(
    event: tuple[str, str], key: str | None, suite: Call, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # GAT-13
    monkeypatch.setenv("MODEL_KEY", "") if key == "" else monkeypatch.delenv("MODEL_KEY")
    assert suite("--skip-without-secrets").code == 2  # on a branch of one's own this is a mistake
    monkeypatch.setenv(*event)
    plain = suite()
    assert plain.code == 2
    assert "needs the environment variable MODEL_KEY" in plain.err
    said = suite("--skip-without-secrets")
    assert said.code == 0
    assert said.out == ("SKIPPED  this pull request's job has no MODEL_KEY: nothing was asked, nothing is said\n")
    assert suite("--skip-without-secrets", "--json").json["verdict"] == "skipped"
    assert not server.bodies


def test_a_mistake_beside_a_missing_secret_is_not_skipped(
    suite: Call, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # GAT-13
    monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request")
    monkeypatch.delenv("MODEL_KEY")
    project.suite.write_text(project.suite.read_text().replace("chrf: chrf", "chrf: chrff"))
    said = suite("--skip-without-secrets")
    assert said.code == 2
    assert "chrff" in said.err


def test_a_crash_of_a_suites_gate_is_told_in_the_document(suite: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any, **named: Any) -> None:  # GAT-14
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("haetae.stats.estimate.estimates_of", broken)
    said = suite("--json")
    assert said.code == 3
    assert said.json["error"] == "ZeroDivisionError: a bug"
