"""A copy of a ledger that is being written: one snapshot, checked before it takes the place of an older copy."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError, StoreError
from haetae.store import backup
from haetae.store.backup import backup_ledger
from haetae.store.pruning import compacting
from haetae.store.pruning.compacting import compact
from haetae.store.sql import open_ledger
from tests.unit.store.conftest import AT

MANIFEST = Manifest({}, {}, {}, {"exact": MetricFacts("exact", "1")})


def rows(copy: Path) -> list[int]:
    with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)) as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert ledger.execute("PRAGMA foreign_key_check").fetchall() == []
        return list(ledger.execute("SELECT (SELECT count(*) FROM generation), (SELECT count(*) FROM score)").fetchone())


def test_a_copy_that_is_made_while_a_run_writes_is_one_moment_of_it(url: str, path: Path) -> None:  # STO-21
    """Answers and scores are committed together: a copy has as many of the one as of the other."""
    stop, wrote = threading.Event(), threading.Event()

    def write() -> None:
        with open_ledger(url) as ledger:
            run = ledger.start("support", MANIFEST, 10**6, AT, 0, {})
            number = 0
            while not stop.is_set():
                samples = [Sample(f"s{n}", "q" * 500) for n in range(number, number + 20)]
                answers = [GenerationRow(s.id, 0, f"g{s.id}", s.digest, Generation("a" * 500)) for s in samples]
                scores = [ScoreRow(s.id, 0, "exact", f"e{s.id}", Score(1.0)) for s in samples]
                ledger.record(run.id, samples, answers, scores, AT)
                number += 20
                wrote.set()

    writing = threading.Thread(target=write)
    writing.start()
    try:
        assert wrote.wait(30)
        counts = []
        for number in range(5):
            wrote.clear()
            copy, told = backup_ledger(url, path.with_name(f"{number}.db"))
            assert rows(copy) == [told["generation"], told["score"]]
            counts.append(told["generation"])
            assert told["generation"] == told["score"]
            assert wrote.wait(30)  # the writer was not held up for good
    finally:
        stop.set()
        writing.join()
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


@pytest.mark.parametrize("wrong", ["integrity", "rows"])
def test_a_copy_that_is_not_whole_never_takes_the_place_of_an_older_one(
    with_run: str, path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    target, _ = backup_ledger(with_run, None)
    before = target.read_bytes()
    copied = backup._copied

    def spoiled(source: Path, copy: Path) -> Any:
        found = copied(source, copy)
        if wrong == "rows":
            with closing(sqlite3.connect(copy)) as connection, connection:
                connection.execute("DELETE FROM run")
        else:
            raw = bytearray(copy.read_bytes())
            raw[4096:8192] = bytes(4096)
            copy.write_bytes(raw)
        return found

    monkeypatch.setattr(backup, "_copied", spoiled)
    with pytest.raises(StoreError, match="copy"):
        backup_ledger(with_run, None)
    assert target.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir() if "partial" in entry.name] == []


def test_a_copy_that_was_cut_short_leaves_the_older_one(
    with_run: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, _ = backup_ledger(with_run, path.with_name("copy.db"))
    before = target.read_bytes()

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backup, "_check", cut)
    with pytest.raises(KeyboardInterrupt):
        backup_ledger(with_run, target)
    assert target.read_bytes() == before


def test_where_there_is_no_ledger_or_no_file_it_is_said(url: str, path: Path, with_run: str) -> None:
    with pytest.raises(StoreError, match="no ledger yet"):
        backup_ledger(f"{url}.none", None)
    with pytest.raises(ConfigError, match="is a folder"):
        backup_ledger(with_run, path.parent)
    with pytest.raises(ConfigError, match="is the ledger itself"):
        backup_ledger(with_run, path)


def test_a_ledger_on_postgres_names_the_command_that_copies_it_without_its_password() -> None:
    pytest.importorskip("psycopg")
    url = "postgresql://me:hunter2secret@db.example/evals?sslmode=require"
    with pytest.raises(ConfigError, match=r"pg_dump .* postgresql://me@db\.example/evals$") as raised:
        backup_ledger(url, None)
    assert "hunter2secret" not in str(raised.value)
    with pytest.raises(ConfigError, match=r"VACUUM \(FULL\)"):
        compact(url)


def test_compacting_says_what_it_needs_before_it_begins(
    with_run: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = compacting.shutil.disk_usage(path.parent)
    monkeypatch.setattr(compacting.shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(StoreError, match=r"needs [\d,]+ free bytes, twice what stays in it, and 100 are free"):
        compact(with_run)


def test_what_is_refused_to_the_copy_is_told_of_the_copy(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_ledger(url).close()
    file = path.with_name("a file")
    file.write_text("not a folder")
    with pytest.raises(StoreError, match=f"^the copy {file}/copy.bak cannot be written: File exists; the ledger is"):
        backup_ledger(url, file / "copy.bak")
    target = path.with_name("full.bak")

    class Full(sqlite3.Connection):
        def backup(self, *_: Any, **__: Any) -> None:
            raise sqlite3.OperationalError("database or disk is full")

    connect = sqlite3.connect
    monkeypatch.setattr(backup.sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Full))
    with pytest.raises(StoreError, match=rf"^the copy {target} cannot be written: database or disk is full; [\d,]+ by"):
        backup_ledger(url, target)
    assert not list(path.parent.glob("*.partial"))
