"""The pace of endpoints, shared by all processes that keep their runs in one ledger.

Beside a ledger on SQLite it is a small file of its own, so that no call waits for a commit of results; it need not
survive a power loss and is not synced. On Postgres it is an unlogged table of the same database.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection

from haetae.core.pace import Pacing, Turn
from haetae.errors import StoreError
from haetae.store.faults import place, storing

_LONGEST_S: Final = 3_600.0
"""Time that lies further ahead was not reserved by anybody alive: the clock was set back."""
_LONGEST_HOLD_S: Final = 600.0
_BUSY_S: Final = 10.0

_TABLE = """CREATE {kind} TABLE IF NOT EXISTS endpoint_pace (
    endpoint TEXT PRIMARY KEY,
    requests {real} NOT NULL,
    tokens {real} NOT NULL,
    held {real} NOT NULL
)"""
_RESERVE = """INSERT INTO endpoint_pace AS p (endpoint, requests, tokens, held)
VALUES (:endpoint, {now} + :requests_s, {now} + :tokens_s, 0)
ON CONFLICT (endpoint) DO UPDATE SET
    requests = {start} + :requests_s,
    tokens = {start} + :tokens_s
RETURNING requests - :requests_s - {now}, held - {now}"""
_START = """{greatest}({now},
        CASE WHEN p.requests > {now} + :longest_s THEN {now} ELSE p.requests END,
        CASE WHEN p.tokens > {now} + :longest_s THEN {now} ELSE p.tokens END)"""
_HOLD = """INSERT INTO endpoint_pace AS p (endpoint, requests, tokens, held)
VALUES (:endpoint, {now}, {now}, {now} + :seconds)
ON CONFLICT (endpoint) DO UPDATE SET held = {greatest}({now} + :seconds,
    CASE WHEN p.held > {now} + :longest_s THEN {now} ELSE p.held END)"""
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
        self._url = sa.make_url("sqlite://").set(database=f"{ledger}.pace")
        self._monotonic = monotonic
        self._since = _boot()
        self._one_at_a_time = threading.Lock()
        words = {"now": ":now", "greatest": "max"}
        start = _START.format(**words)
        self._reserve = _RESERVE.format(start=start, **words)
        self._hold, self._held = _HOLD.format(**words), _HELD.format(**words)
        self._connection: sqlite3.Connection | None = None

    def reserve(self, endpoint: str, requests_s: float, tokens_s: float) -> Turn:
        row = self._do(self._reserve, endpoint, requests_s=requests_s, tokens_s=tokens_s, longest_s=_LONGEST_S)
        return _turn(row)

    def hold(self, endpoint: str, seconds: float) -> None:
        self._do(self._hold, endpoint, seconds=min(seconds, _LONGEST_HOLD_S), longest_s=_LONGEST_S)

    def held(self, endpoint: str) -> float:
        return _seconds(self._do(self._held, endpoint))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _do(self, statement: str, endpoint: str, **values: float) -> Sequence[float] | None:
        """One statement, which is one transaction; times of before this start of the machine mean nothing."""
        with self._one_at_a_time, storing(self._url, "pacing an endpoint"):
            given = {"endpoint": f"{self._since}/{endpoint}", "now": self._monotonic(), **values}
            rows: list[Sequence[float]] = self._connected().execute(statement, given).fetchall()
            return rows[0] if rows else None

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            file = self._url.database or ""
            self._connection = sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute(_TABLE.format(kind="", real="REAL"))
        return self._connection


class ServerPacing:
    """On every machine that reaches the server, by the server's clock."""

    def __init__(self, url: URL) -> None:
        self._url = url
        arguments = {"connect_timeout": 10, "application_name": "haetae"}
        self._engine = sa.create_engine(
            url, connect_args=arguments, pool_size=1, pool_pre_ping=True, isolation_level="AUTOCOMMIT"
        )
        words = {"now": "CAST(extract(epoch FROM statement_timestamp()) AS float8)", "greatest": "greatest"}
        self._reserve = sa.text(_RESERVE.format(start=_START.format(**words), **words))
        self._hold, self._held = sa.text(_HOLD.format(**words)), sa.text(_HELD.format(**words))
        self._one_at_a_time = threading.Lock()
        self._made = False

    def reserve(self, endpoint: str, requests_s: float, tokens_s: float) -> Turn:
        values = {"requests_s": requests_s, "tokens_s": tokens_s, "longest_s": _LONGEST_S}
        return _turn(self._do(self._reserve, endpoint, values))

    def hold(self, endpoint: str, seconds: float) -> None:
        self._do(self._hold, endpoint, {"seconds": min(seconds, _LONGEST_HOLD_S), "longest_s": _LONGEST_S})

    def held(self, endpoint: str) -> float:
        return _seconds(self._do(self._held, endpoint, {}))

    def close(self) -> None:
        self._engine.dispose()

    def _do(self, statement: sa.TextClause, endpoint: str, values: dict[str, float]) -> Sequence[float] | None:
        with self._one_at_a_time, storing(self._url, "pacing an endpoint"), self._engine.connect() as connection:
            if not self._made:
                _make(connection)
                self._made = True
            found = connection.execute(statement, {"endpoint": endpoint, **values})
            return found.fetchone() if found.returns_rows else None


def _make(connection: Connection) -> None:
    """Make the table where it is missing; two processes may find it missing at once."""
    connection.execute(sa.text("SELECT pg_advisory_lock(4850132)"))
    try:
        connection.execute(sa.text(_TABLE.format(kind="UNLOGGED", real="float8")))
    finally:
        connection.execute(sa.text("SELECT pg_advisory_unlock(4850132)"))


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
