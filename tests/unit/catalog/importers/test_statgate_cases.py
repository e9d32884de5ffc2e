"""statgate's case files: statgate's own means, in each of its three formats, and how a wrong case is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from haetae.catalog.scores.source import scores_of
from haetae.core.score_columns import ScoreColumns
from haetae.errors import DatasetError

Rows = dict[tuple[str, str, int], tuple[float | None, str]]
HEAD = '{"case_id": "a", "score": 1}\n'


def test_means_are_those_that_statgate_reports(
    files: Path, read: Callable[[str], ScoreColumns], mean: Callable[[ScoreColumns, str], float]
) -> None:
    baseline, candidate = read("statgate/baseline.jsonl"), read("statgate/candidate.csv")
    for metric, report in (("score", "report_score.json"), ("passed", "report_pass_rate.json")):
        reported = json.loads((files / "statgate" / report).read_text("utf-8"))
        own = (mean(baseline, metric), mean(candidate, metric))
        assert own == pytest.approx((reported["baseline"]["mean"], reported["candidate"]["mean"]), abs=1e-12)
        assert own[1] - own[0] == pytest.approx(reported["mean_diff"], abs=1e-12)


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_its_three_formats_hold_the_same(
    suffix: str, read: Callable[[str], ScoreColumns], told: Callable[[ScoreColumns], Rows]
) -> None:
    lines, other = read("statgate/candidate.jsonl"), read(f"statgate/candidate.{suffix}")
    assert told(lines) == told(other)
    assert lines.tags == other.tags == ({"language": "ko"}, {"language": "en"})
    assert len(lines.ids) == 24


def test_a_case_may_be_called_by_each_of_its_names_and_have_either_measure(
    tmp_path: Path, told: Callable[[ScoreColumns], Rows]
) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(
        '{"case": "a", "passed": true, "metadata": {"lang": "ko"}}\n'
        "\n"
        '{"test_id": 7, "score": 0.25, "passed": null}\n'
        '{"id": "b", "score": 0, "passed": false, "run_index": 3}\n',
        "utf-8",
    )
    scores = scores_of(path)
    assert told(scores) == {
        ("a", "passed", 0): (1.0, ""),
        ("7", "score", 0): (0.25, ""),
        ("b", "score", 3): (0.0, ""),
        ("b", "passed", 3): (0.0, ""),
    }
    assert scores.tags[0] == {"lang": "ko"}


def test_a_line_that_only_has_an_id_and_a_score_is_a_plain_score_without_its_metric(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_text('{"id": "a", "score": 1}\n', "utf-8")
    with pytest.raises(DatasetError, match=r"scores\.jsonl:1: metric: missing"):
        scores_of(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"score": 1}', r":2: case_id: expected the id of a sample, got nothing"),
        ('{"case_id": "b"}', r":2: score: missing, and so is passed"),
        ('{"case_id": "b", "score": "high"}', r":2: score: expected a finite number, got text 'high'"),
        ('{"case_id": "b", "score": NaN}', r":2: score: expected a finite number, got"),
        ('{"case_id": "b", "passed": 1}', r":2: passed: expected true or false, got"),
        (
            '{"case_id": "b", "score": 1, "run_index": 2147483648}',
            r":2: run_index: expected a whole number from 0, got",
        ),
        ('{"case_id": "b", "score": 1, "run_index": -1}', r":2: run_index: expected a whole number from 0, got"),
        ('{"case_id": "a", "score": 0}', r"score of score for 'a', sample 0, stands twice, on lines 1 and 2"),
        ("{", r":2: not JSON"),
    ],
)
def test_a_wrong_case_is_told_with_its_field(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(HEAD + line + "\n", "utf-8")
    with pytest.raises(DatasetError, match=message):
        scores_of(path)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("b,high,,", r":3: score: expected a finite number, got text 'high'"),
        ("b,,maybe,", r":3: passed: expected true or false, got text 'maybe'"),
        ("b,1,,two", r":3: run_index: expected a whole number from 0, got text 'two'"),
        (",1,,", r":3: case_id: expected the id of a sample, got nothing"),
    ],
)
def test_a_wrong_cell_is_told_with_its_line(cells: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text(f"case_id,score,passed,run_index\na,1,yes,0\n{cells}\n", "utf-8")
    with pytest.raises(DatasetError, match=message):
        scores_of(path)


def test_a_wrong_case_of_a_list_is_told_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    path.write_text('[{"case_id": "a", "score": 1},\n {"case_id": "b"}]', "utf-8")
    with pytest.raises(DatasetError, match=r"cases\.json: 1\.score: missing, and so is passed"):
        scores_of(path)
