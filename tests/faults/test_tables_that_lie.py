"""What a table says of itself may be wrong, by damage or on purpose: it is said, and nothing outside it is shown."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from haetae.catalog import arrow_sizes
from haetae.catalog.dataset_file import open_dataset
from haetae.errors import DatasetError

TABLE = pa.table(
    {
        "id": ["a", "b"],
        "input": ["abcdefg", "hijklmnopqr"],
        "contexts": [["x"] * 5, ["y"] * 9],
        "metadata.kind": pa.array(["u", "v"]).dictionary_encode(),
    }
)


def _arrow(path: Path, table: pa.Table = TABLE, *, stream: bool = False, compression: str | None = None) -> Path:
    options = pa.ipc.IpcWriteOptions(compression=compression)
    opened = (pa.ipc.new_stream if stream else pa.ipc.new_file)(str(path), table.schema, options=options)
    with opened as writer:
        writer.write_table(table)
    return path


def _said(path: Path) -> list[str]:
    with pytest.raises(DatasetError) as caught:
        open_dataset(path, root=path.parent)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("lie", [(0, 7, 2**30), (0, 2**30, 18), (-(2**30), 7, 18), (0, 7, 300)])
@pytest.mark.parametrize("stream", [False, True])
def test_a_text_that_would_lie_outside_its_column_is_never_read(
    lie: tuple[int, int, int], stream: bool, tmp_path: Path
) -> None:
    path = _arrow(tmp_path / "rows.arrow", stream=stream)
    content = path.read_bytes()
    assert content.count(struct.pack("<3i", 0, 7, 18)) == 1
    path.write_bytes(content.replace(struct.pack("<3i", 0, 7, 18), struct.pack("<3i", *lie)))
    assert all("input: cannot be read: " in problem for problem in _said(path))
    for sample in _left(path):
        assert sample.input in ("abcdefg", "hijklmnopqr")


def _left(path: Path) -> list[Any]:
    try:
        return list(open_dataset(path, root=path.parent, skip_bad=True))
    except DatasetError:
        return []


@pytest.mark.parametrize("lie", [(0, 5, 2**28), (0, -5, 14)])
def test_a_list_that_would_lie_outside_its_column_is_never_read(lie: tuple[int, int, int], tmp_path: Path) -> None:
    path = _arrow(tmp_path / "rows.arrow")
    path.write_bytes(path.read_bytes().replace(struct.pack("<3i", 0, 5, 14), struct.pack("<3i", *lie)))
    assert all("contexts: cannot be read: " in problem for problem in _said(path))


_READ_EACH = """
import sys
from pathlib import Path
from haetae.catalog.dataset_file import open_dataset
from haetae.errors import DatasetError
for path in sorted(Path(".").glob("damaged*")):
    print(path, flush=True)
    try:
        list(open_dataset(path, root=Path("."), skip_bad=True))
    except DatasetError:
        pass
print("all")
"""


@pytest.mark.parametrize("form", ["file", "stream", "compressed", "parquet"])
def test_no_byte_that_changed_ends_the_process(form: str, tmp_path: Path) -> None:
    whole = tmp_path / f"whole.{'parquet' if form == 'parquet' else 'arrow'}"
    if form == "parquet":
        pq.write_table(TABLE, whole)
    else:
        _arrow(whole, stream=form == "stream", compression="zstd" if form == "compressed" else None)
    content, chance = whole.read_bytes(), random.Random(5)  # noqa: S311  # the same bytes each time
    for number in range(500):
        damaged = bytearray(content)
        damaged[chance.randrange(len(damaged))] = chance.choice([0, 0x80, 0xFF, chance.randrange(256)])
        (tmp_path / f"damaged{number}{whole.suffix}").write_bytes(damaged)
    command = [sys.executable, "-c", _READ_EACH]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "all", done.stderr[-500:]


FAR = pa.array([1, 2**62])
BAD_TEXT = pa.Array.from_buffers(
    pa.string(), 2, [None, pa.py_buffer(struct.pack("<3i", 0, 1, 3)), pa.py_buffer(b"a\xff\xfe")]
)
ODD: dict[str, tuple[pa.Array, str]] = {
    "a key twice": (pa.array([[], [("k", "1"), ("k", "2")]], pa.map_(pa.string(), pa.string())), "duplicate keys"),
    "no text": (BAD_TEXT, "cannot be read: "),
    "a far time": (FAR.view(pa.timestamp("s")), "cannot be read: "),
    "a time of an unknown zone": (pa.array([None, 1], pa.timestamp("us", tz="Mars/Olympus")), "cannot be read: "),
    "a far day": (pa.array([None, 2**31 - 1], pa.int32()).view(pa.date32()), "cannot be read: "),
    "a far time of day": (pa.array([None, 2**62]).view(pa.time64("us")), "cannot be read: "),
    "a far duration": (pa.array([None, 2**62]).view(pa.duration("s")), "cannot be read: "),
    "a day": (pa.array([None, 5], pa.int32()).view(pa.date32()), "got date"),
    "bytes": (pa.array([None, b"x"]), "got bytes"),
}


@pytest.mark.parametrize("odd", ODD)
def test_a_value_that_is_no_json_is_said_with_its_row_and_column(odd: str, tmp_path: Path) -> None:
    column, why = ODD[odd]
    table = pa.table({"input": ["p", "q"], "metadata.x": column})
    last = _said(_arrow(tmp_path / "rows.arrow", table))[-1]
    assert last.startswith("rows.arrow:2: metadata.x: ")
    assert why in last


def test_a_struct_with_a_field_twice_is_said_with_its_row_and_column(tmp_path: Path) -> None:
    twice = pa.StructArray.from_arrays([pa.array(["1"]), pa.array(["2"])], names=["k", "k"])
    (said,) = _said(_arrow(tmp_path / "rows.arrow", pa.table({"input": ["q"], "metadata": twice})))
    assert said.startswith("rows.arrow:1: metadata: cannot be read: ")


@pytest.mark.parametrize("write", [_arrow, lambda path, table: pq.write_table(table, path)])
def test_a_column_that_stands_twice_is_refused(write: Callable[[Path, pa.Table], Any], tmp_path: Path) -> None:
    path = tmp_path / ("rows.arrow" if write is _arrow else "rows.parquet")
    write(path, pa.table([pa.array(["q"]), pa.array(["other"])], names=["input", "input"]))
    assert _said(path) == [f"{path.name}: input: column 'input' stands twice"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_a_record_batch_over_the_limit_is_refused(
    stream: bool, compression: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow_sizes, "MOST", 1024**2)
    large, small = pa.table({"input": ["z" * 2 * 1024**2]}), pa.table({"input": ["z" * 1000]})
    path = _arrow(tmp_path / "rows.arrow", large, stream=stream, compression=compression)
    allowed = _arrow(tmp_path / "small.arrow", small, stream=stream, compression=compression)
    assert "a record batch is over the limit" in _said(path)[0]
    assert open_dataset(allowed, root=tmp_path).count == 1


def test_a_parquet_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"input": ["z" * (80 * 1024**2)]}), tmp_path / "rows.parquet", compression="zstd")
    assert _said(tmp_path / "rows.parquet") == ["rows.parquet: it grows over the limit of 200 times its size"]


def test_an_arrow_file_without_its_end_is_no_shorter_dataset(tmp_path: Path) -> None:
    path = _arrow(tmp_path / "rows.arrow")
    path.write_bytes(path.read_bytes()[:-1])
    assert "cannot be read as Arrow: the file ends early" in _said(path)[0]
