"""What `haetae doctor` finds out about a ledger."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from haetae.errors import StoreError
from haetae.store.address import parse_url
from haetae.store.damage import damaged_text
from haetae.store.database import Database
from haetae.store.faults import place
from haetae.store.file_systems import lent_filesystem, network_filesystem
from haetae.store.schema import SCHEMA

_MENDED: Final = {(3, 44, 6), (3, 50, 7)}
_RACE: Final = "the WAL-reset race (mended in 3.51.3, 3.50.7 and 3.44.6)"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know. A `problem` needs mending, a `warning` needs knowing, what is `missing` may be missing."""

    level: Literal["fine", "missing", "warning", "problem"]
    message: str


def has_wal_race(version: tuple[int, ...]) -> bool:
    """Whether this SQLite can lose a transaction when two connections write and one resets the log.

    Versions 3.7.0 to 3.51.2 can, except 3.44.6 and 3.50.7. Source: sqlite.org/wal.html#walresetbug.
    """
    return (3, 7, 0) <= version <= (3, 51, 2) and version not in _MENDED


def risk_of_sharing() -> str | None:
    """What may become of an SQLite ledger that several processes write at once, and what to do; None where nothing."""
    if not has_wal_race(sqlite3.sqlite_version_info):
        return None
    return (
        f"SQLite {sqlite3.sqlite_version} has {_RACE}: processes that work on one run together can damage its ledger; "
        "keep it on Postgres (HAETAE_LEDGER=postgresql://…), take a newer SQLite, or work from one process"
    )


def open_to_all(path: Path) -> Path | None:
    """The ledger, or its folder, if anybody may write to it: answers and scores in it could be anybody's."""
    there = (place for place in (path.parent, path) if place.exists())
    return next((place for place in there if place.stat().st_mode & stat.S_IWOTH), None)


def findings(url: str) -> list[Finding]:
    """What is to be said of the ledger at `url`. Changes nothing. Raises ConfigError for a wrong URL."""
    address = parse_url(url)
    path = Path(place(address))
    if address.get_backend_name() == "sqlite":
        found = _file_findings(path)
        if not path.exists():
            return [*found, Finding("fine", f"no ledger yet at {path}; haetae run makes one")]
        if any(finding.level == "problem" for finding in found):
            return found
    else:
        found = []
    return [*found, _schema(Database(address, readonly=True))]


def _schema(database: Database) -> Finding:
    try:
        if database.read("reading the schema", SCHEMA.found) is None:
            return Finding("fine", f"no ledger yet at {place(database.url)}; haetae run makes one")
        SCHEMA.check(database)
    except StoreError as exc:
        return Finding("problem", str(exc))
    finally:
        database.close()
    return Finding("fine", f"the ledger {place(database.url)} has the schema {SCHEMA.revisions[-1]}")


def _file_findings(path: Path) -> list[Finding]:
    """What is to be said of one SQLite ledger. Reads the whole file once."""
    found = []
    version = sqlite3.sqlite_version
    if has_wal_race(sqlite3.sqlite_version_info):
        found.append(
            Finding(
                "warning",
                f"SQLite {version} has {_RACE}: two processes that write one ledger at the same moment can damage it; "
                "write from one process at a time, take a newer SQLite, or use Postgres",
            )
        )
    else:
        found.append(Finding("fine", f"SQLite {version}"))
    if kind := network_filesystem(path):
        found.append(Finding("problem", f"{path} lies on a network file system ({kind}); SQLite needs a local disk"))
    if kind := lent_filesystem(path):
        apart = "the host, and other machines that it is lent to, must not use the ledger at the same time"
        found.append(Finding("warning", f"{path} lies in a folder that a host lends to this machine ({kind}): {apart}"))
    if exposed := open_to_all(path):
        found.append(Finding("problem", exposed_text(exposed)))
    return [*found, _integrity(path)] if path.exists() else found


def exposed_text(exposed: Path) -> str:
    """What is wrong with a place that anybody may write to, and what to do."""
    return (
        f"anybody may write to {exposed}, so that what a ledger there holds may be anybody's; take that right from "
        f"others (chmod o-w {exposed}), or name a folder of your own with HAETAE_HOME"
    )


def _integrity(path: Path) -> Finding:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            said = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
            if said == ["ok"]:
                said = [
                    f"a row of {row[0]} without its {row[2]}" for row in connection.execute("PRAGMA foreign_key_check")
                ]
    except sqlite3.DatabaseError as exc:
        said = [str(exc)]
    return Finding("problem", damaged_text(path, said)) if said else Finding("fine", f"{path} is whole")
