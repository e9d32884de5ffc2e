"""What can be wrong with a compressed file, a table or a saved folder, and that it is said in bounded memory."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard

import datasets
from haetae.catalog import dataset_file, lines
from haetae.catalog.dataset_file import open_dataset
from haetae.errors import DatasetError, MissingExtra

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
}
ROWS = [{"id": f"s{n}", "input": f"{n} {os.urandom(40).hex()}"} for n in range(2_000)]
CONTENT = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def _refused(path: Path, **options: Any) -> str:
    with pytest.raises(DatasetError) as caught:
        open_dataset(path, root=path.parent, **options)
    return str(caught.value)


@pytest.mark.parametrize("compact", [0, 2**60])
@pytest.mark.parametrize("suffix", PACKERS)
def test_a_compressed_file_that_ends_early_is_no_shorter_dataset(
    suffix: str, compact: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_file, "COMPACT", compact)
    packed = PACKERS[suffix](CONTENT)
    for left in (len(packed) - 1, len(packed) // 2, 5):
        path = tmp_path / f"rows.jsonl.{suffix}"
        path.write_bytes(packed[:left])
        assert "cannot be read: " in _refused(path)
        assert "cannot be read: " in _refused(path, skip_bad=True)


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
def test_a_byte_that_changed_on_the_way_is_found(suffix: str, tmp_path: Path) -> None:
    packed = bytearray(PACKERS[suffix](CONTENT))
    packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / f"rows.jsonl.{suffix}"
    path.write_bytes(bytes(packed))
    assert _refused(path, skip_bad=True)


@pytest.mark.parametrize("suffix", PACKERS)
def test_what_is_not_the_format_of_its_name_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.csv.{suffix}"
    path.write_bytes(b"input\nwhat is this?\n")
    assert "cannot be read: " in _refused(path)


_BOMB = """
import sys
from pathlib import Path
from haetae.catalog.dataset_file import open_dataset
from haetae.errors import DatasetError
def peak():  # of this process alone: ru_maxrss starts at what its parent had
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
open_dataset(Path("small.jsonl"), root=Path("."))
before = peak()
try:
    open_dataset(Path(sys.argv[1]), root=Path("."), skip_bad=True)
except DatasetError as exc:
    print(exc)
print((peak() - before) // 1024)
"""


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_row_of_a_quarter_gigabyte_is_refused_in_bounded_memory(suffix: str, tmp_path: Path) -> None:  # DAT-13
    (tmp_path / "small.jsonl").write_text('{"input": "q"}\n')
    openers: dict[str, Any] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open, "zst": zstandard.open}
    options = {"gz": {"compresslevel": 1}, "xz": {"preset": 0}}.get(suffix, {})
    with openers[suffix](tmp_path / f"bomb.jsonl.{suffix}", "wb", **options) as stream:
        for _ in range(16):
            stream.write(bytes(16 * 1024**2))
    command = [sys.executable, "-c", _BOMB, f"bomb.jsonl.{suffix}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240, cwd=tmp_path)
    said, grown_mb = done.stdout.splitlines()
    assert said == f"bomb.jsonl.{suffix}: it grows over the limit of 200 times its size"
    assert int(grown_mb) < 100


def test_a_row_over_the_limit_in_a_compressed_file_leaves_the_others(tmp_path: Path) -> None:
    huge = json.dumps({"input": "x" * 9_000_000}).encode() + b"\n"
    for suffix, pack in PACKERS.items():
        path = tmp_path / f"rows.jsonl.{suffix}"
        path.write_bytes(pack(CONTENT + huge))
        left_out = open_dataset(path, root=tmp_path, skip_bad=True)
        assert (left_out.count, left_out.rejects[0].message) == (2_000, lines.LIMIT_MESSAGE)


def test_a_file_that_changes_between_two_readings_is_noticed_in_every_format(tmp_path: Path) -> None:  # DAT-12
    rows = datasets.Dataset.from_list(ROWS)
    rows.save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "rows.jsonl.xz").write_bytes(lzma.compress(CONTENT))
    for name, part in (("saved", "saved/data-00000-of-00001.arrow"), ("rows.jsonl.xz", "rows.jsonl.xz")):
        dataset = open_dataset(Path(name), root=tmp_path)
        os.utime(tmp_path / part, ns=(1, 1))
        with pytest.raises(DatasetError, match="changed or vanished"):
            list(dataset)


def test_a_broken_table_is_said(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(tmp_path / "rows.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    whole = (tmp_path / "rows.arrow").read_bytes()
    for content in (whole[: len(whole) // 2], b"ARROW1\0\0nothing", b"no arrow at all", b""):
        (tmp_path / "rows.arrow").write_bytes(content)
        assert "cannot be read as Arrow" in _refused(tmp_path / "rows.arrow")


@pytest.mark.parametrize("name", ["../outside.arrow", "/etc/passwd", "gone.arrow", "link.arrow"])
def test_a_saved_folder_names_only_its_own_files(name: str, tmp_path: Path) -> None:  # SEC-05
    datasets.Dataset.from_list(ROWS[:3]).save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "outside.arrow").write_bytes((tmp_path / "saved/data-00000-of-00001.arrow").read_bytes())
    (tmp_path / "saved/link.arrow").symlink_to(tmp_path / "outside.arrow")
    state = json.loads((tmp_path / "saved/state.json").read_text())
    state["_data_files"] = [{"filename": name}]
    (tmp_path / "saved/state.json").write_text(json.dumps(state))
    assert "state.json: " in _refused(tmp_path / "saved")


def test_a_saved_folder_without_its_list_is_said(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    for content in ("{}", "[]", "no json", '{"_data_files": [1]}'):
        (tmp_path / "saved/state.json").write_text(content)
        assert "lists no data files" in _refused(tmp_path / "saved")


def test_nothing_of_a_saved_folder_is_run(tmp_path: Path) -> None:  # DAT-14
    datasets.Dataset.from_list(ROWS[:3]).save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "saved/saved.py").write_text("raise SystemExit('run')")
    assert open_dataset(Path("saved"), root=tmp_path).count == 3


def test_without_zstandard_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows.jsonl.zst").write_bytes(PACKERS["zst"](CONTENT))
    monkeypatch.delitem(sys.modules, "haetae.catalog.zstd", raising=False)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingExtra, match=r"zstandard is not installed; .*\[zstd\]"):
        open_dataset(Path("rows.jsonl.zst"), root=tmp_path)
