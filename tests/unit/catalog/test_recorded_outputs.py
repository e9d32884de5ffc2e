from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from haetae.catalog.recorded import check_outputs, checked_outputs, open_outputs
from haetae.core.generation import Generation, Usage
from haetae.core.sample import ToolCall
from haetae.errors import DatasetError

Write = Callable[[str, str | bytes], Path]
Rows = Callable[..., Path]


def test_every_field_of_a_line_arrives(write_rows: Rows, project: Path) -> None:
    row = {
        "id": "a",
        "output": "\ud835 답",
        "contexts": ["c"],
        "tool_calls": [{"name": "f", "arguments": {"x": 1}}, {"name": "g"}],
        "usage": {"input": 10, "output": 5},
        "cost_usd": 0.5,
        "latency_s": 2,
        "model": "m",
        "finish_reason": "stop",
        "scores": {"exact": 1, "none": None},
        "win_probability": 0.7,
    }
    assert list(open_outputs(write_rows([row, {"id": 7, "output": ""}]), project)) == [
        (
            "a",
            Generation(
                output="\ud835 답",
                contexts=("c",),
                tool_calls=(ToolCall("f", {"x": 1}), ToolCall("g", {})),
                usage=Usage(input=10, output=5),
                cost_usd=0.5,
                latency_s=2.0,
                model="m",
                finish_reason="stop",
                recorded_scores={"exact": 1.0, "win_probability": 0.7},
                attempts=0,
            ),
        ),
        ("7", Generation("", attempts=0)),
    ]


def test_scores_alone_are_enough(write_rows: Rows, project: Path) -> None:
    path = write_rows([{"id": "a", "win_probability": 1}])
    scored = Generation("", recorded_scores={"win_probability": 1.0}, attempts=0)
    assert list(open_outputs(path, project)) == [("a", scored)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"output": "x"}, "id: missing"),
        ({"id": True, "output": "x"}, "id: expected text, got true"),
        ({"id": "a\nb", "output": "x"}, "id: an id is printable text"),
        ({"id": "a"}, "output: missing; expected text, or scores"),
        ({"id": "a", "output": 5}, "output: expected text, got the number 5"),
        ({"id": "a", "outptu": "x"}, "outptu: unknown field; did you mean output?; only numbers become scores"),
        ({"id": "a", "output": "x", "flag": True}, "flag: unknown field"),
        ({"id": "a", "scores": {"x": "1"}}, "scores.x: expected a number, got text '1'"),
        ({"id": "a", "scores": [1]}, "scores: expected a mapping of numbers, got a list"),
        ({"id": "a", "scores": {"x": 1}, "x": 2}, "x: given twice"),
        ({"id": "a", "output": "x", "latency_s": -1}, "latency_s: expected a number from 0 to 1,000,000,000,000"),
        ({"id": "a", "output": "x", "cost_usd": 1e308}, "cost_usd: expected a number from 0 to 1,000,000,000,000"),
        ({"id": "a", "output": "x", "usage": 3}, "usage: expected a mapping of token counts"),
        ({"id": "a", "output": "x", "usage": {"inputs": 3}}, "usage.inputs: unknown bucket; did you mean input?"),
        ({"id": "a", "output": "x", "usage": {"input": 1.5}}, "usage.input: expected a whole number from 0 to 1,"),
        ({"id": "a", "output": "x", "usage": {"input": 2**64 - 1}}, "usage.input: expected a whole number from 0 to"),
        ({"id": "a", "output": "\ud835", "usage": {"input": 10**400}}, "usage.input: expected a whole number from 0"),
        ({"id": "a", "output": "\ud835", "win": 10**400}, "win: unknown field"),
        ({"id": "a", "output": "\ud835", "tool_calls": [{"name": "f", "arguments": {"a": 10**400}}]}, "tool_calls.0"),
        ({"id": "a", "output": "x", "stages": [{"name": "s", "cost_usd": 1e308}]}, "stages.0.cost_usd: expected a nu"),
        ({"id": "a", "output": "x", "contexts": "c"}, "contexts: expected a list of texts"),
        ({"id": "a", "output": "x", "tool_calls": 3}, "tool_calls: expected a list"),
        ([], "expected a JSON object, got a list"),
    ],
)
def test_a_line_of_another_shape_is_refused_at_its_field(row: Any, said: str, write_rows: Rows, project: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        list(open_outputs(write_rows([{"id": "first", "output": "x"}, row]), project))
    assert f"data.jsonl:2: {said}" in str(caught.value)


def test_an_id_that_comes_twice_names_both_lines(write_rows: Rows, project: Path) -> None:
    path = write_rows([{"id": "a", "output": "x"}, {"id": "b", "output": "x"}, {"id": "a", "output": "y"}])
    with pytest.raises(DatasetError, match=r"data\.jsonl:3: id: the id 'a' stands twice, on lines 1 and 3"):
        list(open_outputs(path, project))


def test_nan_and_infinity_are_no_scores(write: Write, project: Path) -> None:
    for value in ("NaN", "Infinity", "1e999"):
        with pytest.raises(DatasetError, match=r"o\.jsonl:1: "):
            list(open_outputs(write("o.jsonl", f'{{"id": "a", "win": {value}}}'), project))


def test_a_file_that_cannot_be_opened_is_said_at_once(write: Write, project: Path) -> None:
    for path in (project / "none.jsonl", project / "../x.jsonl", write("o.csv", "id\n")):
        with pytest.raises(DatasetError):
            open_outputs(path, project)


@pytest.mark.parametrize("rows", [20, 20_000])
def test_a_file_is_checked_whole_with_eight_bytes_for_each_id(rows: int, write_rows: Rows, project: Path) -> None:
    path = write_rows([{"id": f"s{n}", "output": "x", "stages": [{"name": f"step {n % 2}"}]} for n in range(rows)])
    assert check_outputs(path, project) == ("step 0", "step 1")
    assert [name for name, _ in checked_outputs(path, project)] == [f"s{n}" for n in range(rows)]
    with path.open("a") as file:
        file.write('{"id": "s7", "output": "again"}\n')
    with pytest.raises(DatasetError, match=f"the id 's7' stands twice, on lines 8 and {rows + 1}"):
        check_outputs(path, project)
