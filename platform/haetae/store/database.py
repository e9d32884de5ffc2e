"""One database: a writing and a reading engine, and transactions that outlive the weather.

On SQLite every writing transaction begins with BEGIN IMMEDIATE (a transaction that reads first and
then writes would fail at once when another process committed in between, whatever the timeout), and
readers have an engine of their own, so that they never wait for a writer. One process has one
writing connection at a time: two of them can meet the WAL-reset race of SQLite before 3.51.3. How Postgres is
connected to stands in `server.py`.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from haetae.core.canonical import dumps
from haetae.core.clock import Clock, SystemClock
from haetae.errors import StoreError
from haetae.store.faults import DAMAGED, copies_of, error_code, is_away, place, storing
from haetae.store.server import server_reader, server_writer

T = TypeVar("T")

_log = logging.getLogger(__name__)
PATIENCE_S: Final = 60.0
"""How long a transaction is tried again while the database is away or busy."""
_BUSY_S: Final = 30.0
_AGAIN: Final = {
    "SQLITE_BUSY",
    "SQLITE_PROTOCOL",  # many processes open the file at once
    "40001",  # serialization
    "40P01",  # deadlock
    "23505",  # a number that was taken
    "53300",  # no connection left
}
_CACHE_KB: Final = 32 * 1024
"""Of a SQLite writer. Rows come in the order of hashes too: what does not fit here is read again for each of them."""
_CHECKPOINT_PAGES: Final = 8192
"""How long SQLite's log grows (32 MB) before it is written into the file: pages that change often are written once."""
_WRITING: Final[dict[str, threading.RLock]] = defaultdict(threading.RLock)


class Database:
    """Transactions on one URL. Safe to use from several threads.

    `again` counts how often a transaction had to be tried again. Once a SQLite file has shown to be damaged,
    nothing more is written to it: what is written over damage can damage more.
    """

    def __init__(self, url: URL, *, readonly: bool = False, enforcing: bool = True, clock: Clock | None = None) -> None:
        self.url = url
        self._clock = clock or SystemClock()
        self.readonly = readonly
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._writer = _sqlite_writer(url, enforcing) if self.is_sqlite else server_writer(url)
        self._reader = _sqlite_reader(url) if self.is_sqlite else server_reader(url)
        self._writing = _WRITING[str(url)]
        self._met = False
        self._damage = ""  # what was found, for people
        self.before_close: Callable[[], None] | None = None
        self.again = 0

    def read(self, what: str, work: Callable[[Connection], T]) -> T:
        """Do `work` on one snapshot of the database."""
        return self._transact(self._reader, what, work)

    def write(self, what: str, work: Callable[[Connection], T]) -> T:
        """Do `work` and commit it; on return it is on disk. `work` may be done more than once."""
        if self.readonly:
            raise StoreError(f"{what}: the ledger {place(self.url)} was opened for reading only")
        if self._damage:
            raise StoreError(f"{what}: nothing more is written to the ledger: {self._damage}")
        with self._writing:
            return self._transact(self._writer, what, work)

    def now(self, connection: Connection) -> datetime:
        """The time by the one clock of all who use this database: on Postgres its own, since the clocks of machines
        differ; on SQLite this machine's, whose processes alone use it."""
        if self.is_sqlite:
            return self._clock.now()
        told: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return told.astimezone(UTC)

    def from_now(self, span: timedelta) -> Any:
        """The time so long after `now`, as a value in a statement: on Postgres no question of its own."""
        return self._clock.now() + span if self.is_sqlite else sa.func.clock_timestamp() + span

    @property
    def dialect(self) -> sa.Dialect:
        return self._writer.dialect

    def bound(self, column: sa.Column[Any], value: Any) -> Any:
        """A value of a column as the driver takes it."""
        bind = column.type.dialect_impl(self.dialect).bind_processor(self.dialect)
        return value if bind is None else bind(value)

    def among(self, column: sa.ColumnElement[Any], values: Sequence[str]) -> sa.ColumnElement[bool]:
        """Whether a text column, as it is stored, is one of the values: one parameter, however many they are."""
        if not self.is_sqlite:
            return column == sa.any_(sa.bindparam(None, list(values), type_=sa.ARRAY(sa.Text())))
        listed = sa.func.json_each(sa.bindparam(None, dumps(list(values)), type_=sa.Text())).table_valued("value")
        return column.in_(sa.select(listed.c.value))

    def alone(self, what: str, statement: str) -> None:
        """Do one statement that Postgres takes outside transactions only."""
        with self._writing, storing(self.url, what), self._writer.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text(statement))

    def insert(self, table: sa.Table) -> Any:
        """An INSERT that knows ON CONFLICT, which has one form on both databases."""
        if self.is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # with every driver it knows: a fifth of SQLAlchemy's own import

        return postgresql.insert(table)

    def refuse_writes(self, damage: str) -> None:
        """From now on nothing is written. `damage` says for people what is wrong with the file."""
        self._damage = damage

    def close(self) -> None:
        if self.before_close is not None:
            self.before_close()
        self._writer.dispose()
        self._reader.dispose()

    def _transact(self, engine: Engine, what: str, work: Callable[[Connection], T]) -> T:
        until, pause = monotonic() + PATIENCE_S, 0.05
        with storing(self.url, what):
            while True:
                try:
                    with engine.begin() as connection:
                        done = work(connection)
                    self._met = True
                    return done
                except DBAPIError as exc:
                    if error_code(exc) in DAMAGED:
                        path = Path(place(self.url))
                        self.refuse_writes(f"{path} is damaged; {copies_of(path)}")
                    if not self._passing(exc) or monotonic() > until:
                        raise
                    self.again += 1
                    _log.warning("%s: %s; trying again", what, type(exc.orig).__name__)
                sleep(pause)
                pause = min(2 * pause, 2.0)

    def _passing(self, exc: DBAPIError) -> bool:
        """Whether the same transaction may succeed later. A server that was never met is not waited for."""
        if self.is_sqlite:
            return error_code(exc) in _AGAIN
        return (self._met and is_away(exc)) or error_code(exc) in _AGAIN


def _sqlite(url: URL, begin: str, prepare: Callable[[sqlite3.Connection], None], **options: Any) -> Engine:
    arguments = {"isolation_level": None, "check_same_thread": False, "timeout": _BUSY_S}
    engine = sa.create_engine(url, connect_args=arguments, poolclass=QueuePool, hide_parameters=True, **options)

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.create_function("lower", 1, _lower, deterministic=True)
        prepare(connection)

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _sqlite_writer(url: URL, enforcing: bool) -> Engine:
    prepare = _prepare_writer if enforcing else _prepare_unchecked
    return _sqlite(url, "BEGIN IMMEDIATE", prepare, pool_size=1, max_overflow=0)


def _sqlite_reader(url: URL) -> Engine:
    return _sqlite(url, "BEGIN", _prepare_reader)


def _prepare_writer(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power loss
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute("PRAGMA foreign_keys = ON")


def _prepare_unchecked(connection: sqlite3.Connection) -> None:
    """A writer that does not look whether a foreign key holds."""
    _prepare_writer(connection)
    connection.execute("PRAGMA foreign_keys = OFF")


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")


def _lower(text: str | bytes | float | None) -> str | bytes | float | None:
    """SQL's lower() for letters of every script; SQLite's own knows only ASCII."""
    return text.lower() if isinstance(text, str) else text
