"""A copy of an SQLite ledger while it is written: one snapshot, looked through before it takes the old copy's place."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy.engine import URL

from haetae.errors import ConfigError, StoreError
from haetae.store.address import parse_url
from haetae.store.faults import DAMAGED, error_code, place, storing
from haetae.store.tables import METADATA


def backup_ledger(url: str, target: Path | None) -> tuple[Path, Mapping[str, int]]:
    """Copy the ledger to `target`, default beside it with `.bak` added; where the copy is, and its rows by table.

    Nobody waits: readers and writers of SQLite's write-ahead log do not stop one another. What was there stays
    until the copy is whole, and where anything is wrong with the copy it stays for good. Raises StoreError then,
    and ConfigError for a ledger that is no file.
    """
    address = parse_url(url)
    if address.get_backend_name() != "sqlite":
        server = URL.create("postgresql", address.username, None, address.host, address.port, address.database)
        database = server.render_as_string()
        raise ConfigError(
            f"a ledger on Postgres is copied by Postgres: pg_dump --format=custom --file=haetae.dump {database}"
        )
    source = Path(place(address))
    if not source.exists():
        raise StoreError(f"no ledger yet at {source}; run haetae run")
    target = source.with_name(f"{source.name}.bak") if target is None else target.absolute()
    if target.resolve() in {source.with_name(source.name + end).resolve() for end in ("", "-wal", "-shm")}:
        raise ConfigError(f"{target} is the ledger itself; name another file")
    if target.is_dir():
        raise ConfigError(f"{target} is a folder; name a file in it")
    partial = target.with_name(f".{target.name}.partial")
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
    try:
        with storing(address, f"copying the ledger to {target}"):
            rows = _copied(source, partial, target)
            _check(partial, rows)
        with _writing(target):
            _replace(partial, target)
    finally:
        with suppress(OSError):  # it was told why, where the folder is none
            partial.unlink(missing_ok=True)
    return target, rows


def _copied(source: Path, partial: Path, target: Path) -> Mapping[str, int]:
    """Copy one snapshot, in one step: in several, SQLite begins anew whenever another process has written."""
    with closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, isolation_level=None)) as ledger:
        ledger.execute("BEGIN")
        rows = _rows(ledger)
        with _writing(target), closing(sqlite3.connect(partial)) as written:
            ledger.backup(written)
    return rows


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """What is refused inside is refused to the copy, not to the ledger, which is only read."""
    try:
        yield
    except (OSError, sqlite3.Error) as exc:
        if error_code(exc) in DAMAGED:
            raise
        why = exc.strerror if isinstance(exc, OSError) else str(exc)
        room = f"; {shutil.disk_usage(target.parent).free:,} bytes are free there" if target.parent.is_dir() else ""
        raise StoreError(f"the copy {target} cannot be written: {why}{room}; the ledger is as it was") from exc


def _check(copy: Path, rows: Mapping[str, int]) -> None:
    with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        said = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
        lost = connection.execute("PRAGMA foreign_key_check").fetchmany(5)
        found = _rows(connection)
    if said != ["ok"] or lost or found != rows:
        wrong = (
            "; ".join(said) if said != ["ok"] else f"rows {found} instead of {rows}, {len(lost)} without their parent"
        )
        raise StoreError(f"the copy is not whole ({wrong}) and was thrown away; run haetae doctor")


def _rows(connection: sqlite3.Connection) -> Mapping[str, int]:
    """How many rows each table of ours has."""
    return {
        name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608  # our own names
        for name in METADATA.tables
    }


def _replace(partial: Path, target: Path) -> None:
    """Put the copy in its place, so that a power loss leaves the old one or the new."""
    partial.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
