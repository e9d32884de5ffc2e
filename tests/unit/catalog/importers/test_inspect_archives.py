"""Archives of Inspect are read in memory and within limits, whatever is done to them."""

from __future__ import annotations

import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from haetae.catalog.scores.importers import inspect_archive
from haetae.catalog.scores.importers.inspect_archive import read_members
from haetae.catalog.scores.source import scores_of
from haetae.core.score_columns import ScoreColumns
from haetae.errors import DatasetError, MissingExtra

MEMBERS = ("header.json", "summaries.json")


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    def write_archive(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
        path = tmp_path / "log.eval"
        with zipfile.ZipFile(path, "w", compression) as written:
            for name, content in members.items():
                written.writestr(name, content)
        return path

    return write_archive


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_of_an_older_release_reads_alike(
    compression: int, files: Path, archive: Callable[..., Path], read: Callable[[str], ScoreColumns]
) -> None:
    now = read("inspect/candidate.eval")
    older = scores_of(archive(read_members(files / "inspect/candidate.eval", MEMBERS, "now"), compression))
    assert (older.ids, older.metrics, older.tags, older.reasons) == (now.ids, now.metrics, now.tags, now.reasons)
    assert older.scores.tobytes() == now.scores.tobytes()


def test_the_last_header_counts_as_inspect_appends_it(archive: Callable[..., Path]) -> None:
    path = archive({"header.json": b"old"})
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as written:
        written.writestr("header.json", b"new")
    assert read_members(path, MEMBERS, "log") == {"header.json": b"new"}


@pytest.mark.parametrize("name", ["../outside.json", "/outside.json", "samples/../../outside.json", "..\\outside.json"])
def test_a_member_that_leads_outside_is_refused_by_name(name: str, archive: Callable[..., Path]) -> None:
    path = archive({"header.json": b"{}", name: b"{}"})
    with pytest.raises(DatasetError) as caught:
        scores_of(path)
    assert str(caught.value) == f"{path}: the member {name!r} leads outside the archive"
    assert list(path.parent.iterdir()) == [path]


def test_a_member_over_the_limit_is_not_unpacked(archive: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect_archive, "MAX_DOCUMENT", 1000)
    with pytest.raises(DatasetError, match=r"log: header\.json: unpacks to over the limit"):
        read_members(archive({"header.json": bytes(1001)}), MEMBERS, "log")


def test_a_member_that_grows_too_much_is_not_unpacked(archive: Callable[..., Path]) -> None:
    path = archive({"header.json": bytes(65 * 1024**2)})
    assert path.stat().st_size < 100_000
    with pytest.raises(DatasetError, match=r"log: header\.json: grows over the limit of 200 times its size"):
        read_members(path, MEMBERS, "log")


def test_a_size_that_lies_stops_at_what_was_declared(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "lying.eval"
    raw = bytearray((files / "inspect/baseline.eval").read_bytes())
    place = raw.rindex(b"header.json")
    raw[place - 46 + 24 : place - 46 + 28] = struct.pack("<I", 10)  # the directory's own word for the size
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match=r"log: header\.json: is damaged"):
        read_members(path, MEMBERS, "log")


def test_a_damaged_member_is_told(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.eval"
    raw = bytearray((files / "inspect/baseline.eval").read_bytes())
    with zipfile.ZipFile(files / "inspect/baseline.eval") as whole:
        start = whole.getinfo("summaries.json").header_offset
    raw[start + 200] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match=r"summaries\.json: is damaged"):
        scores_of(path)


def test_a_cut_archive_is_told(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.eval"
    path.write_bytes((files / "inspect/baseline.eval").read_bytes()[:9000])
    with pytest.raises(DatasetError, match=r"cut\.eval: not a whole ZIP archive"):
        scores_of(path)


def test_an_encrypted_member_is_told(archive: Callable[..., Path]) -> None:
    path = archive({"header.json": b"{}"})
    raw = bytearray(path.read_bytes())
    for sign, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(sign) + flags] |= 1
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match=r"log: header\.json: is encrypted"):
        read_members(path, MEMBERS, "log")


def test_any_other_archive_is_no_log(archive: Callable[..., Path]) -> None:
    with pytest.raises(
        DatasetError, match=r"has no header\.json and no summaries\.json: not an Inspect log, or of a run"
    ):
        scores_of(archive({"data.csv": b"a,b"}))
    with pytest.raises(DatasetError, match=r"has no summaries\.json"):
        scores_of(archive({"header.json": b"{}"}))


def test_a_member_that_is_no_json_is_told_with_its_place(archive: Callable[..., Path]) -> None:
    with pytest.raises(DatasetError, match=r"log\.eval: summaries\.json:2:1: not JSON: "):
        scores_of(archive({"header.json": b"{}", "summaries.json": b"[\n"}))


def test_without_zstandard_the_command_to_install_it_is_told(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingExtra, match=r"zstandard is not installed; run in .*: pip install -e '\.\[inspect\]'"):
        scores_of(files / "inspect/baseline.eval")


def test_a_wrong_sum_is_damage_also_where_the_frame_is_sound(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "sum.eval"
    raw = bytearray((files / "inspect/baseline.eval").read_bytes())
    place = raw.rindex(b"header.json")
    raw[place - 46 + 16 : place - 46 + 20] = struct.pack("<I", zlib.crc32(b"other"))
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match=r"log: header\.json: is damaged: its size or its checksum"):
        read_members(path, MEMBERS, "log")
