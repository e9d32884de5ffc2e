"""The same samples in every format that is read: the same samples come out, under the same version."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import zstandard

import datasets
from haetae.catalog import dataset_file
from haetae.catalog.dataset_file import open_dataset
from haetae.core.sample import Sample

ROWS = [
    {
        "id": f"s{n}",
        "input": f'질문 {n}, 쉼표와 "따옴표"\n둘째 줄',
        "references": [f"답 {n}", "or this"],
        "contexts": [f"passage {n}"],
        "metadata": {"language": "ko" if n % 2 else "en"},
    }
    for n in range(700)
]


def _jsonl() -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def _csv(delimiter: str = ",") -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(["id", "input", "references", "contexts", "metadata.language"])
    for row in ROWS:
        lists = [json.dumps(row[name], ensure_ascii=False) for name in ("references", "contexts")]
        writer.writerow([row["id"], row["input"], *lists, row["metadata"]["language"]])  # type: ignore[index]
    return out.getvalue().encode()


def _zst(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


def _bytes(content: Callable[[], bytes]) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content())


def _ipc(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)


FORMATS: dict[str, Callable[[Path], Any]] = {
    "rows.jsonl": _bytes(_jsonl),
    "rows.ndjson": _bytes(_jsonl),
    "rows.csv": _bytes(_csv),
    "rows.tsv": _bytes(lambda: _csv("\t")),
    "rows.jsonl.gz": _bytes(lambda: gzip.compress(_jsonl())),
    "rows.jsonl.bz2": _bytes(lambda: bz2.compress(_jsonl())),
    "rows.jsonl.xz": _bytes(lambda: lzma.compress(_jsonl())),
    "rows.jsonl.zst": _bytes(lambda: _zst(_jsonl())),
    "rows.csv.gz": _bytes(lambda: gzip.compress(_csv())),
    "rows.csv.bz2": _bytes(lambda: bz2.compress(_csv())),
    "rows.csv.xz": _bytes(lambda: lzma.compress(_csv())),
    "rows.tsv.ZST": _bytes(lambda: _zst(_csv("\t"))),
    "rows.parquet": lambda path: pa.parquet.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=256),
    "whole.parquet": lambda path: pa.parquet.write_table(pa.Table.from_pylist(ROWS), path, compression="zstd"),
    "stream.arrow": _ipc,
    "file.arrow": lambda path: pa.feather.write_feather(pa.Table.from_pylist(ROWS), path, compression="uncompressed"),
    "saved": lambda path: datasets.Dataset.from_list(ROWS).save_to_disk(str(path), num_shards=3),
}


def _samples() -> list[Sample]:
    return [
        Sample(row["id"], row["input"], tuple(row["references"]), tuple(row["contexts"]), metadata=row["metadata"])  # type: ignore[arg-type]
        for row in ROWS
    ]


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("first") / "rows.jsonl"
    path.write_bytes(_jsonl())
    return open_dataset(path, root=path.parent).version


@pytest.mark.parametrize("checked_by", ["what keeps everything", "what keeps little"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_format_changes_no_sample_and_no_version(
    name: str, checked_by: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_file, "COMPACT", 0 if checked_by == "what keeps little" else 2**60)
    FORMATS[name](tmp_path / name)
    dataset = open_dataset(Path(name), root=tmp_path)
    assert list(dataset) == _samples()
    assert [sample.digest for sample in dataset] == [sample.digest for sample in _samples()]
    assert (dataset.version, dataset.count, dataset.name) == (version, len(ROWS), name.partition(".")[0])


@pytest.mark.parametrize("name", FORMATS)
def test_a_bad_row_is_named_by_its_place_in_every_format(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ROWS[600], "metadata", {"language": ""})
    monkeypatch.setitem(ROWS[600], "input", "")
    FORMATS[name](tmp_path / name)
    left_out = open_dataset(Path(name), root=tmp_path, skip_bad=True)
    (problem,) = left_out.rejects
    row = 601 if ".csv" not in name and ".tsv" not in name else 601 * 2  # each row of CSV takes two lines
    assert (problem.line, problem.field, left_out.count) == (row, "input", len(ROWS) - 1)


@pytest.mark.parametrize("name", FORMATS)
def test_an_id_that_stands_twice_is_named_in_every_format(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_file, "COMPACT", 0)
    monkeypatch.setitem(ROWS[600], "id", "s3")
    FORMATS[name](tmp_path / name)
    left_out = open_dataset(Path(name), root=tmp_path, skip_bad=True)
    assert "the id 's3' stands twice, on lines" in left_out.rejects[0].message


def test_rows_without_ids_are_numbered_the_same_by_both_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"input": f"q{n % 5}"} for n in range(12)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = []
    for compact in (0, 2**60):
        monkeypatch.setattr(dataset_file, "COMPACT", compact)
        dataset = open_dataset(Path("rows.jsonl"), root=tmp_path)
        found.append((dataset.version, [sample.id for sample in dataset]))
    assert found[0] == found[1]
    assert found[0][1][5].endswith("#2")


def test_files_that_were_joined_are_read_to_their_end(tmp_path: Path) -> None:
    half = b'{"id": "a", "input": "q"}\n', b'{"id": "b", "input": "q"}\n'
    packers = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": _zst}
    for suffix, pack in packers.items():
        (tmp_path / f"rows.jsonl.{suffix}").write_bytes(pack(half[0]) + pack(half[1]))
        assert [sample.id for sample in open_dataset(Path(f"rows.jsonl.{suffix}"), root=tmp_path)] == ["a", "b"]


def test_splits_that_were_saved_are_named_one_by_one(tmp_path: Path) -> None:
    rows = datasets.Dataset.from_list(ROWS[:10])
    datasets.DatasetDict({"train": rows, "test": rows}).save_to_disk(str(tmp_path / "both"))
    with pytest.raises(dataset_file.DatasetError, match=r"several splits; name one of them: .*both/test, .*both/train"):
        open_dataset(Path("both"), root=tmp_path)
    assert open_dataset(Path("both/test"), root=tmp_path).count == 10


def test_rows_that_were_filtered_before_saving_are_those_read(tmp_path: Path) -> None:
    chosen = datasets.Dataset.from_list(ROWS).select([5, 3])
    chosen.save_to_disk(str(tmp_path / "saved"))
    assert [sample.id for sample in open_dataset(Path("saved"), root=tmp_path)] == ["s5", "s3"]
