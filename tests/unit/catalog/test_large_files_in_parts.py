"""A large file is checked by several processes: what they say is what reading it row by row would say."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from haetae.catalog import dataset_file, parts
from haetae.catalog.dataset_file import open_dataset
from haetae.catalog.part import check_part
from haetae.errors import DatasetError

Write = Callable[[str, str | bytes], Path]
Rows = Callable[..., Path]

VARIED = (
    b"\xef\xbb\xbf"
    + b'{"id": "a", "input": "q", "reference": "r"}\r\n'
    + b"\n   \n"
    + '{"input": "한글", "references": ["하나", "둘"], "metadata": {"b": 1, "a": [1.50, null]}}\n'.encode()
    + b'{"input": "\\ud835 alone", "reference": "\\u0000", "id": 7}\n'
    + b'{"reference": "r", "input": [{"role": "user", "content": "q"}], "contexts": ["c"]}'
)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as large, and three processes read it."""
    monkeypatch.setattr(dataset_file, "LARGE", 0)
    monkeypatch.setattr(parts.os, "cpu_count", lambda: 3)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the processes said, file by file."""
    said: list[Any] = []

    def noting(path: Path, require: Any) -> Any:
        said.append(check_in_parts(path, require))
        return said[-1]

    check_in_parts = parts.check_in_parts
    monkeypatch.setattr(parts, "check_in_parts", noting)
    return said


def _facts(path: Path, root: Path, **options: Any) -> tuple[str, int, list[str]]:
    dataset = open_dataset(path, root=root, **options)
    return dataset.version, dataset.count, [sample.id for sample in dataset]


def test_the_parts_of_a_clean_file_say_what_its_rows_say(
    write: Write, project: Path, request: pytest.FixtureRequest, answers: list[Any]
) -> None:  # DAT-08
    path = write("data.jsonl", VARIED)
    row_by_row = _facts(path, project, require={"references": "rouge"}, limit=3)
    assert answers == []
    request.getfixturevalue("large")
    assert _facts(path, project, require={"references": "rouge"}, limit=3) == row_by_row
    longest = max(map(len, VARIED.splitlines(keepends=True)))
    assert answers == [parts.CleanFile(4, row_by_row[0].removeprefix("sha256:"), longest)]


@pytest.mark.parametrize("number", range(1, 9))
def test_a_file_may_be_cut_anywhere(number: int, write: Write) -> None:
    path = write("data.jsonl", VARIED)
    bounds = parts._bounds(path, number)
    assert len(bounds) == number + 1
    cut = [check_part(path, start, stop, {}) for start, stop in pairwise(bounds)]
    whole = check_part(path, 0, path.stat().st_size, {})
    rows, ids, contents = zip(*cut, strict=True)
    assert (max(rows), b"".join(ids), b"".join(contents)) == whole


def test_every_bad_row_of_a_large_file_is_named_by_its_line(
    write_rows: Rows, project: Path, large: None, answers: list[Any]
) -> None:  # DAT-01, DAT-02
    rows: list[Any] = [{"id": str(n), "input": "q", "reference": "r"} for n in range(40)]
    rows[11], rows[30] = {"id": "x", "inptu": "q", "reference": "r"}, {"id": "y", "input": "q"}
    path = write_rows(rows)
    with pytest.raises(DatasetError) as caught:
        open_dataset(path, root=project, require={"references": "rouge"})
    assert [(problem.line, problem.field) for problem in caught.value.problems] == [
        (12, "inptu"),
        (12, "input"),
        (31, "reference"),
    ]
    left = open_dataset(path, root=project, require={"references": "rouge"}, skip_bad=True)
    assert (left.count, sum(1 for _ in left)) == (38, 38)
    assert answers == [None, None]


def test_an_id_that_stands_in_two_parts_is_found(
    write_rows: Rows, project: Path, large: None, answers: list[Any]
) -> None:  # DAT-03
    rows = [{"id": str(n), "input": "q"} for n in range(40)]
    with pytest.raises(DatasetError) as caught:
        open_dataset(write_rows([*rows, {"id": "1", "input": "other"}]), root=project)
    assert str(caught.value) == "data.jsonl:41: id: the id '1' stands twice, on lines 2 and 41"
    assert answers == [None]


def test_the_same_content_in_two_parts_is_numbered(
    write_rows: Rows, project: Path, request: pytest.FixtureRequest, answers: list[Any]
) -> None:  # DAT-04
    path = write_rows([{"input": f"q{n % 20}"} for n in range(40)])
    row_by_row = _facts(path, project)
    request.getfixturevalue("large")
    assert _facts(path, project) == row_by_row
    assert row_by_row[2][20:] == [f"{name}#2" for name in row_by_row[2][:20]]
    assert answers == [None]


def test_a_file_is_read_row_by_row_where_no_process_can_be_started_well(
    write: Write, project: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, answers: list[Any]
) -> None:
    path = write("data.jsonl", VARIED)
    row_by_row = _facts(path, project)
    request.getfixturevalue("large")
    for program in ("/bin/false", str(project / "no-python")):
        monkeypatch.setattr(sys, "executable", program)
        assert _facts(path, project) == row_by_row
    assert answers == [None, None]


def test_a_row_over_the_limit_is_no_row_of_a_part(
    write: Write, project: Path, large: None, answers: list[Any]
) -> None:  # DAT-09
    path = write("data.jsonl", json.dumps({"input": "x" * 9_000_000}) + "\n" + json.dumps({"input": "q"}))
    (problem,) = open_dataset(path, root=project, skip_bad=True).rejects
    assert (problem.line, problem.message) == (1, "the row is over the limit of 8 MB")
    assert answers == [None]
