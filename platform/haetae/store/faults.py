"""What a database refuses, as a StoreError that says where, why and what to do."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from haetae.errors import StoreError, boundary

_SQLITE = {
    "SQLITE_FULL": "the disk is full; free some space and run the same command again: what was recorded is kept",
    "SQLITE_READONLY": "it may not be written; check the permissions of the file and of its folder",
    "SQLITE_CANTOPEN": "it cannot be opened; check that its folder exists and may be written",
    "SQLITE_NOTADB": "it is not an SQLite database, or its beginning is damaged; choose another path or move it away",
    "SQLITE_CORRUPT": "it is damaged, and nothing more is written to it",
    "SQLITE_BUSY": "another process has kept it locked; wait for that process or end it",
    "SQLITE_IOERR": "the disk failed to read or write; check the disk and its free space",
}
DAMAGED = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})
_POSTGRES = {
    "28": "the server refused the user or the password; check the URL of the ledger",
    "3D": "there is no such database on the server; create it first",
    "42501": "the user may not do this; grant it the rights on the database",
    "25006": "the server takes no writes (a replica); use the address of the primary",
    "53100": "the server's disk is full; free some space and run the same command again: what was recorded is kept",
    "53300": "the server has no connection left; raise max_connections or use a pooler",
}
_GREETINGS = {
    "too many clients": _POSTGRES["53300"],
    "connection slots": _POSTGRES["53300"],
    "starting up": "the server is just starting; run the same command again",
    "shutting down": "the server is just stopping; run the same command again",
    "in recovery mode": "the server recovers from a crash; run the same command again",
}
"""How a server refuses a connection has no code, only words, which a server may say in its own language."""
_ENDED = {"57P01", "57P02", "57P03", "08000", "08001", "08003", "08004", "08006"}
_REFUSED = "check the address of the ledger"
_AWAY = "the server cannot be reached; check that it runs and that the address is right"


def place(url: URL) -> str:
    """Where the ledger is, for people: a path, or a URL without password and parameters."""
    if url.get_backend_name() == "sqlite":
        return url.database or ""
    return url.set(query={}).render_as_string(hide_password=True)


@contextmanager
def storing(url: URL, what: str) -> Iterator[None]:
    """Turn whatever the database raises inside into a StoreError. `what` says what was being done."""
    where = place(url)
    with boundary(StoreError, f"{what} (ledger {where})"):
        try:
            yield
        except (DBAPIError, sqlite3.Error) as exc:
            said = str(_of_driver(exc)).strip().partition("\n")[0]
            cure = _cure(exc, url)
            raise StoreError(f"{what}: the ledger {where}: {said}" + (f"; {cure}" if cure else "")) from exc


def error_code(exc: Exception) -> str:
    """SQLite's primary error name or Postgres' SQLSTATE; "" when the server was never reached."""
    name = getattr(_of_driver(exc), "sqlite_errorname", None)
    if name is not None:
        return "_".join(name.split("_")[:2])
    return getattr(_of_driver(exc), "sqlstate", None) or ""


def _of_driver(exc: Exception) -> object:
    """The driver's own error, of which SQLAlchemy makes one of its own."""
    return exc.orig if isinstance(exc, DBAPIError) else exc


def is_away(exc: Exception) -> bool:
    """Whether a server was not reached, took no connection or ended one, rather than refused a statement."""
    if (isinstance(exc, DBAPIError) and exc.connection_invalidated) or error_code(exc) in _ENDED:
        return True
    return isinstance(exc, OperationalError | InterfaceError) and not error_code(exc)


def copies_of(path: Path) -> str:
    """The backup copies beside a SQLite ledger, in words."""
    copies = sorted(str(copy) for copy in path.parent.glob(f"{path.name}*.bak"))
    return f"restore a copy: {', '.join(copies)}" if copies else "there is no backup copy beside it"


def _cure(exc: Exception, url: URL) -> str:
    code = error_code(exc)
    if url.get_backend_name() == "sqlite":
        path, cure = Path(place(url)), _SQLITE.get(code, "")
        if code in {"SQLITE_FULL", "SQLITE_IOERR"}:
            cure += f" ({shutil.disk_usage(path.parent).free:,} bytes are free)"
        if code in DAMAGED:
            cure += f"; {copies_of(path)}"
        return cure
    if not code and "FATAL" in str(_of_driver(exc)):
        return next((cure for words, cure in _GREETINGS.items() if words in str(_of_driver(exc))), _REFUSED)
    if is_away(exc):
        return _AWAY
    return _POSTGRES.get(code) or _POSTGRES.get(code[:2], "")
