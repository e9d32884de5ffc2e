"""How a Postgres server is connected to: by few connections, also through a pooler, and one that is gone is noticed.

What is set on the server lasts for a transaction, so that a pooler may give each another of its connections.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine

READERS: Final = 4
"""How many snapshots one process reads at once; one connection stays open for the next."""
_ARGUMENTS: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "application_name": "haetae",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""To libpq: a server that vanished without a word is noticed within a minute, not after the two hours of TCP. What the
URL says instead (`?sslmode=verify-full&connect_timeout=3`) goes before."""
_PATIENCE_OF_LOCKS: Final = "SET LOCAL idle_in_transaction_session_timeout = '60s'"
"""To the server: of a client that vanished in the middle of a transaction the locks do not outlive a minute."""


def server_writer(url: URL) -> Engine:
    """One connection, opened when it is first needed."""
    engine = _engine(url, pool_size=1, max_overflow=0)

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql(_PATIENCE_OF_LOCKS)

    return engine


def server_reader(url: URL) -> Engine:
    """A few connections whose transactions each see one snapshot."""
    return _engine(url, pool_size=1, max_overflow=READERS - 1, isolation_level="REPEATABLE READ")


def server_pacer(url: URL) -> Engine:
    """One connection on which every statement is a transaction."""
    return _engine(url, pool_size=1, max_overflow=0, isolation_level="AUTOCOMMIT")


def _engine(url: URL, **options: Any) -> Engine:
    arguments = {name: value for name, value in _ARGUMENTS.items() if name not in url.query}
    engine = sa.create_engine(url, connect_args=arguments, pool_pre_ping=True, hide_parameters=True, **options)
    event.listen(engine, "connect", _prepare_for_a_pooler)
    return engine


def _prepare_for_a_pooler(connection: Any, _record: object) -> None:
    """Behind a pooler no statement is kept prepared: the next transaction may meet a process that does not have it.

    A pooler shows, because the process that answers is another than the one that greeted.
    """
    answering = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
    connection.rollback()
    if answering != connection.info.backend_pid:
        connection.prepare_threshold = None
