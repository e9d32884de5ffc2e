"""The pace of endpoints, shared by all processes that keep their runs in one ledger.

Beside a ledger on SQLite it is a small file of its own, so that no call waits for a commit of results; it need not
survive a power loss and is not synced. On Postgres it is an unlogged table of the same database.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine

from haetae.core.pace import Pacing, Turn
from haetae.errors import StoreError
from haetae.store.faults import DAMAGED, error_code, place, storing
from haetae.store.server import server_pacer

_SET_BACK_S: Final = 60.0
"""What was written so long after now was written before the clock was set back, and means nothing any more."""
_LONGEST_HOLD_S: Final = 600.0
_BUSY_S: Final = 10.0
_NO_PACE: Final = DAMAGED | {"SQLITE_ERROR"}
"""What SQLite says of a file that is damaged, or whose table has other columns."""

_TABLE = """CREATE {kind} TABLE IF NOT EXISTS endpoint_pace (
    endpoint TEXT PRIMARY KEY,
    requests {real} NOT NULL,
    tokens {real} NOT NULL,
    held {real} NOT NULL,
    written {real} NOT NULL
)"""
_RESERVE = """INSERT INTO endpoint_pace AS p (endpoint, requests, tokens, held, written)
VALUES (:endpoint, {now} + :requests_s, {now} + :tokens_s, 0, {now})
ON CONFLICT (endpoint) DO UPDATE SET
    requests = {greatest}({now}, {requests}, {tokens}) + :requests_s,
    tokens = {greatest}({now}, {requests}, {tokens}) + :tokens_s,
    held = {held},
    written = {now}
RETURNING requests - :requests_s - {now}, held - {now}"""
_HOLD = """INSERT INTO endpoint_pace AS p (endpoint, requests, tokens, held, written)
VALUES (:endpoint, {now}, {now}, {now} + :seconds, {now})
ON CONFLICT (endpoint) DO UPDATE SET
    requests = {requests},
    tokens = {tokens},
    held = {greatest}({now} + :seconds, {held}),
    written = {now}"""
_KNOWN = "CASE WHEN p.written > {now} + {set_back_s} THEN {now} ELSE p.{column} END"
_HELD = "SELECT held - {now} FROM endpoint_pace WHERE endpoint = :endpoint"


class SharedPacing(Pacing, Protocol):
    """`haetae.core.pace.Pacing`, with connections to give back."""

    def close(self) -> None: ...


def open_pacing(url: URL, monotonic: Callable[[], float] = time.monotonic) -> SharedPacing:
    """The pacing that belongs to a ledger, opened when it is first used; each use may raise StoreError.

    `monotonic` is the clock that the processes of this machine share.
    """
    if url.get_backend_name() == "sqlite":
        return FilePacing(Path(place(url)), monotonic)
    return ServerPacing(url)


class FilePacing:
    """On one machine, by its monotonic clock, which all its processes share."""

    def __init__(self, ledger: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._file = Path(f"{ledger}.pace")
        self._url = sa.make_url("sqlite://").set(database=str(self._file))
        self._monotonic = monotonic
        self._since = _boot()
        self._one_at_a_time = threading.Lock()
        self._reserve, self._hold, self._held = _statements(":now", "max")
        self._connection: sqlite3.Connection | None = None

    def reserve(self, endpoint: str, requests_s: float, tokens_s: float) -> Turn:
        return _turn(self._do(self._reserve, endpoint, requests_s=requests_s, tokens_s=tokens_s))

    def hold(self, endpoint: str, seconds: float) -> None:
        self._do(self._hold, endpoint, seconds=min(seconds, _LONGEST_HOLD_S))

    def held(self, endpoint: str) -> float:
        return _seconds(self._do(self._held, endpoint))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _do(self, statement: str, endpoint: str, **values: float) -> Sequence[float] | None:
        """One statement, which is one transaction; times of before this start of the machine mean nothing."""
        with self._one_at_a_time, storing(self._url, "pacing an endpoint"):
            given = {"endpoint": f"{self._since}/{endpoint}", "now": self._monotonic(), **values}
            try:
                rows = self._execute(statement, given)
            except sqlite3.DatabaseError as exc:
                if error_code(exc) not in _NO_PACE:
                    raise
                self._begin_anew()
                rows = self._execute(statement, given)
            return rows[0] if rows else None

    def _execute(self, statement: str, given: Mapping[str, object]) -> list[Sequence[float]]:
        if self._connection is None:
            self._connection = self._open()
        rows: list[Sequence[float]] = self._connection.execute(statement, given).fetchall()
        return rows

    def _open(self) -> sqlite3.Connection:
        if self._file.is_symlink() or (self._file.exists() and not self._file.is_file()):
            kind = "a symbolic link" if self._file.is_symlink() else "no file"
            raise StoreError(
                f"{self._file} is {kind}: move it away; the pace of endpoints is kept there, in a new file"
            )
        connection = sqlite3.connect(self._file, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(_TABLE.format(kind="", real="REAL"))
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin_anew(self) -> None:
        """What is damaged or of another version is taken away: it need not survive."""
        self.close()
        self._connection = None
        for ending in ("", "-wal", "-shm"):
            Path(f"{self._file}{ending}").unlink(missing_ok=True)


class ServerPacing:
    """On every machine that reaches the server, by the server's clock."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._engine = server_pacer(url)
        now = "CAST(extract(epoch FROM statement_timestamp()) AS float8)"
        self._reserve, self._hold, self._held = map(sa.text, _statements(now, "greatest"))
        self._one_at_a_time = threading.Lock()
        self._made = False

    def reserve(self, endpoint: str, requests_s: float, tokens_s: float) -> Turn:
        return _turn(self._do(self._reserve, endpoint, {"requests_s": requests_s, "tokens_s": tokens_s}))

    def hold(self, endpoint: str, seconds: float) -> None:
        self._do(self._hold, endpoint, {"seconds": min(seconds, _LONGEST_HOLD_S)})

    def held(self, endpoint: str) -> float:
        return _seconds(self._do(self._held, endpoint, {}))

    def close(self) -> None:
        self._engine.dispose()

    def _do(self, statement: sa.TextClause, endpoint: str, values: dict[str, float]) -> Sequence[float] | None:
        with self._one_at_a_time, storing(self._url, "pacing an endpoint"):
            if not self._made:
                _make(self._engine)
                self._made = True
            with self._engine.connect() as connection:
                found = connection.execute(statement, {"endpoint": endpoint, **values})
                return found.fetchone() if found.returns_rows else None


def _statements(now: str, greatest: str) -> tuple[str, str, str]:
    """To reserve, to hold, and to ask what is held; in the words of one database."""
    columns = ("requests", "tokens", "held")
    known = {column: _KNOWN.format(now=now, set_back_s=_SET_BACK_S, column=column) for column in columns}
    reserve, hold = (text.format(now=now, greatest=greatest, **known) for text in (_RESERVE, _HOLD))
    return reserve, hold, _HELD.format(now=now)


def _make(engine: Engine) -> None:
    """Make the table where it is missing; two processes may find it missing at once.

    In one transaction: behind a pooler a lock of a session would be left with whoever has its connection next.
    """
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as connection, connection.begin():
        if connection.scalar(sa.text("SELECT to_regclass('endpoint_pace')")) is None:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(4850132)"))
            connection.execute(sa.text(_TABLE.format(kind="UNLOGGED", real="float8")))


def _turn(row: Sequence[float] | None) -> Turn:
    if row is None:
        raise StoreError("pacing an endpoint: the database gave nothing back")
    return Turn(max(0.0, row[0]), _left(row[1]))


def _seconds(row: Sequence[float] | None) -> float:
    return 0.0 if row is None else _left(row[0])


def _left(seconds: float) -> float:
    """What is left of a wait; one that is longer than any that is told belongs to a clock that was set back."""
    return seconds if 0 < seconds <= _LONGEST_HOLD_S else 0.0


def _boot() -> str:
    """Which start of the machine the monotonic clock counts from; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
