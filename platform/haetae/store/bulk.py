"""Many rows of one table in few statements, the way each database takes them fastest.

SQLite lets other threads of this process compute while a statement works, and takes the interpreter back after each:
many rows are one statement. Postgres takes rows by COPY into a temporary table, and one INSERT moves them on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count
from typing import Any, Final, Protocol
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from haetae.errors import StoreError

Values = Sequence[Any]
"""One row: what the driver takes, in the order of the columns."""

_SIZES: Final = (1024, 64)
"""Rows of one statement: the more, the fewer hand-overs; SQLite allows 32,766 values."""
_INTEGERS: Final = range(-(2**63), 2**63)


class Bulk(Protocol):
    """Writes rows into one table, inside the transaction of a connection."""

    def __call__(self, connection: Connection, rows: Sequence[Values]) -> None: ...


class ManyValues:
    """SQLite: INSERT … SELECT ?1, column1, … FROM (VALUES (?, …), …), of a few sizes that are prepared once each.

    What all its rows have alike is bound once: while values are bound, no other thread computes.
    """

    def __init__(self, upsert: sa.Insert, columns: Sequence[str], dialect: sa.Dialect) -> None:
        self._table = upsert.table
        self._columns = columns
        self._one = str(upsert.compile(dialect=dialect, column_keys=list(columns)))
        start, _, self._end = self._one.partition(f"({', '.join('?' * len(columns))})")
        self._start = start.removesuffix("VALUES ")
        self._many: dict[tuple[int, tuple[bool, ...]], str] = {}

    def __call__(self, connection: Connection, rows: Sequence[Values]) -> None:
        at = 0
        try:
            for size in _SIZES:
                while len(rows) - at >= size:
                    connection.exec_driver_sql(*self._statement(rows[at : at + size]))
                    at += size
            if at < len(rows):
                connection.exec_driver_sql(self._one, [tuple(row) for row in rows[at:]])
        except (DBAPIError, OverflowError, UnicodeError) as exc:
            refuse_unkeepable(self._table, self._columns, rows, exc)
            raise

    def _statement(self, rows: Sequence[Values]) -> tuple[str, tuple[Any, ...]]:
        """The statement for some rows, and its values: those of columns that are alike, then the others row by row."""
        columns = list(zip(*rows, strict=True))
        alike = [column[0] == column[-1] and column.count(column[0]) == len(rows) for column in columns]
        if all(alike):
            alike[-1] = False
        kind = (len(rows), tuple(alike))
        text = self._many.get(kind) or self._many.setdefault(kind, self._text(*kind))
        once = [column[0] for column, same in zip(columns, alike, strict=True) if same]
        others = [column for column, same in zip(columns, alike, strict=True) if not same]
        return text, (*once, *chain.from_iterable(zip(*others, strict=True)))

    def _text(self, size: int, alike: Sequence[bool]) -> str:
        once, others = count(1), count(1)
        taken = ", ".join(f"?{next(once)}" if same else f"column{next(others)}" for same in alike)
        one = f"({', '.join('?' * alike.count(False))})"
        rows = ", ".join([one] * size)
        return f"{self._start}SELECT {taken} FROM (VALUES {rows}) WHERE true{self._end}"  # noqa: S608  # no values


class Copied:
    """Postgres: COPY into a table of this transaction, then INSERT … SELECT with the upsert's own rules."""

    def __init__(self, upsert: Any, columns: Sequence[str], keys: Sequence[str]) -> None:
        self._table = upsert.table
        self._columns = columns
        self._keys = [columns.index(name) for name in keys]
        shape = crc32(" ".join(columns).encode())  # behind a pooler it may be there from before a migration
        name = f"new_{self._table.name}_{shape:08x}"
        self._stage = f"CREATE TEMP TABLE IF NOT EXISTS {name} (LIKE {self._table.name}) ON COMMIT DELETE ROWS"
        self._copy = f"COPY {name} ({', '.join(columns)}) FROM STDIN"
        self._empty = f"TRUNCATE {name}"
        staged = sa.table(name, *(sa.column(column) for column in columns))
        self._move = upsert.from_select(list(columns), sa.select(*staged.c))

    def __call__(self, connection: Connection, rows: Sequence[Values]) -> None:
        connection.exec_driver_sql(self._stage)
        left = rows
        while left:
            now, left = self._distinct(left)
            self._send(connection, now)
            connection.execute(self._move)
            if left:  # after the last part the commit empties it: TRUNCATE makes new files each time
                connection.exec_driver_sql(self._empty)

    def _distinct(self, rows: Sequence[Values]) -> tuple[list[Values], list[Values]]:
        """The first row of each key, and the others: one statement may not change a row twice."""
        first: dict[tuple[Any, ...], Values] = {}
        later = []
        for row in rows:
            if first.setdefault(tuple([row[place] for place in self._keys]), row) is not row:
                later.append(row)
        return list(first.values()), later

    def _send(self, connection: Connection, rows: Sequence[Values]) -> None:
        """COPY is the driver's alone: its errors become those of every other statement here."""
        dialect, raw = connection.dialect, connection.connection
        assert dialect.loaded_dbapi is not None  # noqa: S101  # a connection has a driver
        cursor = raw.cursor()
        try:
            with cursor.copy(self._copy) as copy:
                for row in rows:
                    copy.write_row(row)
        except dialect.loaded_dbapi.Error as exc:
            refuse_unkeepable(self._table, self._columns, rows, exc)
            gone = dialect.is_disconnect(exc, raw.dbapi_connection, cursor)
            if gone:
                connection.invalidate(exc)
            raised = dialect.loaded_dbapi.Error
            raise DBAPIError.instance(self._copy, None, exc, raised, True, gone, dialect) from exc
        finally:
            cursor.close()


def refuse_unkeepable(table: Any, columns: Sequence[str], rows: Sequence[Values], error: BaseException) -> None:
    """Raise StoreError naming the column and the row where a value is one that no database keeps.

    Drivers do not say which value they could not bind, and SQLite's may even repeat an older message.
    """
    of = columns.index("sample_id" if "sample_id" in columns else "digest")
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            if not _keepable(value):
                what = f"{table.name}.{column} cannot keep {value!a:.80}"
                raise StoreError(f"sample {row[of]!r}: {what} ({type(value).__name__})") from error


def _keepable(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, int):
        return value in _INTEGERS
    return value is None or isinstance(value, float) or hasattr(value, "isoformat")
