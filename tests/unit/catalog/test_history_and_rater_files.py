"""Score files whose rows name a suite and run, or a rater: what is read, and how every mistake names its line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from haetae.catalog.scores.history import read_history
from haetae.catalog.scores.raters import read_raters
from haetae.errors import DatasetError

Write = Callable[..., Path]


@pytest.fixture
def lines(tmp_path: Path) -> Write:
    """A file of these rows; a text is a line as it is."""

    def write(*rows: Any) -> Path:
        path = tmp_path / "h.jsonl"
        path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), "utf-8")
        return path

    return write


def _row(run: str | None = "r1", sample: str = "a", score: Any = 1, suite: str | None = "shop", **more: Any) -> Any:
    named = {name: value for name, value in (("suite", suite), ("run", run)) if value is not None}
    return {**named, "id": sample, "metric": "right", "score": score, **more}


def _runs(path: Path, suite: str = "shop") -> list[str]:
    return list(read_history(path, path.name)[suite])


def test_runs_come_in_the_order_of_their_first_lines_whatever_the_order_of_their_rows(lines: Write) -> None:
    path = lines(_row("b"), "", _row("a"), _row("b", "z", 0), _row("a", "z", None, reason="timeout"))
    history = read_history(path, path.name)
    assert list(history["shop"]) == ["b", "a"]
    assert history["shop"]["b"].ids == ("a", "z")
    assert list(history["shop"]["b"].scores) == [1.0, 0.0]
    assert history["shop"]["a"].reasons == ("", "timeout")
    assert list(history["shop"]["a"].lines) == [3, 5]


def test_runs_come_in_the_order_of_their_times_where_they_have_some(lines: Write) -> None:
    at = "2026-01-0{}T06:00:00{}".format
    path = lines(_row("c", time=at(3, "Z")), _row("b", time=at(3, "+09:00")), _row("a", time=at(2, "")))
    assert _runs(path) == ["a", "b", "c"]
    assert _runs(lines(_row("b", time=20), _row("a", time=10.5), _row("b", "z", time=5))) == ["b", "a"]


def test_the_same_run_name_in_two_suites_is_two_runs(lines: Write) -> None:
    history = read_history(lines(_row("1"), _row("1", suite="docs"), _row(2, suite="docs")), "h.jsonl")
    assert {suite: list(runs) for suite, runs in history.items()} == {"shop": ["1"], "docs": ["1", "2"]}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([_row(run=None)], r"h\.jsonl:1: run: missing"),
        ([_row(), _row(suite=None)], r"h\.jsonl:2: suite: missing"),
        ([_row(run="")], r"1: run: may not be empty"),
        ([_row(run=["x"])], r"1: run: expected text, got a list"),
        ([_row(suite="a\tb")], r"1: suite: a suite is printable text"),
        ([_row(time="yesterday")], r"1: time: expected a time as in .*, got text '?yesterday"),
        ([_row(time=True)], r"1: time: expected a time"),
        (
            ["{" + '"suite": "s", "run": "r", "id": "a", "metric": "m", "score": 1, "time": 1e999}'],
            r"1: time: expected",
        ),
        ([_row("a", time=1), _row("b")], r"2: time: run 'b' of shop has none, and other runs do"),
        ([_row(score=True)], r"1: score: expected a number or null, got true; write 1 or 0"),
        (['{"suite": "s", "run": "r", "id": "a", "metric": "m", "score": NaN}'], r"1: score: expected a finite number"),
        ([_row(), _row()], r"2: the score of right for 'a', sample 0, stands twice, on lines 1 and 2"),
        ([_row(cluster="x"), _row(metric="other", cluster="y")], r"2: cluster: 'a' is in the cluster y here and in x"),
        ([_row(sutie="x")], r"1: sutie: unknown field"),
        (["[1]"], r"1: expected a JSON object, got a list"),
        (["{"], r"1: not JSON"),
        ([], r"h\.jsonl: holds no score"),
    ],
)
def test_every_mistake_of_a_history_names_its_line_and_field(lines: Write, rows: list[Any], told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        read_history(lines(*rows), "h.jsonl")


def test_twenty_mistakes_are_told_at_once(lines: Write) -> None:
    with pytest.raises(DatasetError) as caught:
        read_history(lines(*[_row(run=None, score="x")] * 30), "h.jsonl")
    assert len(caught.value.problems) == 20
    assert {problem.line for problem in caught.value.problems} == set(range(1, 11))


def test_more_rows_than_are_taken_at_once_are_all_there(lines: Write) -> None:
    path = lines(*[_row("r", f"s{n}", n % 2) for n in range(9_000)])
    columns = read_history(path, path.name)["shop"]["r"]
    assert len(columns.ids) == len(columns.scores) == 9_000
    assert columns.lines[-1] == 9_000


def test_a_blank_line_changes_nothing_but_the_numbers_of_lines(lines: Write) -> None:
    rows = [_row(run, f"s{n}", None if n == 3 else n / 4, tags={"k": str(n % 2)}) for run in "ab" for n in range(5)]
    plain, spaced = (read_history(lines(*more, *rows), "h.jsonl")["shop"] for more in ([], [""]))
    assert list(plain) == list(spaced) == ["a", "b"]
    for run, columns in plain.items():
        assert (columns.ids, columns.tags) == (spaced[run].ids, spaced[run].tags)
        assert repr(list(columns.scores)) == repr(list(spaced[run].scores))
        assert list(columns.lines + 1) == list(spaced[run].lines)


def test_one_row_amiss_among_sound_ones_is_found_in_its_line(lines: Write) -> None:
    rows = [_row("a", "s0"), _row("b", "s0"), _row("b", "s1", score="x"), _row("a", "s1")]
    with pytest.raises(DatasetError) as caught:
        read_history(lines(*rows), "h.jsonl")
    assert [(problem.line, problem.field) for problem in caught.value.problems] == [(3, "score")]


def test_human_scores_are_told_apart_by_their_raters(lines: Write) -> None:
    rows = [{"id": 7, "metric": "ok", "score": 1}, {"id": "7", "metric": "ok", "score": 0, "rater": "김"}]
    found = read_raters(lines(*rows), "h.jsonl")
    assert {rater: (columns.ids, list(columns.scores)) for rater, columns in found.items()} == {
        "human": (("7",), [1.0]),
        "김": (("7",), [0.0]),
    }


@pytest.mark.parametrize(
    ("more", "told"),
    [({"rater": ""}, r"1: rater: may not be empty"), ({"rater": None}, r"1: rater: expected text, got nothing")],
)
def test_a_rater_has_a_name(lines: Write, more: Any, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        read_raters(lines({"id": "a", "metric": "ok", "score": 1, **more}), "h.jsonl")


def test_one_rater_scores_an_answer_once(lines: Write) -> None:
    row = {"id": "a", "metric": "ok", "score": 1, "rater": "ann"}
    with pytest.raises(DatasetError, match=r"2: the score of ok for 'a', sample 0, stands twice"):
        read_raters(lines(row, row), "h.jsonl")
    assert set(read_raters(lines(row, {**row, "rater": "bo"}, {**row, "sample": 1}), "h.jsonl")) == {"ann", "bo"}


@pytest.mark.parametrize("read", [read_history, read_raters])
@pytest.mark.parametrize("name", ["h.jsonl", "h.jsonl.gz"])
def test_a_pipe_is_refused_and_not_waited_for(read: Callable[..., Any], name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DatasetError, match=r"h.jsonl: cannot be read: it is not a regular file"):
        read(tmp_path / name, "h.jsonl")
