"""How fast each format is checked and read, and in how much memory: `python tests/bench/dataset_bench.py [ROWS …]`.

Writes files of 100,000 and 1,000,000 rows, opens each in a process of its own (the check of every row, then one
iteration over all samples) and prints Markdown: rows per second of processor time of both, the peak of that process's
memory and its ratio between the two sizes. Rows that are given are on disk before the clock starts.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

SIZES = (100_000, 1_000_000)
_TEXT = "refund token invoice 배송 환불 비밀번호 account the of is 언제 how 어떻게 server port "

_READING = """
import resource, sys
from pathlib import Path
name, how = sys.argv[1:]
def cpu():
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)
def read(open_it):
    started = cpu()
    dataset = open_it()
    checked = cpu()
    count = sum(1 for _ in dataset)
    # not ru_maxrss, which starts at what the parent had
    peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(count, checked - started, cpu() - checked, peak, dataset.version)
if how == "given":
    import datasets
    from haetae.catalog.given_rows import kept_while
    with kept_while(datasets.Dataset.from_file(name), Path("given")) as given:
        read(lambda: given.open(limit=None, skip_bad=False, require={}))
else:
    from haetae.catalog.dataset_file import open_dataset
    read(lambda: open_dataset(Path(name), root=Path(".")))
"""


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Rows of a few hundred bytes that no compression shrinks to nothing."""
    chance = random.Random(7)  # noqa: S311  # rows that are always the same
    long = "".join(chance.choices(_TEXT, k=5_000))
    for number in range(count):
        at = chance.getrandbits(12)
        yield {
            "id": f"s{number}",
            "input": f"{long[at : at + 120]} {chance.getrandbits(64):x}",
            "references": [long[at + 120 : at + 170]],
            "contexts": [long[at + 170 : at + 250], f"{chance.getrandbits(128):x}"],
            "metadata": {"language": "ko" if at % 2 else "en", "topic": long[at : at + 3]},
        }


def _jsonl(count: int, opened: Any) -> None:
    with opened as stream:
        for row in rows(count):
            stream.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


def _csv(count: int, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "input", "references", "contexts", "metadata.language", "metadata.topic"])
        for row in rows(count):
            lists = [json.dumps(row[name], ensure_ascii=False) for name in ("references", "contexts")]
            writer.writerow([row["id"], row["input"], *lists, *row["metadata"].values()])


def _tables(count: int) -> Iterator[pa.Table]:
    chunk: list[dict[str, Any]] = []
    for row in rows(count):
        chunk.append(row)
        if len(chunk) == 10_000:
            yield pa.Table.from_pylist(chunk)
            chunk = []
    if chunk:
        yield pa.Table.from_pylist(chunk)


def _parquet(count: int, path: Path) -> None:
    table = pa.concat_tables(_tables(count))
    pq.write_table(table, path)  # row groups of a million rows: what other tools write


def _arrow(count: int, path: Path) -> None:
    tables = _tables(count)
    first = next(tables)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, first.schema) as writer:
        for table in (first, *tables):
            writer.write_table(table, max_chunksize=1_000)


def _saved(count: int, path: Path) -> None:
    path.mkdir()
    _arrow(count, path / "data-00000-of-00001.arrow")
    (path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    (path / "dataset_info.json").write_text("{}")


FORMATS: dict[str, tuple[str, Callable[[int, Path], None]]] = {
    "JSONL": ("rows.jsonl", lambda count, path: _jsonl(count, path.open("wb"))),
    "JSONL, gzip": ("rows.jsonl.gz", lambda count, path: _jsonl(count, gzip.GzipFile(path, "wb", 6))),
    "JSONL, bzip2": ("rows.jsonl.bz2", lambda count, path: _jsonl(count, bz2.BZ2File(path, "wb"))),
    "JSONL, xz": ("rows.jsonl.xz", lambda count, path: _jsonl(count, lzma.LZMAFile(path, "wb", preset=1))),  # noqa: SIM115
    "JSONL, zstandard": ("rows.jsonl.zst", lambda count, path: _jsonl(count, zstandard.open(path, "wb"))),
    "CSV": ("rows.csv", _csv),
    "Parquet": ("rows.parquet", _parquet),
    "Arrow": ("rows.arrow", _arrow),
    "a saved folder": ("saved", _saved),
    "a `datasets.Dataset` given": ("rows.arrow", _arrow),
}


def _read(folder: Path, name: str, how: str) -> tuple[int, float, float, float, str]:
    command = [sys.executable, "-c", _READING, name, how]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout.split()
    return int(said[0]), float(said[1]), float(said[2]), int(said[3]) / 1024, said[4]


def main(sizes: tuple[int, ...]) -> None:
    """Print the table."""
    print("| format | rows | MB | checked, rows per CPU s | read, rows per CPU s | peak RSS, MB | ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    versions: dict[int, set[str]] = {size: set() for size in sizes}
    for label, (name, write) in FORMATS.items():
        peaks: list[float] = []
        for size in sizes:
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch)
                write(size, folder / name)
                size_mb = sum(p.stat().st_size for p in (folder / name, *(folder / name).glob("*.arrow"))) / 1e6
                count, check_s, read_s, peak, version = _read(folder, name, "given" if "given" in label else "file")
            assert count == size
            versions[size].add(version)
            peaks.append(peak)
            ratio = f"{peak / peaks[0]:.2f}" if len(peaks) > 1 else ""
            rates = f"{count / check_s:,.0f} | {count / read_s:,.0f}"
            print(f"| {label} | {count:,} | {size_mb:,.0f} | {rates} | {peak:.0f} | {ratio} |", flush=True)
    assert all(len(found) == 1 for found in versions.values()), versions
    print(f"\nEvery format gave the same version. {time.strftime('%Y-%m-%d')}, Python {sys.version.split()[0]}.")


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or SIZES)
