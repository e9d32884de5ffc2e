"""Judge and human scores in plain files: joined strictly, then corrected and compared as a run's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from haetae.errors import DatasetError
from haetae.stats.judge_correction import correct
from haetae.workbench.judges.correcting import SEED
from haetae.workbench.scores.judges import JudgeFiles
from haetae.workbench.scores.rules import ScoreRules

Write = Callable[..., str]
JUDGE = [n % 5 != 0 for n in range(200)]
PEOPLE = [n % 7 != 0 for n in range(200)]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write rows, and return the path."""

    def rows_to(name: str, rows: list[Any]) -> str:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return str(path)

    return rows_to


def _rows(scores: list[Any], metric: str = "ok", **more: Any) -> list[Any]:
    return [{"id": f"q{n:03}", "metric": metric, "score": float(score), **more} for n, score in enumerate(scores)]


def _read(judge: str, *humans: str, **rules: Any) -> JudgeFiles:
    return JudgeFiles(judge, humans, ScoreRules(**rules))


def test_files_are_corrected_as_columns_are(write: Write) -> None:
    files = _read(write("j.jsonl", _rows(JUDGE)), write("h.jsonl", _rows(PEOPLE[:60])))
    (found,) = files.correct()
    columns = [[float(score) for score in scores] for scores in (JUDGE, JUDGE[:60], PEOPLE[:60])]
    alone = correct(*columns, binary=True, seed=SEED)
    assert (found.estimate, found.low, found.high) == (alone.estimate, alone.low, alone.high)
    assert (found.method, found.labels, found.samples) == ("jeffreys", 60, 200)


def test_zeros_and_ones_on_another_scale_keep_their_unit(write: Write) -> None:
    one_to_five = [[1 + 4 * score for score in scores] for scores in (JUDGE, PEOPLE[:60])]
    (found,) = _read(
        write("j.jsonl", _rows(one_to_five[0])), write("h.jsonl", _rows(one_to_five[1])), scale=(1.0, 5.0)
    ).correct()
    (share,) = _read(write("j.jsonl", _rows(JUDGE)), write("h.jsonl", _rows(PEOPLE[:60]))).correct()
    assert share.estimate is not None
    assert found.method == "jeffreys"
    assert found.estimate == pytest.approx(1 + 4 * share.estimate)


def test_repeats_are_averaged_and_clusters_counted_once(write: Write) -> None:
    def everything(scores: list[bool], labels: int, **more: Any) -> tuple[list[Any], list[Any]]:
        return _rows(scores, **more), _rows(PEOPLE[:labels], **more)

    (judge, human), (again, _) = everything(JUDGE, 60), everything(JUDGE, 0, sample=1)
    (found,) = _read(write("j.jsonl", judge + again), write("h.jsonl", human)).correct()
    assert (found.method, found.labels, found.samples) == ("ppi++", 60, 200)
    alone = correct(JUDGE, JUDGE[:60], PEOPLE[:60], binary=False, seed=SEED)
    assert (found.estimate, found.low) == (alone.estimate, alone.low)
    thrice = [{**row, "id": f"{row['id']}-{copy}", "cluster": row["id"]} for row in judge for copy in range(3)]
    labelled = [{**row, "id": f"{row['id']}-{copy}", "cluster": row["id"]} for row in human for copy in range(3)]
    (clustered,) = _read(write("j.jsonl", thrice), write("h.jsonl", labelled)).correct()
    assert (clustered.labels, clustered.samples) == (180, 600)
    assert (clustered.estimate, clustered.low) == pytest.approx((alone.estimate, alone.low), abs=0.01)


def test_raters_are_averaged_to_correct_and_kept_apart_to_agree(write: Write) -> None:
    ann, bo = _rows(PEOPLE[:60], rater="ann"), _rows(JUDGE[:60], rater="bo")
    judge = write("j.jsonl", _rows(JUDGE))
    together = _read(judge, write("both.jsonl", ann + bo))
    assert together.correct()[0].method == "ppi++"  # a mean of two may be a half
    assert [each.between for each in together.agreement()] == [("judge", "ann"), ("judge", "bo"), ("ann", "bo")]
    nameless = [write(name, _rows(PEOPLE[:60])) for name in ("one.jsonl", "two.jsonl")]
    found = _read(judge, *nameless).agreement()
    assert [each.between for each in found] == [("judge", nameless[0]), ("judge", nameless[1]), tuple(nameless)]
    assert found[-1].kappa.value == 1.0


def test_a_metric_that_nobody_labelled_is_left_out_of_agreement_and_said_in_the_correction(write: Write) -> None:
    judge = write("j.jsonl", _rows(JUDGE) + _rows(JUDGE, "other"))
    files = _read(judge, write("h.jsonl", _rows(PEOPLE[:60])))
    assert [each.metric for each in files.agreement()] == ["ok"]
    assert [found.note for found in files.correct()] == ["", "nobody labelled it"]


def test_labels_of_what_the_judge_could_not_score_are_no_pairs(write: Write) -> None:
    judge = _rows(JUDGE)
    judge[0]["score"] = None
    files = _read(write("j.jsonl", judge), write("h.jsonl", _rows(PEOPLE[:60])))
    (found,) = files.correct()
    assert (found.labels, found.note) == (59, "labels left out, because the judge did not score them: 1")
    assert files.agreement()[0].alpha.n == 59


def test_a_judge_that_failed_on_more_than_a_twentieth_is_not_corrected(write: Write) -> None:  # JDG-16
    judge = [{**row, "score": None if n < 11 else row["score"]} for n, row in enumerate(_rows(JUDGE))]
    (found,) = _read(write("j.jsonl", judge), write("h.jsonl", _rows(PEOPLE[:60]))).correct()
    assert (found.estimate, found.note) == (None, "the judge scored 189 of 200 samples, below 95%")


@pytest.mark.parametrize(
    ("human", "told"),
    [
        (
            [*_rows(PEOPLE[:3]), {"id": "q999", "metric": "ok", "score": 1}],
            r"h\.jsonl:4: id: .* no score of ok for 'q999'",
        ),
        (_rows([1], sample=1), r"h\.jsonl:1: id: .*j\.jsonl has no score of ok for 'q000', sample 1: people label"),
        (
            _rows([1], "okk"),
            r"h\.jsonl:1: metric: the judge's file has no metric 'okk'; did you mean ok\?; there are ok",
        ),
        (_rows([5]), r"h\.jsonl:1: score: 5 is outside the scale of ok, 0 to 1"),
        ([{"id": "q0", "metric": "ok", "score": "good"}], r"h\.jsonl:1: score: expected a number or null, got text"),
        ([], r"h\.jsonl: holds no score"),
    ],
)
def test_human_scores_that_do_not_fit_name_their_line(write: Write, human: list[Any], told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        _read(write("j.jsonl", _rows(JUDGE)), write("h.jsonl", human))


def test_one_rater_in_two_files_scores_an_answer_once(write: Write) -> None:
    one, two = (write(name, _rows([1, 0], rater="ann")) for name in ("one.jsonl", "two.jsonl"))
    with pytest.raises(DatasetError, match=r"two\.jsonl:1: ann has scored ok of 'q000' in .*one\.jsonl as well"):
        _read(write("j.jsonl", _rows(JUDGE)), one, two)
