"""What a database refuses, as a StoreError that says where, why and what to do."""

from __future__ import annotations

import shutil
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
    "SQLITE_NOTADB": "it is not an SQLite database; choose another path or move the file away",
    "SQLITE_CORRUPT": "it is damaged; run haetae doctor and restore a backup copy",
    "SQLITE_BUSY": "another process has kept it locked; wait for that process or end it",
    "SQLITE_IOERR": "the disk failed to read or write; check the disk and its free space",
}
_POSTGRES = {
    "28": "the server refused the user or the password; check the URL of the ledger",
    "3D": "there is no such database on the server; create it first",
    "42501": "the user may not do this; grant it the rights on the database",
    "25006": "the server takes no writes (a replica); use the address of the primary",
    "53100": "the server's disk is full; free some space and run the same command again: what was recorded is kept",
    "53300": "the server has no connection left; raise max_connections or use a pooler",
}
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
        except DBAPIError as exc:
            said = str(exc.orig).strip().partition("\n")[0]
            cure = _cure(exc, url)
            raise StoreError(f"{what}: the ledger {where}: {said}" + (f"; {cure}" if cure else "")) from exc


def error_code(exc: DBAPIError) -> str:
    """SQLite's primary error name or Postgres' SQLSTATE; "" when the server was never reached."""
    name = getattr(exc.orig, "sqlite_errorname", None)
    if name is not None:
        return "_".join(name.split("_")[:2])
    return getattr(exc.orig, "sqlstate", None) or ""


def is_away(exc: DBAPIError) -> bool:
    """Whether a server was not reached or ended the connection, rather than refused a statement."""
    if exc.connection_invalidated or error_code(exc) in _ENDED:
        return True
    return isinstance(exc, OperationalError | InterfaceError) and not error_code(exc) and "FATAL" not in str(exc.orig)


def _cure(exc: DBAPIError, url: URL) -> str:
    code = error_code(exc)
    if url.get_backend_name() == "sqlite":
        cure = _SQLITE.get(code, "")
        if code in {"SQLITE_FULL", "SQLITE_IOERR"}:
            cure += f" ({shutil.disk_usage(Path(place(url)).parent).free:,} bytes are free)"
        return cure
    if is_away(exc):
        return _AWAY
    if not code and isinstance(exc, OperationalError):
        return _REFUSED  # the server's greeting has no code
    return _POSTGRES.get(code) or _POSTGRES.get(code[:2], "")
