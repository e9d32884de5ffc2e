"""From the files that other tools wrote to a verdict: the worse candidate is found out, whoever asked the quiz."""

from __future__ import annotations

from pathlib import Path

import pytest

from haetae.catalog.scores.source import scores_of
from haetae.core.verdict import Verdict
from haetae.workbench.scores.gate import gate_scores
from haetae.workbench.scores.report import ScoreReport
from haetae.workbench.scores.rules import ScoreRules

FILES = Path(__file__).parents[1] / "catalog/importers/files"
PAIRS = {
    "promptfoo": ("promptfoo/baseline.json", "promptfoo/candidate.json", "correct"),
    "Inspect": ("inspect/baseline.eval", "inspect/candidate.eval", "correct"),
    "Inspect in JSON": ("inspect/baseline.eval", "inspect/candidate.json", "correct"),
    "lm-evaluation-harness": (
        "lm_eval/samples_quiz_baseline.jsonl",
        "lm_eval/samples_quiz_candidate.jsonl",
        "exact_match,first",
    ),
    "lm-evaluation-harness, choices": (
        "lm_eval/samples_quiz_choice_baseline.jsonl",
        "lm_eval/samples_quiz_choice_candidate.jsonl",
        "acc",
    ),
    "statgate": ("statgate/baseline.jsonl", "statgate/candidate.csv", "passed"),
    "statgate in JSON": ("statgate/baseline.jsonl", "statgate/candidate.json", "passed"),
}


def gated(baseline: str, candidate: str) -> ScoreReport:
    scales = {"form.letters": (0.0, None)} if baseline.endswith(".eval") else {}
    return gate_scores(scores_of(FILES / baseline), scores_of(FILES / candidate), ScoreRules(0.05, scales=scales))


@pytest.mark.parametrize("tool", PAIRS)
def test_a_worse_candidate_is_a_regression(tool: str) -> None:
    baseline, candidate, metric = PAIRS[tool]
    comparison = gated(baseline, candidate).comparison
    found = {difference.metric: difference for difference in comparison.differences if not difference.slice}
    assert comparison.verdict is found[metric].verdict is Verdict.REGRESSION
    assert found[metric].n == 24


@pytest.mark.parametrize("tool", PAIRS)
def test_the_same_file_twice_has_not_fallen(tool: str) -> None:
    baseline, _, metric = PAIRS[tool]
    comparison = gated(baseline, baseline).comparison
    assert {difference.delta for difference in comparison.differences} == {0.0}
    assert comparison.verdict is Verdict.INCONCLUSIVE  # 24 samples prove no tolerance of 5 points: 3 / 0.05 = 60
    assert {difference.metric for difference in comparison.differences} >= {metric}


def test_a_failed_sample_of_the_candidate_is_counted_and_named() -> None:
    report = gated("inspect/baseline.eval", "inspect/candidate.eval")
    closeness = next(one for one in report.comparison.differences if one.metric == "closeness")
    assert closeness.verdict is Verdict.NO_VERDICT
    assert "the planted failure" in closeness.note
    assert "grader_failed 2" in closeness.note


def test_nothing_is_said_of_texts_that_each_sample_has_to_itself() -> None:
    report = gated("lm_eval/samples_quiz_baseline.jsonl", "lm_eval/samples_quiz_candidate.jsonl")
    assert not [warning for warning in report.comparison.warnings if "question" in warning]
