"""`haetae gate` on the files that other tools wrote: the verdict, the exit code, and what is told of a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).parents[1] / "catalog/importers/files"

Gate = Callable[..., Any]


@pytest.fixture
def gate(haetae: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Gate:
    """gate(baseline, candidate, …): what the command said."""
    monkeypatch.chdir(FILES)

    def call(baseline: str, candidate: str, *options: str) -> Any:
        return haetae("gate", "--baseline-scores", baseline, "--candidate-scores", candidate, *options)

    return call


@pytest.mark.parametrize(
    ("baseline", "candidate", "options", "fell"),
    [
        ("promptfoo/baseline.json", "promptfoo/candidate.json", (), "pass fell by 54.2 points"),
        ("inspect/baseline.eval", "inspect/candidate.eval", ("--scale-of", "form.letters=0:"), "correct fell by 39.6"),
        (
            "lm_eval/samples_quiz_baseline.jsonl",
            "lm_eval/samples_quiz_candidate.jsonl",
            (),
            "exact_match,first fell by 54.2 points",
        ),
        (
            "lm_eval/samples_quiz_choice_baseline.jsonl",
            "lm_eval/samples_quiz_choice_candidate.jsonl",
            (),
            "acc fell by 54.2 points",
        ),
        ("statgate/baseline.jsonl", "statgate/candidate.csv", (), "passed fell by 54.2 points"),
    ],
)
def test_a_worse_candidate_ends_with_one(
    baseline: str, candidate: str, options: tuple[str, ...], fell: str, gate: Gate
) -> None:
    said = gate(baseline, candidate, *options)
    assert said.code == 1
    assert fell in said.out
    assert "REGRESSION" in said.out


def test_two_providers_of_one_file_are_compared_by_name(gate: Gate) -> None:
    said = gate("promptfoo/both.json#baseline", "promptfoo/both.json#candidate")
    assert said.code == 0  # five samples prove nothing, and it says so
    assert "INCONCLUSIVE  against promptfoo/both.json#baseline" in said.out


@pytest.mark.parametrize(
    ("baseline", "told"),
    [
        ("promptfoo/both.json", "name one: promptfoo/both.json#baseline, promptfoo/both.json#candidate"),
        ("lm_eval/results_baseline.json", "give its samples_*.jsonl"),
        ("how/promptfooconfig.yaml", "which is no score file that is understood; those are lines of"),
    ],
)
def test_a_file_without_readable_scores_ends_with_two_and_a_cure(baseline: str, told: str, gate: Gate) -> None:
    said = gate(baseline, "statgate/candidate.csv")
    assert said.code == 2
    assert told in said.err
    assert not said.out


def test_files_of_two_tools_have_no_samples_in_common_and_no_verdict(gate: Gate) -> None:
    said = gate("statgate/baseline.jsonl", "lm_eval/samples_quiz_candidate.jsonl")
    assert said.code == 3
