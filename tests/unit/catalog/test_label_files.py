"""Files of human labels: what is read, and how every mistake names its line and field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from haetae.catalog.label_file import read_labels
from haetae.core.ledger import Annotation
from haetae.core.metric import MetricFacts
from haetae.errors import DatasetError

METRICS = {
    "polite": MetricFacts("judge", "1", low=1, high=5),
    "cost": MetricFacts("cost", "1", high=None),
    "depth": MetricFacts("depth", "1", low=None, high=0),
    "free": MetricFacts("free", "1", low=None, high=None),
}
ANSWERED = {("a", 0): True, ("a", 1): True, ("b", 0): False, ("7", 0): True}

Read = Callable[..., list[Annotation]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_these(*lines: str) -> list[Annotation]:
        path = tmp_path / "labels.jsonl"
        path.write_text("\n".join(lines), encoding="utf-8")
        return read_labels(path, METRICS, ANSWERED)

    return read_these


def test_a_label_names_its_sample_metric_score_and_rater(read: Read) -> None:
    assert read(
        '{"id": "a", "metric": "polite", "score": 4}',
        "",
        '{"id": "a", "metric": "polite", "score": 2.5, "rater": "김", "sample": 1}',
        '{"id": 7, "metric": "cost", "score": 1e9}',
    ) == [
        Annotation("a", "polite", "human", 4.0),
        Annotation("a", "polite", "김", 2.5, repeat=1),
        Annotation("7", "cost", "human", 1e9),
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": "z", "metric": "polite", "score": 3}', r"1: id: the run has no sample 'z'"),
        ('{"metric": "polite", "score": 3}', r"1: id: expected the id of a sample, got nothing"),
        ('{"id": true, "metric": "polite", "score": 3}', r"1: id: expected the id of a sample, got true"),
        ('{"id": "b", "metric": "polite", "score": 3}', r"1: id: the run has no answer to sample 'b'"),
        ('{"id": "a", "metric": "polite", "score": 3, "sample": 2}', r"1: sample: the run has no repeat 2 of it"),
        ('{"id": "a", "metric": "polite", "score": 3, "sample": "0"}', r"1: sample: expected the number of a repeat"),
        ('{"id": "a", "metric": "polit", "score": 3}', r"1: metric: .*\(polite, cost, depth, free\).*mean polite\?"),
        ('{"id": "a", "score": 3}', r"1: metric: expected a metric of the run"),
        ('{"id": "a", "metric": "polite", "score": 5.1}', r"1: score: 5\.1 is outside the scale of polite, 1 to 5"),
        ('{"id": "a", "metric": "cost", "score": -1}', r"1: score: -1 is outside the scale of cost, 0 or more"),
        ('{"id": "a", "metric": "depth", "score": 1}', r"1: score: 1 is outside the scale of depth, 0 or less"),
        ('{"id": "a", "metric": "free", "score": 1%s}' % ("0" * 400), r"1: score: .*numbers of double precision"),
        ('{"id": "a", "metric": "polite", "score": NaN}', r"1: not JSON.*NaN"),
        ('{"id": "a", "metric": "polite", "score": 1e999}', r"1: score: inf is outside the scale of polite"),
        ('{"id": "a", "metric": "polite", "score": null}', r"1: score: expected a number, got nothing"),
        ('{"id": "a", "metric": "polite", "score": true}', r"1: score: expected a number, got true; write 1 or 0"),
        ('{"id": "a", "metric": "polite", "score": "3"}', r"1: score: expected a number, got text '?3"),
        ('{"id": "a", "metric": "polite", "score": 3, "rater": " "}', r"1: rater: expected a name"),
        ('{"id": "a", "metric": "polite", "score": 3, "ratr": "x"}', r"1: ratr: unknown field; did you mean rater\?"),
        ("[1]", r"1: expected a JSON object, got a list"),
        ("{", r"1: not JSON"),
        ("", r"labels\.jsonl: holds no label"),
    ],
)
def test_every_mistake_names_its_line_and_field(read: Read, line: str, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        read(line)


def test_an_infinite_score_is_refused_even_on_an_open_scale(read: Read) -> None:
    with pytest.raises(DatasetError, match="1: "):
        read('{"id": "a", "metric": "free", "score": 1e999}')


def test_one_rater_labels_an_answer_once_a_file(read: Read) -> None:
    line = '{"id": "a", "metric": "polite", "score": 3, "rater": "ann"}'
    with pytest.raises(DatasetError, match=r"2: ann has labelled polite of 'a' in line 1"):
        read(line, line)
    assert len(read(line, line.replace("ann", "bo"), line.replace("polite", "cost"))) == 3


def test_twenty_mistakes_are_told_at_once(read: Read) -> None:
    with pytest.raises(DatasetError) as caught:
        read(*['{"id": "z", "metric": "polite", "score": 9}'] * 30)
    assert len(caught.value.problems) == 20
    assert {problem.line for problem in caught.value.problems} == set(range(1, 11))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.jsonl: cannot be read"):
        read_labels(tmp_path / "none.jsonl", METRICS, ANSWERED)
