"""What can be wrong with a data file, and that it is said at its row before the first call."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from haetae.catalog import lines
from haetae.catalog.dataset_file import open_dataset
from haetae.core.canonical import dumps, loads
from haetae.core.sample import sample_from_json
from haetae.errors import ConfigError, DatasetError, NoSamplesError
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def write(root: Path) -> Write:
    def _write(name: str, content: str | bytes) -> Path:
        path = root / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def _jsonl(rows: Iterable[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _refused(path: Path, root: Path, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        open_dataset(path, root=root, **options)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_broken_json_far_down_is_found_before_the_first_sample(write: Write, root: Path) -> None:  # DAT-01
    rows = _jsonl({"id": str(n), "input": "q"} for n in range(5016)) + '{"id": "x", "input": \n'
    path = write("data.jsonl", rows + _jsonl([{"id": "last", "input": "q"}]))
    assert _refused(path, root).startswith("data.jsonl:5017: not JSON at column ")
    dataset = open_dataset(path, root=root, skip_bad=True)
    assert dataset.count == 5017
    assert [problem.line for problem in dataset.rejects] == [5017]


def test_a_row_without_a_reference_is_named_where_one_is_required(write: Write, root: Path) -> None:  # DAT-02
    rows = [{"input": f"q{n}", "reference": "a"} for n in range(1, 61)]
    del rows[41]["reference"]
    path = write("data.jsonl", _jsonl(rows))
    assert _refused(path, root, require={"references": "rouge, bleu"}) == (
        "data.jsonl:42: reference: missing; needed by rouge, bleu. "
        "haetae run --skip-bad (in Python skip_bad=True) leaves such rows out"
    )
    assert open_dataset(path, root=root).count == 60


def test_an_id_that_stands_twice_names_both_lines(write: Write, root: Path) -> None:  # DAT-03
    rows = [{"id": f"s{n}", "input": "q"} for n in range(9)]
    path = write("data.jsonl", "\n" + _jsonl([*rows, {"id": "s3", "input": "other"}]))
    assert _refused(path, root) == "data.jsonl:11: id: the id 's3' stands twice, on lines 5 and 11"


def test_ids_made_from_content_do_not_depend_on_the_order(write: Write, root: Path) -> None:  # DAT-04
    rows = [{"input": f"q{n}", "metadata": {"n": n}} for n in range(20)]
    ids = {s.input: s.id for s in open_dataset(write("a.jsonl", _jsonl(rows)), root=root)}
    turned = {s.input: s.id for s in open_dataset(write("b.jsonl", _jsonl(rows[::-1])), root=root)}
    assert ids == turned
    assert len(set(ids.values())) == 20


def test_exact_duplicates_are_numbered(write: Write, root: Path) -> None:  # DAT-04
    same, other = {"input": "q"}, {"input": "r"}
    dataset = open_dataset(write("a.jsonl", _jsonl([same, other, same, same])), root=root)
    first, second, third, fourth = (sample.id for sample in dataset)
    assert [third, fourth] == [f"{first}#2", f"{first}#3"]
    assert second != first
    assert [sample.id for sample in dataset] == [first, second, third, fourth]


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_no_rows_are_0_samples(write: Write, root: Path, content: str) -> None:  # DAT-05
    assert "0 samples" in _refused(write("data.jsonl", content), root)
    assert "0 samples" in _refused(write("data.csv", "input\n" + content.strip("\ufeff")), root)


def test_a_limit_of_0_and_only_bad_rows_are_0_samples(write: Write, root: Path) -> None:  # DAT-05
    assert "0 samples: the limit is 0" in _refused(write("a.jsonl", _jsonl([{"input": "q"}])), root, limit=0)
    assert "0 samples: no row is a sample" in _refused(write("b.jsonl", "{\n"), root, skip_bad=True)


@pytest.mark.parametrize("cell", ["", "nan", "NaN", "None", "null"])
def test_nothing_in_an_input_is_missing_and_not_a_text(write: Write, root: Path, cell: str) -> None:  # DAT-06
    said = _refused(write("data.csv", f"id,input\n1,fine\n2,{cell}\n"), root)
    assert said.startswith("data.csv:3: input: missing")


def test_nothing_in_an_input_of_other_formats_is_missing(write: Write, root: Path) -> None:  # DAT-06
    path = write("data.jsonl", '{"input": "q"}\n{"input": null}\n{"input": ""}\n{"id": "x"}\n{"input": NaN}\n')
    said = _refused(path, root).splitlines()
    assert [line.partition(": ")[0] for line in said] == [f"data.jsonl:{n}" for n in (2, 3, 4, 5)]
    assert all("missing" in line for line in said[:3])
    assert "NaN is not JSON" in said[3]
    pq.write_table(pa.table({"input": pa.array([1.5, float("nan"), None])}), root / "data.parquet")
    said = _refused(root / "data.parquet", root).splitlines()
    assert [line.partition("; ")[0] for line in said[1:]] == [f"data.parquet:{n}: input: missing" for n in (2, 3)]


@pytest.mark.parametrize("number", ["-1e999", "[1, [1e400]]", '{"low": 1e999}'])
def test_a_number_that_no_machine_holds_is_named_and_not_stored_as_nothing(
    number: str, write: Write, root: Path
) -> None:  # DAT-06
    said = _refused(write("data.jsonl", f'{{"input": "q", "metadata": {{"price": {number}}}}}\n'), root)
    assert said == "data.jsonl:1: metadata: holds a number that is not finite"
    call = f'{{"name": "f", "arguments": {{"price": {number}}}}}'
    said = _refused(write("data.jsonl", f'{{"input": "q", "tool_calls": [{call}]}}\n'), root)
    assert said == "data.jsonl:1: tool_calls.0.arguments: holds a number that is not finite"


def test_csv_follows_rfc_4180_and_names_ragged_rows(write: Write, root: Path) -> None:  # DAT-07
    text = '\ufeffid;input;reference\r\n1;"two\r\nlines; ""quoted""";a\r\n2;b\r\n3;c;d;e\r\n4;ok;\r\n'
    assert _refused(write("data.csv", text), root).splitlines() == [
        "data.csv:4: the row has 2 columns, the header has 3",
        "data.csv:5: the row has 4 columns, the header has 3",
    ]
    dataset = open_dataset(root / "data.csv", root=root, skip_bad=True)
    assert [(s.id, s.input, s.references) for s in dataset] == [
        ("1", 'two\r\nlines; "quoted"', ("a",)),
        ("4", "ok", ()),
    ]


def test_one_huge_row_is_refused_by_a_named_limit_and_the_others_go_on(write: Write, root: Path) -> None:  # DAT-09
    huge = json.dumps({"id": "huge", "input": "x" * 50_000_000}) + "\n"
    rows = [json.dumps({"id": str(n), "input": "q"}) + "\n" for n in range(999)]
    path = write("data.jsonl", "".join([*rows[:500], huge, *rows[500:]]))
    assert _refused(path, root) == "data.jsonl:501: the row is over the limit of 8 MB"
    dataset = open_dataset(path, root=root, skip_bad=True)
    assert dataset.count == 999
    assert sum(1 for _ in dataset) == 999


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_the_limit_of_a_row_holds_in_every_format(write: Write, root: Path, name: str) -> None:  # DAT-09
    if name.endswith("csv"):
        write(name, "input\n" + "x" * 9_000_000 + "\nfine\n")
    else:
        pq.write_table(pa.table({"input": ["x" * 9_000_000, "fine"]}), root / name)
    (problem,) = open_dataset(root / name, root=root, skip_bad=True).rejects
    assert problem.message == "the row is over the limit of 8 MB"


TEXTS = ["한글", "한글", "👨‍👩‍👧", "\u202eabc", "a\u200bb", "a\u2028b", "a\x00b", "\ud835", "x\udc00", "\x1b[31m"]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_survive_exactly(write: Write, root: Path, text: str) -> None:  # DAT-10, DAT-11
    (sample,) = open_dataset(write("data.jsonl", json.dumps({"input": text, "references": [text]})), root=root)
    assert sample.input == text
    assert sample_from_json(loads(dumps(sample.as_json()))) == sample


@pytest.mark.parametrize("name", ["a\nb", "a\x00", "\ud835", "\x1b[0m", "\u202ea", "a\u200bb"])
def test_ids_are_printable(write: Write, root: Path, name: str) -> None:  # DAT-11, SEC-19
    said = _refused(write("data.jsonl", json.dumps({"id": name, "input": "q"})), root)
    assert said.startswith("data.jsonl:1: id: an id is printable text, got ")
    assert said.isascii()
    assert said.isprintable()


def test_a_file_replaced_between_two_readings_has_another_version(write: Write, root: Path) -> None:  # DAT-12
    before = open_dataset(write("data.jsonl", _jsonl([{"id": "1", "input": "q"}])), root=root)
    after = open_dataset(write("data.jsonl", _jsonl([{"id": "1", "input": "q "}])), root=root)
    assert before.version != after.version
    with pytest.raises(DatasetError, match="changed or vanished"):
        list(before)


def test_a_gzip_bomb_stops_at_the_ratio(write: Write, root: Path) -> None:  # DAT-13
    row = json.dumps({"input": "x" * 7_000_000}).encode() + b"\n"
    path = write("data.jsonl.gz", gzip.compress(row * 15))
    assert path.stat().st_size < 200_000
    assert _refused(path, root) == "data.jsonl.gz: it grows over the limit of 200 times its size"


def test_a_gzip_bomb_of_one_line_stops_too(write: Write, root: Path) -> None:  # DAT-13
    path = write("data.jsonl.gz", gzip.compress(b"0" * 100_000_000))
    assert "over the limit of 200 times" in _refused(path, root, skip_bad=True)


def test_a_gzip_that_unpacks_to_too_much_stops_at_the_size(
    write: Write, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # DAT-13
    monkeypatch.setattr(lines, "MAX_UNPACKED", 1000)
    path = write("data.jsonl.gz", gzip.compress(_jsonl({"id": str(n), "input": "q"} for n in range(99)).encode()))
    assert "it unpacks to over the limit" in _refused(path, root)


def test_broken_gzip_is_said(write: Write, root: Path) -> None:
    for content in (b"no gzip", gzip.compress(b'{"input": "q"}\n')[:-9]):
        assert _refused(write("data.jsonl.gz", content), root).startswith("data.jsonl.gz: cannot be read: ")


def test_archives_are_not_opened(root: Path) -> None:  # DAT-13, SEC-18
    with zipfile.ZipFile(root / "data.zip", "w") as archive:
        archive.writestr("../x.jsonl", '{"input": "q"}')
    assert "unpack it first" in _refused(root / "data.zip", root)
    assert sorted(path.name for path in root.parent.iterdir()) == ["project"]


class _Canary:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._path),)


@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".joblib", ".pt", ".npy", ".PKL"])
def test_pickles_are_refused_by_name_and_nothing_runs(write: Write, root: Path, suffix: str) -> None:  # DAT-14
    payload = pickle.dumps(_Canary(root / "canary"))
    assert "pickle is not supported" in _refused(write(f"data{suffix}", payload), root)
    assert "data.jsonl:1: not UTF-8" in _refused(write("data.jsonl", payload), root)
    assert not (root / "canary").exists()


def test_loading_scripts_and_other_kinds_are_refused(write: Write, root: Path) -> None:  # DAT-14
    assert "remote code is not supported" in _refused(write("data.py", "print()"), root)
    assert "write one object a line" in _refused(write("data.json", "[]"), root)
    assert "a dataset is one of .jsonl" in _refused(write("data", "{}"), root)


@pytest.mark.parametrize("given", ["none.jsonl", "folder.jsonl", "../outside.jsonl", "link.jsonl", "pipe.jsonl", ""])
def test_what_is_no_regular_file_of_the_project_is_refused(root: Path, given: str) -> None:  # DAT-17, DAT-18, SEC-05
    (root.parent / "outside.jsonl").write_text('{"input": "q"}')
    (root / "folder.jsonl").mkdir()
    (root / "link.jsonl").symlink_to(root.parent / "outside.jsonl")
    os.mkfifo(root / "pipe.jsonl")
    said = _refused(root / given, root)
    assert any(why in said for why in ("does not exist", "is a directory", "outside the project", "not a regular file"))
    assert str(root) in said


def test_a_device_is_refused(root: Path) -> None:  # DAT-18
    assert "outside the project" in _refused(Path("/dev/zero"), root)
    assert "not a regular file" in _refused(Path("/dev/zero"), Path("/dev"))


def test_a_file_that_vanishes_is_said(write: Write, root: Path) -> None:  # DAT-17
    path = write("data.jsonl", '{"input": "q"}')
    dataset = open_dataset(path, root=root)
    path.unlink()
    with pytest.raises(DatasetError, match=r"data\.jsonl: the file changed or vanished"):
        list(dataset)


@pytest.mark.parametrize("depth", [62, 63, 300, 1_100, 10_000, 1_000_000])
def test_deep_json_is_refused_and_no_crash(write: Write, root: Path, depth: int) -> None:  # SEC-20
    deep = '{"input": "q", "metadata": {"a": ' + "[" * depth + "]" * depth + "}}\n"
    path = write("data.jsonl", deep + _jsonl([{"input": "r"}]))
    if depth == 62:  # and two mappings make 64
        assert open_dataset(path, root=root).count == 2
    else:
        said = _refused(path, root)
        assert said.startswith(("data.jsonl:1: metadata: nested over 64 levels", "data.jsonl:1: not JSON at column "))
        assert open_dataset(path, root=root, skip_bad=True).count == 1


@pytest.mark.parametrize("deep", [61, 62])
def test_the_arguments_of_a_tool_call_are_nested_as_little(write: Write, root: Path, deep: int) -> None:  # SEC-20
    nested = "[" * (deep - 1) + "]" * (deep - 1)
    call = '{"name": "f", "arguments": {"a": ' + nested + "}}"
    path = write("data.jsonl", '{"input": "q", "tool_calls": [' + call + "]}\n")
    if deep == 61:  # the row, the list, the call and 61
        assert open_dataset(path, root=root).count == 1
    else:
        assert _refused(path, root) == "data.jsonl:1: tool_calls.0.arguments: nested over 64 levels"


def test_a_row_that_looks_like_a_serialized_object_is_plain_data(write: Write, root: Path) -> None:  # SEC-25
    secret = {"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}
    (sample,) = open_dataset(write("a.jsonl", _jsonl([{"input": "q", "metadata": {"x": secret}}])), root=root)
    assert sample.metadata["x"] == secret
    assert "b.jsonl:1: lc: unknown field" in _refused(write("b.jsonl", _jsonl([secret | {"input": "q"}])), root)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://169.254.169.254/latest", "data:image/png;base64,AA=="])
def test_a_message_holds_text_and_no_image_to_fetch(write: Write, root: Path, url: str) -> None:  # SEC-26
    part = {"type": "image_url", "image_url": {"url": url}}
    said = _refused(write("data.jsonl", _jsonl([{"input": [{"role": "user", "content": [part]}]}])), root)
    assert said == "data.jsonl:1: input.0.content: expected text, got a list"
    said = _refused(write("b.jsonl", _jsonl([{"input": [{"role": "user", "content": "q", "image_url": url}]}])), root)
    assert said.startswith("b.jsonl:1: input.0: expected {role, content}, got ")


def test_a_gate_on_no_samples_is_no_verdict(tmp_path: Path) -> None:  # DAT-05
    (tmp_path / "samples.jsonl").touch()
    (tmp_path / "suite.yaml").write_text(
        "suite: s\ndataset: samples.jsonl\ntarget: { outputs: samples.jsonl }\nmetrics: { exact: exact_match }\n"
        "gate: { metrics: { exact: { max_drop: 0.05 } } }\n"
    )
    with Workbench(load_settings({}, tmp_path)) as bench:
        with pytest.raises(NoSamplesError, match="0 samples") as refused:
            bench.gate(tmp_path / "suite.yaml")
        assert refused.value.exit_code == 3
        with pytest.raises(NoSamplesError, match="0 samples") as refused:
            bench.run(tmp_path / "suite.yaml")
        assert refused.value.exit_code == 2
