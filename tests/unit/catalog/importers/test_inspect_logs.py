"""Inspect's logs: the numbers that Inspect reports, from .eval and .json alike, and which logs are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from haetae.catalog.scores.importers.inspect_archive import read_members
from haetae.catalog.scores.source import scores_of
from haetae.core.score_columns import ScoreColumns
from haetae.errors import DatasetError

Rows = dict[tuple[str, str, int], tuple[float | None, str]]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_log(*samples: Any, **changed: Any) -> Path:
        path = tmp_path / "log.json"
        log = {"version": 2, "status": "success", "eval": {"task": "quiz"}, "samples": list(samples)} | changed
        path.write_text(json.dumps(log), "utf-8")
        return path

    return write_log


def one_sample(*values: Any, **changed: Any) -> dict[str, Any]:
    scores = {f"s{index}": {"value": value} for index, value in enumerate(values)}
    return {"id": "a", "epoch": 1, "scores": scores} | changed


@pytest.mark.parametrize("side", ["baseline", "candidate"])
def test_means_are_those_that_inspect_reports(
    side: str, files: Path, read: Callable[[str], ScoreColumns], mean: Callable[[ScoreColumns, str], float]
) -> None:
    scores = read(f"inspect/{side}.eval")
    header = json.loads(read_members(files / f"inspect/{side}.eval", ["header.json"], side)["header.json"])
    reported = {
        score["name"] if score["name"] == score["scorer"] else f"{score['scorer']}.{score['name']}": next(
            metric["value"] for name, metric in score["metrics"].items() if name in ("accuracy", "mean")
        )
        for score in header["results"]["scores"]
    }
    assert set(scores.metrics) == set(reported) == {"correct", "closeness", "form.ascii", "form.letters"}
    assert {metric: mean(scores, metric) for metric in scores.metrics} == pytest.approx(reported, abs=1e-12)


def test_a_json_log_holds_the_same_scores_as_the_archive(
    read: Callable[[str], ScoreColumns], told: Callable[[ScoreColumns], Rows]
) -> None:
    archive, document = read("inspect/candidate.eval"), read("inspect/candidate.json")
    assert told(archive) == told(document)
    assert {tags["language"] for tags in archive.tags} == {"ko", "en"}
    assert archive.tags[0] == {"language": "ko", "topic": "geography"}  # the list of choices is no tag


def test_samples_that_failed_and_scorers_without_a_value_say_why(
    read: Callable[[str], ScoreColumns], told: Callable[[ScoreColumns], Rows]
) -> None:
    missing = {key: why for key, (score, why) in told(read("inspect/candidate.eval")).items() if score is None}
    failed = "RuntimeError('응답 없음: the planted failure')"
    assert missing == {
        ("ko-science-3", "correct", 1): failed,
        ("ko-science-3", "closeness", 1): failed,
        ("ko-science-3", "form.ascii", 1): failed,
        ("ko-science-3", "form.letters", 1): failed,
        ("en-words-3", "closeness", 0): "grader_failed",
        ("en-words-3", "closeness", 1): "grader_failed",
    }


# The values of `value_to_float` in inspect_ai.scorer 0.3.285; where it warns and says 0, there is no score.
@pytest.mark.parametrize(
    ("value", "score"),
    [
        ("C", 1.0),
        ("P", 0.5),
        ("I", 0.0),
        ("N", 0.0),
        ("Yes", 1.0),
        ("TRUE", 1.0),
        ("no", 0.0),
        ("False", 0.0),
        ("0.25", 0.25),
        (True, 1.0),
        (False, 0.0),
        (3, 3.0),
        (-0.5, -0.5),
        ("c", None),
        ("good", None),
        ("nan", None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
    ],
)
def test_values_become_numbers_as_inspect_makes_them(
    value: Any, score: float | None, write: Write, told: Callable[[ScoreColumns], Rows]
) -> None:
    found, why = told(scores_of(write(one_sample(value))))["a", "s0", 0]
    assert found == score
    assert bool(why) == (score is None)


def test_values_of_several_parts_are_a_metric_each(write: Write, told: Callable[[ScoreColumns], Rows]) -> None:
    rows = told(
        scores_of(
            write(
                one_sample({"form": "C", "facts": None}, [1, "P"]),
                one_sample(float("nan"), [0, "I"], id="b"),
                {"id": "c", "epoch": 2, "scores": {}, "error": {"message": "out of\ntime", "traceback": "…"}},
            )
        )
    )
    assert rows == {
        ("a", "s0.form", 0): (1.0, ""),
        ("a", "s0.facts", 0): (None, "unscored"),
        ("a", "s1.0", 0): (1.0, ""),
        ("a", "s1.1", 0): (0.5, ""),
        ("b", "s0.form", 0): (None, "unscored"),
        ("b", "s0.facts", 0): (None, "unscored"),
        ("b", "s1.0", 0): (0.0, ""),
        ("b", "s1.1", 0): (0.0, ""),
        ("c", "s0.form", 1): (None, "out of time"),
        ("c", "s0.facts", 1): (None, "out of time"),
        ("c", "s1.0", 1): (None, "out of time"),
        ("c", "s1.1", 1): (None, "out of time"),
    }


def test_a_reason_of_an_older_release_is_found_in_the_metadata(
    write: Write, told: Callable[[ScoreColumns], Rows]
) -> None:
    score = {"value": float("nan"), "metadata": {"unscored_reason": "refusal"}}
    assert told(scores_of(write(one_sample(scores={"s": score}))))["a", "s", 0] == (None, "refusal")


def test_metadata_of_a_score_may_be_anything(write: Write, told: Callable[[ScoreColumns], Rows]) -> None:
    score = {"value": float("nan"), "metadata": "a text"}
    assert told(scores_of(write(one_sample(scores={"s": score}))))["a", "s", 0] == (None, "unscored")


def test_a_name_with_an_equals_sign_is_no_tag(write: Write) -> None:
    """Its slice would be called like one of another tag."""
    assert scores_of(write(one_sample(1, metadata={"a=b": "c", "d": "e"}))).tags == ({"d": "e"},)


@pytest.mark.parametrize("status", ["started", "cancelled", "error"])
def test_a_run_that_did_not_finish_is_refused(status: str, write: Write) -> None:
    with pytest.raises(DatasetError, match=rf"log\.json: status: the run did not finish .*'{status}'.*eval-retry"):
        scores_of(write(one_sample("C"), status=status))


def test_a_run_with_invalidated_samples_is_refused(write: Write) -> None:
    with pytest.raises(DatasetError, match=r"log\.json: invalidated: some samples were invalidated; run them again"):
        scores_of(write(one_sample("C"), invalidated=True))


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (None, r"samples\.0: expected a JSON object, got nothing"),
        (one_sample("C", id=None), r"samples\.0\.id: expected the id of a sample, got nothing"),
        (one_sample("C", id="a\nb"), r"samples\.0\.id: an id is printable text"),
        (one_sample("C", epoch=0), r"samples\.0\.epoch: expected a whole number from 1, got"),
        (one_sample("C", epoch=2**31), r"samples\.0\.epoch: expected a whole number from 1, got"),
        (one_sample(scores=[1]), r"samples\.0\.scores: expected a mapping of scorers, got a list"),
    ],
)
def test_a_wrong_sample_is_told_with_its_field(sample: Any, message: str, write: Write) -> None:
    with pytest.raises(DatasetError, match=message):
        scores_of(write(sample))


def test_every_wrong_sample_is_told_at_once_up_to_twenty(write: Write) -> None:
    with pytest.raises(DatasetError) as caught:
        scores_of(write(*(one_sample("C", id=f"{index}", epoch=0) for index in range(30))))
    assert [problem.field for problem in caught.value.problems] == [f"samples.{index}.epoch" for index in range(20)]


def test_two_samples_of_one_id_and_epoch_are_refused(write: Write) -> None:
    with pytest.raises(DatasetError, match=r"the score of s0 for 'a', sample 0, stands twice"):
        scores_of(write(one_sample("C"), one_sample("I")))


def test_a_log_without_samples_is_told(write: Write) -> None:
    with pytest.raises(DatasetError, match=r"samples: expected a list of samples, got nothing; .* without log_samples"):
        scores_of(write(samples=None))
