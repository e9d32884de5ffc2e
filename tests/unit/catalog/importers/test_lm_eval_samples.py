"""lm-evaluation-harness's sample logs: the harness's own figures, and how a wrong line is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from haetae.catalog.scores.source import scores_of
from haetae.core.score_columns import ScoreColumns
from haetae.errors import DatasetError


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_samples(*samples: Any) -> Path:
        path = tmp_path / "samples_quiz.jsonl"
        path.write_text("".join(json.dumps(sample) + "\n" for sample in samples), "utf-8")
        return path

    return write_samples


def one_sample(**changed: Any) -> dict[str, Any]:
    return {"doc_id": 3, "doc": {"subject": "law"}, "filtered_resps": ["x"], "filter": "none"} | changed


@pytest.mark.parametrize("side", ["baseline", "candidate"])
@pytest.mark.parametrize("task", ["quiz", "quiz_choice"])
def test_means_are_those_that_the_harness_reports(
    task: str,
    side: str,
    files: Path,
    read: Callable[[str], ScoreColumns],
    mean: Callable[[ScoreColumns, str], float],
) -> None:
    scores = read(f"lm_eval/samples_{task}_{side}.jsonl")
    results = json.loads((files / f"lm_eval/results_{side}.json").read_text("utf-8"))["results"][task]
    reported = {
        name.removesuffix(",none"): value
        for name, value in results.items()
        if "," in name and not name.split(",")[0].endswith("_stderr")
    }
    assert {metric: mean(scores, metric) for metric in scores.metrics} == pytest.approx(reported, abs=1e-12)
    assert len(scores.ids) == results["sample_len"]


def test_filters_are_metrics_of_their_own(read: Callable[[str], ScoreColumns]) -> None:
    assert read("lm_eval/samples_quiz_baseline.jsonl").metrics == ("exact_match,first", "exact_match,ascii-only")
    assert read("lm_eval/samples_quiz_choice_baseline.jsonl").metrics == ("acc", "acc_norm")


def test_an_id_is_of_one_document_wherever_it_stands(read: Callable[[str], ScoreColumns]) -> None:
    choice, free = read("lm_eval/samples_quiz_choice_baseline.jsonl"), read("lm_eval/samples_quiz_candidate.jsonl")
    assert choice.ids == free.ids
    assert choice.ids[0] == "0-26bf30da"
    assert choice.tags[0]["language"] == "ko"
    assert set(choice.tags[0]) == {"id", "language", "topic", "question", "answer"}


def test_a_document_without_a_hash_is_its_number(write: Callable[..., Path]) -> None:
    assert scores_of(write(one_sample(acc=1.0))).ids == ("3",)


def test_metrics_of_older_releases_are_the_numbers_that_stand_there(write: Callable[..., Path]) -> None:
    scores = scores_of(write(one_sample(acc=1.0, acc_norm=0.0, note="x")))
    assert scores.metrics == ("acc", "acc_norm")
    assert scores.scores.tolist() == [1.0, 0.0]


def test_a_metric_of_the_corpus_is_passed_over(write: Callable[..., Path]) -> None:
    with_bleu = one_sample(metrics=["bleu", "acc"], bleu=[["ref"], ["answer"]], acc=1)
    assert scores_of(write(with_bleu)).metrics == ("acc",)
    with pytest.raises(DatasetError, match=r"jsonl:1: metrics: none of bleu is a number of this sample; .* corpus"):
        scores_of(write(one_sample(metrics=["bleu"], bleu=[["ref"], ["answer"]])))


def test_a_metric_that_is_not_finite_has_no_score(write: Callable[..., Path]) -> None:
    scores = scores_of(write(one_sample(metrics=["ppl"], ppl=float("nan"))))
    assert np.isnan(scores.scores).tolist() == [True]
    assert scores.reasons == ("the metric was nan",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"doc_id": ""', r"jsonl:2: not JSON"),
        ("[1]", r"jsonl:2: expected a JSON object, got a list"),
        ('{"filtered_resps": []}', r"jsonl:2: doc_id: expected the id of a sample, got nothing"),
        ('{"doc_id": 4, "metrics": [["acc"]]}', r"jsonl:2: metrics: expected the names of the metrics, got a list"),
        ('{"doc_id": 4, "metrics": []}', r"jsonl:2: metrics: expected the names of the metrics, got a list"),
        ('{"doc_id": 3, "acc": 0.5}', r"the score of acc for '3', sample 0, stands twice, on lines 1 and 2"),
    ],
)
def test_a_wrong_line_is_told_with_its_field(line: str, message: str, write: Callable[..., Path]) -> None:
    path = write(one_sample(acc=1.0))
    with path.open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(DatasetError, match=message):
        scores_of(path)


def test_the_summary_of_a_run_is_not_its_samples(read: Callable[[str], ScoreColumns]) -> None:
    with pytest.raises(DatasetError, match=r"results_baseline\.json: is the summary .*; give its samples_\*\.jsonl"):
        read("lm_eval/results_baseline.json")
