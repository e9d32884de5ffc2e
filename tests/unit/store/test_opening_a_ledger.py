from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from haetae.core.generation import Generation
from haetae.core.run import GenerationRow
from haetae.core.sample import Sample
from haetae.errors import ConfigError, MissingExtra, StoreError
from haetae.store import address
from haetae.store.database import Database
from haetae.store.file_systems import file_system_of
from haetae.store.health import findings, has_wal_race
from haetae.store.sql import SqlLedger, open_ledger
from haetae.store.tables import GENERATION


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    with open_ledger(f"sqlite:///{tmp_path}/새 폴더/ledger.db") as ledger:
        assert ledger.place == f"{tmp_path}/새 폴더/ledger.db"
        assert ledger.runs() == []


def test_a_reader_makes_nothing_and_says_what_to_run(path: Path, url: str) -> None:
    with pytest.raises(StoreError, match=rf"no ledger yet at {path}; run haetae run"):
        open_ledger(url, readonly=True)
    assert not path.exists()


def test_an_empty_file_is_no_ledger_yet_for_a_reader(path: Path, url: str) -> None:
    path.touch()
    with pytest.raises(StoreError, match="no ledger yet"):
        open_ledger(url, readonly=True)
    assert path.stat().st_size == 0


def test_a_reader_reads_and_cannot_write(with_run: str) -> None:
    with open_ledger(with_run, readonly=True) as ledger:
        assert [run.id for run in ledger.runs()] == ["support.1"]
        with pytest.raises(StoreError, match="for reading only"):
            ledger.save_estimates("support.1", [])


def test_the_connections_are_set_for_durability(url: str) -> None:
    with open_ledger(url) as ledger:
        for read, expected in (
            ("journal_mode", "wal"),
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("busy_timeout", 30_000),
        ):
            found = ledger._database.write("asking", lambda c, p=read: c.exec_driver_sql(f"PRAGMA {p}").scalar())
            assert found == expected


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://h/d", "cannot be kept in mysql"),
        ("sqlite://", "write sqlite:///path"),
        ("sqlite:///:memory:", "write sqlite:///path"),
        ("ledger.db", "cannot be read"),
        ("", "cannot be read"),
        ("postgresql+psycopg2://u:hunter2@h/d", "cannot be kept in postgresql"),
        ("sqlite:///ledger.db?password=hunter2", "'sqlite:///ledger.db' is not a ledger"),
        ("postgresql://me:tulip#@hunter2@127.0.0.1:1/d", "has an @ in it: write that as %40"),
    ],
)
def test_another_kind_of_url_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        open_ledger(url)
    assert "hunter2" not in str(caught.value)


def test_plain_postgresql_means_psycopg_3() -> None:
    for url in ("postgresql://h/d", "postgres://h/d", "postgresql+psycopg://h/d"):
        assert address.parse_url(url).drivername == "postgresql+psycopg"


def test_a_missing_psycopg_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"pip install -e '\.\[postgres\]'"):
        open_ledger("postgresql://h/d")


def test_a_server_that_is_away_is_named_without_the_password() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match=r"postgresql\+psycopg://me:\*\*\*@127.0.0.1:1/d.*cannot be reached") as caught:
        open_ledger("postgresql://me:hunter2@127.0.0.1:1/d?password=hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database_is_left_alone(path: Path, url: str) -> None:
    path.write_text("the quarterly report, in plain text " * 40)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"{path}: file is not a database; .*choose another path"):
        open_ledger(url)
    assert path.read_bytes() == before


def test_a_folder_in_the_way_is_named(path: Path, url: str) -> None:
    path.mkdir()
    with pytest.raises(StoreError, match=rf"{path}: unable to open database file; it cannot be opened"):
        open_ledger(url)


def test_a_full_disk_says_where_and_how_much_is_free(with_run: str, path: Path) -> None:
    with open_ledger(with_run) as ledger:

        def fill(connection: object) -> None:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")  # SQLite's own full disk

        ledger._database.write("filling", fill)
        with pytest.raises(StoreError, match=rf"{path}: database or disk is full; the disk is full; .*bytes are free"):
            ledger.register("prompt", "long", {"text": "x" * 1_000_000}, ledger.run("support.1").started_at)
        assert ledger.run("support.1").id == "support.1"


def test_a_read_only_database_is_named(with_run: str) -> None:
    with open_ledger(with_run) as ledger, pytest.raises(StoreError, match="may not be written; check the permissions"):
        ledger._database.read("trying", lambda c: c.exec_driver_sql("DELETE FROM run"))


def test_a_damaged_ledger_is_found_and_never_made_anew(with_run: str, path: Path) -> None:  # STO-08
    with open_ledger(with_run) as ledger:
        for number in range(200):
            ledger.register("prompt", "p", {"n": number, "text": "x" * 500}, ledger.run("support.1").started_at)
    (path.parent / "ledger.db.0000.bak").write_bytes(path.read_bytes())
    assert [f.level for f in findings(with_run) if "whole" in f.message] == ["fine"]
    damaged = bytearray(path.read_bytes())
    damaged[40_960:45_056] = bytes(b ^ 0xFF for b in damaged[40_960:45_056])
    path.write_bytes(damaged)
    problems = [finding.message for finding in findings(with_run) if finding.level == "problem"]
    assert len(problems) == 1
    assert "ledger.db.0000.bak" in problems[0]
    assert path.read_bytes() == bytes(damaged)


def test_a_ledger_with_4_kb_flipped_anywhere_takes_no_more_rows(with_run: str, path: Path) -> None:  # STO-08
    with open_ledger(with_run) as ledger:
        at = ledger.run("support.1").started_at
        for number in range(400):
            ledger.register("prompt", "p", {"n": number, "text": "x" * 500}, at)
    copy = path.parent / "ledger.db.0002.bak"
    whole = path.read_bytes()
    copy.write_bytes(whole)
    places = range(0, len(whole) - 4096, len(whole) // 25 | 1)  # on the borders of pages and across them
    assert len(places) >= 25
    for place in places:
        flipped = bytes(b ^ 0xFF for b in whole[place : place + 4096])
        damaged = whole[:place] + flipped + whole[place + 4096 :]
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match=rf"{path}.* damaged.*restore a copy: {copy}"):
            open_ledger(with_run)
        assert path.read_bytes() == damaged
    path.write_bytes(whole)
    with open_ledger(with_run) as ledger:
        assert len(ledger.versions("prompt", "p")) == 400


def _flip(path: Path, text: bytes) -> None:
    """Every page in which a text stands."""
    damaged = bytearray(path.read_bytes())
    for page in range(0, len(damaged), 4096):
        if text in damaged[page : page + 4096]:
            damaged[page : page + 4096] = bytes(b ^ 0xFF for b in damaged[page : page + 4096])
    path.write_bytes(damaged)


def _written(url: str) -> None:
    with open_ledger(url) as ledger:
        run = ledger.resume("support.1")
        for number in range(400):
            ledger.register("prompt", "p", {"n": number, "text": "x" * 500}, run.started_at)
        samples = [Sample(f"s{number}", "question") for number in range(400)]
        answers = [GenerationRow(s.id, 0, f"g{s.id}", s.digest, Generation("answer " * 100)) for s in samples]
        ledger.record(run.id, samples, answers, [], run.started_at)


def test_damage_that_shows_in_the_middle_ends_all_writing(
    with_run: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # STO-08
    monkeypatch.setattr("haetae.store.sql.refuse_damaged", lambda database: None)  # as if it came about since
    _written(with_run)
    _flip(path, b"x" * 100)
    with open_ledger(with_run) as ledger:
        at = ledger.run("support.1").started_at
        with pytest.raises(StoreError, match="malformed; it is damaged, and nothing more is written to it"):
            ledger.register("prompt", "p", {"n": 400}, at)
        with pytest.raises(StoreError, match=rf"nothing more is written to .*: {path} is damaged; there is no backup"):
            ledger.save_estimates("support.1", [])
        assert ledger.run("support.1").id == "support.1"


def test_of_a_large_file_the_small_tables_are_looked_through_before_the_first_row(
    with_run: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # STO-08
    monkeypatch.setattr("haetae.store.damage._LOOKED_THROUGH", 0)
    _written(with_run)
    copy = path.with_name("ledger.db.0002.bak")
    copy.write_bytes(path.read_bytes())
    _flip(path, b"x" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"{path}.* damaged.*restore a copy: {copy}"):
        open_ledger(with_run)
    assert path.read_bytes() == before


def test_of_a_large_file_the_free_pages_are_looked_through_before_the_first_row(
    with_run: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # STO-08
    monkeypatch.setattr("haetae.store.damage._LOOKED_THROUGH", 0)
    _written(with_run)
    with open_ledger(with_run) as ledger:
        ledger._database.write("freeing", lambda c: c.execute(GENERATION.delete()))
    damaged = bytearray(path.read_bytes())
    free = (int.from_bytes(damaged[32:36], "big") - 1) * 4096  # of the list of free pages the first, by the header
    assert free > 0
    damaged[free : free + 4096] = bytes(b ^ 0xFF for b in damaged[free : free + 4096])
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match=r"is damaged .*freelist"):
        open_ledger(with_run)


def test_what_is_found_in_the_rest_of_a_large_file_ends_all_writing(
    with_run: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # STO-08
    monkeypatch.setattr("haetae.store.damage._LOOKED_THROUGH", 0)
    _written(with_run)
    copy = path.with_name("ledger.db.0002.bak")
    copy.write_bytes(path.read_bytes())
    _flip(path, b"answer answer")
    with open_ledger(with_run) as ledger:
        _looked(ledger)
        with pytest.raises(StoreError, match=rf"nothing more is .*: {path} is damaged \(.*\); restore a copy: {copy}"):
            ledger.register("prompt", "p", {"n": 400}, ledger.run("support.1").started_at)
        assert len(ledger.versions("prompt", "p")) == 400


def test_a_large_file_that_is_whole_is_written_while_it_is_looked_through(
    with_run: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:  # STO-08
    monkeypatch.setattr("haetae.store.damage._LOOKED_THROUGH", 0)
    _written(with_run)
    with open_ledger(with_run) as ledger:
        _looked(ledger)
        assert ledger.register("prompt", "p", {"n": 400}, ledger.run("support.1").started_at)[1]
    open_ledger(with_run).close()  # without waiting for its end
    assert caplog.messages == []
    assert [thread for thread in threading.enumerate() if thread.name == "haetae-looking"] == []


def _looked(ledger: SqlLedger) -> None:
    """Wait until it is looked through."""
    for thread in threading.enumerate():
        if thread.name == "haetae-looking":
            thread.join(60)


def test_a_doctor_of_nothing_makes_nothing(path: Path, url: str) -> None:
    assert [f.message for f in findings(url) if "no ledger yet" in f.message]
    assert not path.exists()


# sqlite.org/wal.html#walresetbug: 3.7.0 to 3.51.2, mended in 3.51.3 and in 3.50.7 and 3.44.6
@pytest.mark.parametrize(
    ("version", "racy"),
    [
        ((3, 6, 23), False), ((3, 7, 0), True), ((3, 40, 1), True), ((3, 44, 5), True), ((3, 44, 6), False),
        ((3, 50, 6), True), ((3, 50, 7), False), ((3, 51, 2), True), ((3, 51, 3), False), ((3, 52, 0), False),
    ],
)  # fmt: skip
def test_the_versions_with_the_wal_race_are_known(version: tuple[int, ...], racy: bool) -> None:
    assert has_wal_race(version) is racy


_MOUNTS = (
    "/dev/sda1 / ext4 rw 0 0\nhost:/x /mnt/team\\040share nfs4 rw 0 0\ntmpfs /mnt/team\\040share/here tmpfs rw 0 0\n"
)


def test_a_ledger_on_a_network_file_system_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:  # STO-07
    assert file_system_of(Path("/mnt/team share/a/ledger.db"), _MOUNTS) == "nfs4"
    assert file_system_of(Path("/mnt/team share/here/ledger.db"), _MOUNTS) == "tmpfs"
    assert file_system_of(Path("/mnt/team shared/ledger.db"), _MOUNTS) == "ext4"
    for kind in ("nfs4", "smb3", "lustre", "gpfs", "beegfs", "afs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone"):
        monkeypatch.setattr("haetae.store.file_systems.file_system_of", lambda _, kind=kind: kind)
        with pytest.raises(StoreError, match=rf"network file system \({kind}\).*local disk"):
            open_ledger(url)
        assert [f for f in findings(url) if f.level == "problem"]


def test_what_calls_itself_no_more_than_fuse_is_known_by_its_source() -> None:  # STO-07
    mounts = "/dev/sda1 / ext4 rw 0 0\nmountpoint-s3 /bucket fuse rw 0 0\nblobfuse2 /blob fuse rw 0 0\n"
    assert file_system_of(Path("/bucket/ledger.db"), mounts) == "fuse.mountpoint-s3"
    assert file_system_of(Path("/blob/ledger.db"), mounts) == "fuse.blobfuse2"


@pytest.mark.parametrize("kind", ["ext4", "overlay", "tmpfs", "fuseblk", "fuse.fuse-overlayfs", "fuse.gocryptfs"])
def test_a_ledger_on_a_local_disk_is_opened_without_a_word(
    monkeypatch: pytest.MonkeyPatch, url: str, kind: str
) -> None:
    monkeypatch.setattr("haetae.store.file_systems.file_system_of", lambda _: kind)
    open_ledger(url).close()
    assert not [f for f in findings(url) if kind in f.message]


@pytest.mark.parametrize("kind", ["9p", "virtiofs"])
def test_a_folder_that_a_host_lends_is_opened_with_a_warning_of_the_doctor(
    monkeypatch: pytest.MonkeyPatch, url: str, kind: str
) -> None:  # STO-07
    monkeypatch.setattr("haetae.store.file_systems.file_system_of", lambda _: kind)
    open_ledger(url).close()
    (said,) = [f for f in findings(url) if kind in f.message]
    assert said.level == "warning"
    assert "must not use the ledger at the same time" in said.message


def test_opening_an_up_to_date_ledger_does_not_import_alembic(with_run: str) -> None:
    program = (
        "import sys; from haetae.store.sql import open_ledger; ledger = open_ledger(sys.argv[1]); "
        "print(len(ledger.runs()), 'alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, with_run], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]


def test_writers_of_one_file_share_one_lock_and_readers_wait_for_none(with_run: str) -> None:
    one, two = (open_ledger(with_run) for _ in range(2))
    assert one._database._writing is two._database._writing
    seen = one._database.write("holding the lock", lambda _: [run.id for run in two.runs()])
    assert seen == ["support.1"]
    one.close()
    two.close()


def test_a_lock_held_by_another_program_is_waited_for(
    with_run: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # STO-04
    monkeypatch.setattr("haetae.store.database._BUSY_S", 0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, open_ledger(with_run) as ledger:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr("haetae.store.database.sleep", lambda _: other.rollback())
        version, new = ledger.register("prompt", "p", {"a": 1}, ledger.run("support.1").started_at)
        assert (version.number, new) == (1, True)


def test_a_lock_that_stays_is_reported_with_a_cure(with_run: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haetae.store.database._BUSY_S", 0.0)
    monkeypatch.setattr("haetae.store.database.PATIENCE_S", -1.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, open_ledger(with_run) as ledger:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process has kept it locked"):
            ledger.save_estimates("support.1", [])


def test_a_readonly_database_has_its_own_type_of_refusal(url: str) -> None:
    database = Database(address.parse_url(url), readonly=True)
    with pytest.raises(StoreError, match="for reading only"):
        database.write("writing", lambda _: None)
    database.close()
