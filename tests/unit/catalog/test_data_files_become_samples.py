from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haetae.catalog.dataset_file import open_dataset
from haetae.core.sample import Message, Sample, ToolCall, sample_from_json
from haetae.errors import DatasetError, MissingExtra

Write = Callable[[str, str | bytes], Path]
Rows = Callable[..., Path]


def _refusal(path: Path, root: Path, **options: Any) -> str:
    with pytest.raises(DatasetError) as caught:
        open_dataset(path, root=root, **options)
    return str(caught.value)


FULL = {
    "id": "a",
    "input": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
    "references": ["r1", "r2"],
    "contexts": [],
    "reference_contexts": ["c"],
    "tool_calls": [{"name": "f", "arguments": {"x": 1}}, {"name": "g"}],
    "metadata": {"language": "ko", "deep": {"n": [1, None]}},
}


def test_every_field_of_a_row_arrives(write_rows: Rows, project: Path) -> None:
    dataset = open_dataset(write_rows([FULL], "qa.v1.jsonl"), root=project)
    (sample,) = dataset
    assert (dataset.name, dataset.count, dataset.rejects) == ("qa.v1", 1, [])
    assert sample == Sample(
        id="a",
        input=(Message("system", "s"), Message("user", "q")),
        references=("r1", "r2"),
        contexts=(),
        reference_contexts=("c",),
        tool_calls=(ToolCall("f", {"x": 1}), ToolCall("g", {})),
        metadata={"language": "ko", "deep": {"n": [1, None]}},
    )


def test_absent_and_null_fields_are_the_same(write_rows: Rows, project: Path) -> None:
    bare = open_dataset(write_rows([{"id": "a", "input": "q"}], "a.jsonl"), root=project)
    null = open_dataset(write_rows([dict.fromkeys(FULL) | {"id": "a", "input": "q"}], "b.jsonl"), root=project)
    assert bare.version == null.version
    assert next(iter(null)) == Sample("a", "q")


_text = st.text(max_size=30) | st.sampled_from(["\ud835", "a\x00b", "가", "가", "👨‍👩‍👧", "\u202e", "\u2028", "\u200b"])
_texts = st.lists(_text, max_size=3)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)
_turns = st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": _text})
_calls = st.fixed_dictionaries({"name": _text.filter(bool), "arguments": st.dictionaries(_text, _json, max_size=3)})
_rows = st.fixed_dictionaries(
    {"input": _text.filter(bool) | st.lists(_turns, min_size=1, max_size=3)},
    optional={
        "id": st.text(max_size=20).filter(lambda s: s and s.isprintable()),
        "references": st.lists(_text, min_size=1, max_size=3),
        "contexts": _texts,
        "reference_contexts": _texts,
        "tool_calls": st.lists(_calls, max_size=2),
        "metadata": st.dictionaries(_text, _json, min_size=1, max_size=3),
    },
)


@given(row=_rows)
def test_any_row_comes_back_from_its_file_as_it_was(row: dict[str, Any], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("rows") / "data.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (sample,) = open_dataset(path, root=path.parent)
    written = sample.as_json()
    assert {name: value for name, value in written.items() if name in row} == row
    assert written.keys() - row.keys() <= {"id"}
    assert sample_from_json(written) == sample


def test_the_version_is_of_the_content_whatever_the_file(write: Write, write_rows: Rows, project: Path) -> None:
    rows = [
        {"id": "a", "input": '질문, "하나"', "reference": "답", "metadata": {"language": "ko"}, "contexts": ["c", ""]},
        {"id": "b", "input": "two\nlines", "metadata": {"language": "en"}},
    ]  # fmt: skip
    plain = write_rows(rows)
    turned = write(
        "turned.ndjson",
        "\ufeff\r\n"
        + "\r\n".join(json.dumps(dict(reversed(row.items())), ensure_ascii=False, indent=None) for row in rows),
    )
    packed = write("packed.jsonl.gz", gzip.compress(plain.read_bytes()))
    table = write(
        "t.csv",
        "metadata.language,id,input,reference,contexts\r\n"
        'ko,a,"질문, ""하나""",답,"[""c"",""""]"\r\n'
        'en,b,"two\nlines",,\r\n',
    )
    pq.write_table(pa.Table.from_pylist(rows), project / "p.parquet")
    versions = [open_dataset(p, root=project).version for p in (plain, turned, packed, table, project / "p.parquet")]
    assert versions[0].startswith("sha256:")
    assert len(versions[0]) == len("sha256:") + 64
    assert set(versions) == {versions[0]}


def test_the_version_changes_with_the_last_byte_the_order_and_not_with_a_limit(write_rows: Rows, project: Path) -> None:
    rows = [{"id": str(n), "input": "q"} for n in range(50)]

    def version(changed: list[Any], limit: int | None = None) -> str:
        return open_dataset(write_rows(changed), root=project, limit=limit).version

    same = version(rows)
    assert version([*rows[:-1], {"id": "49", "input": "Q"}]) != same
    assert version(rows[::-1]) != same
    assert version(rows[:-1]) != same
    assert version(rows, limit=3) == same


def test_a_limit_gives_the_first_samples(write_rows: Rows, project: Path) -> None:
    dataset = open_dataset(write_rows({"id": str(n), "input": "q"} for n in range(9)), root=project, limit=2)
    assert dataset.count == 2
    assert [sample.id for sample in dataset] == ["0", "1"]
    assert [sample.id for sample in dataset] == ["0", "1"]
    assert open_dataset(project / "data.jsonl", root=project, limit=99).count == 9


def test_numbers_as_ids_are_their_text(write_rows: Rows, project: Path) -> None:
    assert [s.id for s in open_dataset(write_rows([{"id": 7, "input": "q"}]), root=project)] == ["7"]
    assert "the id '7' stands twice, on lines 1 and 2" in _refusal(
        write_rows([{"id": 7, "input": "q"}, {"id": "7", "input": "q"}]), project
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"input": 5}, "input: expected text or a list of messages, got the number 5"),
        ({"input": []}, "input: missing"),
        ({"inptu": "q"}, "inptu: unknown field; did you mean input?"),
        ({"input": [{"role": "bot", "content": "x"}]}, "input.0.role: expected one of system, user"),
        ({"input": [{"role": "user"}]}, "input.0: expected {role, content}, got {role}"),
        ({"input": [{"role": "user", "content": 1}]}, "input.0.content: expected text, got the number 1"),
        ({"input": "q", "reference": ["a"]}, "reference: expected text, got a list; several answers go in references"),
        ({"input": "q", "reference": "a", "references": ["b"]}, "reference: given beside references"),
        ({"input": {"role": "user"}}, "input: expected text or a list of messages, got a mapping"),
        ({"input": "q", "references": "a"}, "references: expected a list of texts, got text 'a'"),
        ({"input": "q", "contexts": ["a", None]}, "contexts.1: expected text, got nothing"),
        ({"input": "q", "tool_calls": {}}, "tool_calls: expected a list of {name, arguments}, got a mapping"),
        ({"input": "q", "tool_calls": [{"name": "f", "args": {}}]}, "tool_calls.0: expected {name, arguments}"),
        ({"input": "q", "tool_calls": [{"name": 1}]}, "tool_calls.0.name: expected text"),
        (
            {"input": "q", "tool_calls": [{"name": "f", "arguments": "{}"}]},
            "tool_calls.0.arguments: expected a mapping",
        ),
        ({"input": "q", "metadata": "ko"}, "metadata: expected a mapping, got text 'ko'"),
        ({"input": "q", "id": ""}, "id: an id may not be empty"),
        ({"input": "q", "id": 1.5}, "id: expected text, got the number 1.5"),
        ({"input": "q", "id": "x" * 201}, "id: an id has at most 200 characters, got 201"),
        (["q"], "expected a JSON object, got a list"),
    ],
)
def test_a_row_of_another_shape_is_refused_at_its_field(row: Any, said: str, write_rows: Rows, project: Path) -> None:
    assert f"data.jsonl:2: {said}" in _refusal(write_rows([{"input": "fine"}, row]), project)


def test_every_fault_of_every_row_is_told_at_once(write_rows: Rows, project: Path) -> None:
    path = write_rows([{"id": "\x1b[31m", "metadata": 3}, {"input": "fine"}, {"input": None}])
    assert _refusal(path, project).splitlines() == [
        r"data.jsonl:1: id: an id is printable text, got '\x1b[31m'",
        "data.jsonl:1: metadata: expected a mapping, got the number 3",
        "data.jsonl:1: input: missing; expected text or a list of messages",
        "data.jsonl:3: input: missing; expected text or a list of messages",
    ]


def test_a_hopeless_file_is_given_up_after_a_hundred_problems(write_rows: Rows, project: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        open_dataset(write_rows([{}] * 500), root=project)
    assert len(caught.value.problems) == 101
    assert "stopped after 100 problems" in str(caught.value)


def test_a_file_of_one_id_is_given_up_after_a_hundred(write_rows: Rows, project: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        open_dataset(write_rows([{"id": "a", "input": "q"}] * 500), root=project)
    assert len(caught.value.problems) == 100


def test_an_id_like_one_made_from_content_is_no_silent_duplicate(write_rows: Rows, project: Path) -> None:
    (made,) = (sample.id for sample in open_dataset(write_rows([{"input": "q"}]), root=project))
    given_first = write_rows([{"id": made, "input": "r"}, {"input": "q"}])
    assert [sample.id for sample in open_dataset(given_first, root=project)] == [made, f"{made}#2"]
    said = _refusal(write_rows([{"input": "q"}, {"id": made, "input": "r"}]), project)
    assert f"data.jsonl:2: id: the id '{made}' stands twice, here and as one made from content" in said


def test_bad_rows_can_be_left_out_and_are_listed(write: Write, project: Path) -> None:
    lines = [
        '{"id": "a", "input": "1"}',
        "{",
        '{"id": "a", "input": "2"}',
        "",
        '{"id": "b"}',
        '{"id": "c", "input": "3"}',
    ]
    dataset = open_dataset(write("d.jsonl", "\n".join(lines)), root=project, skip_bad=True)
    assert [sample.id for sample in dataset] == ["a", "c"]
    assert dataset.count == 2
    assert [(problem.line, problem.field) for problem in dataset.rejects] == [(2, None), (3, "id"), (5, "input")]
    assert "the id 'a' stands twice, on lines 1 and 3" in str(dataset.rejects[1])


def test_memory_stays_small_whatever_the_size(project: Path) -> None:
    path = project / "big.jsonl"
    with path.open("w") as stream:
        for n in range(2000):
            stream.write(json.dumps({"id": str(n), "input": "x" * 10_000}) + "\n")
    tracemalloc.start()
    try:
        assert sum(1 for _ in open_dataset(path, root=project)) == 2000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 20_000_000
    assert peak < 2_000_000


def test_a_file_that_changes_after_its_check_is_not_read_on(write_rows: Rows, project: Path) -> None:
    rows = [{"id": str(n), "input": "q"} for n in range(3)]
    dataset = open_dataset(write_rows(rows), root=project)
    samples: Iterator[Sample] = iter(dataset)
    assert next(samples).id == "0"
    write_rows([*rows, {"id": "4", "input": "q"}])
    with pytest.raises(DatasetError, match="changed or vanished"):
        list(samples)
    with pytest.raises(DatasetError, match="changed or vanished"):
        next(iter(dataset))


def test_a_csv_may_use_semicolons_or_tabs(write: Write, project: Path) -> None:
    for delimiter, name in ((";", "a.csv"), ("\t", "a.tsv")):
        text = "\ufeff" + delimiter.join(("id", "input", "metadata.topic")) + "\n"
        text += delimiter.join(("1", "a, b", "x")) + "\n\n" + delimiter.join(("2", "c", "")) + "\n"
        assert list(open_dataset(write(name, text), root=project)) == [
            Sample("1", "a, b", metadata={"topic": "x"}),
            Sample("2", "c"),
        ]


def test_the_header_of_a_csv_is_checked(write: Write, project: Path) -> None:
    assert _refusal(write("a.csv", "id,inputs,id,metadata.\n1,2,3,4\n"), project).splitlines() == [
        "a.csv:1: no column is called input; there are id, inputs, id, metadata.",
        "a.csv:1:2: inputs: unknown column 'inputs'; did you mean input?",
        "a.csv:1:3: id: column 'id' stands twice",
        "a.csv:1:4: metadata.: unknown column 'metadata.'; did you mean metadata?",
    ]


def test_broken_quotes_bytes_and_lists_in_a_csv_are_named_by_line(write: Write, project: Path) -> None:
    raw = b'id,input,contexts\n1,a,[\n2,"b"c,\n3,' + b"\xb0\xa1,\n" + b'4,ok,\n5,"open\n'
    said = _refusal(write("a.csv", raw), project).splitlines()
    assert [line.partition(": ")[0] for line in said] == ["a.csv:2", "a.csv:3", "a.csv:4", "a.csv:6"]
    assert "contexts: expected a JSON list" in said[0]
    assert "not UTF-8 at byte 2 of the line" in said[2]
    dataset = open_dataset(project / "a.csv", root=project, skip_bad=True)
    assert [sample.id for sample in dataset] == ["4"]


def test_a_csv_with_old_line_ends_is_said(write: Write, project: Path) -> None:
    said = _refusal(write("a.csv", b"id,input\r1,a\r2,b\r"), project)
    assert said.startswith("a.csv:1: not CSV: ")
    assert said.endswith("its lines end in CR alone: save it with LF or CRLF")


def test_what_is_no_text_stands_in_a_csv_as_json(write: Write, project: Path) -> None:
    raw = (
        'input,relevant,tool_calls,metadata,metadata.topic\nq,"{""p2"": 2}","[{""name"": ""f""}]","{""n"": 1}",refund\n'
    )
    (sample,) = open_dataset(write("a.csv", raw), root=project)
    assert dict(sample.relevant) == {"p2": 2}
    assert sample.tool_calls[0].name == "f"
    assert dict(sample.metadata) == {"n": 1, "topic": "refund"}
    assert "a.csv:2: metadata: expected a mapping" in _refusal(write("a.csv", "input,metadata\nq,1\n"), project)


def test_parquet_takes_structs_flat_metadata_and_nothing(project: Path) -> None:
    rows = [
        {"id": "1", "input": "q", "metadata": {"a": 1.5, "b": None}, "metadata.c": "x", "contexts": ["k"]},
        {"id": "2", "input": "q", "metadata": {"a": float("nan"), "b": None}, "metadata.c": None, "contexts": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), project / "a.parquet")
    assert list(open_dataset(project / "a.parquet", root=project)) == [
        Sample("1", "q", contexts=("k",), metadata={"a": 1.5, "c": "x"}),
        Sample("2", "q"),
    ]


def test_parquet_values_that_are_no_json_are_named(project: Path, write: Write) -> None:
    table = pa.table({"input": ["q"], "metadata.at": pa.array([0], pa.timestamp("s"))})
    pq.write_table(table, project / "a.parquet")
    assert "a.parquet:1: metadata.at: expected text, a number, a list or a mapping, got datetime" in _refusal(
        project / "a.parquet", project
    )
    assert "cannot be read as Parquet" in _refusal(write("b.parquet", "nothing"), project)


def test_parquet_without_pyarrow_names_the_extra(write: Write, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "haetae.catalog.parquet", None)
    with pytest.raises(MissingExtra, match=r"pip install -e '\.\[parquet\]'"):
        open_dataset(write("a.parquet", "x"), root=project)
