"""A damaged SQLite file takes no more rows: what is written over damage can damage more.

A small file is looked through before the first row. Of a large one the small tables are, and the list of its free
pages; the rest by a thread beside the work, which ends all writing where it finds something.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy.engine import Connection

from haetae.errors import StoreError
from haetae.store.database import Database
from haetae.store.faults import DAMAGED, copies_of, error_code, place
from haetae.store.tables import GENERATION, SAMPLE, SCORE

_log = logging.getLogger(__name__)
_LOOKED_THROUGH: Final = 32 << 20
"""Up to this size a file is looked through whenever it is opened for writing: about 0.05 s. A file of 200 MB takes
0.2 s from the memory of the system, and 1.6 s from the disk."""
_LARGE: Final = frozenset({SAMPLE.name, GENERATION.name, SCORE.name})
_SMALL: Final = "SELECT name FROM sqlite_master WHERE type = 'table' UNION SELECT 'sqlite_master'"  # that: free pages
_FINE: Final = ["ok"]


def refuse_damaged(database: Database) -> None:
    """Raise StoreError when a SQLite file is damaged, as far as that can be seen at once; and go on looking."""
    path = Path(place(database.url))
    if not database.is_sqlite or not path.exists():
        return
    large = path.stat().st_size > _LOOKED_THROUGH
    said = database.read("looking whether it is whole", _small_tables if large else _whole)
    if said != _FINE:
        raise StoreError(f"nothing is written to the ledger: {damaged_text(path, said)}")
    if large:
        looking = Looking(database)
        database.before_close = looking.stop
        looking.start()


def _whole(connection: Connection) -> Sequence[str]:
    return connection.exec_driver_sql("PRAGMA quick_check(5)").scalars().all()


def _small_tables(connection: Connection) -> Sequence[str]:
    names = set(connection.exec_driver_sql(_SMALL).scalars()) - _LARGE
    looks = (connection.exec_driver_sql(f'PRAGMA quick_check("{name}")').scalars().all() for name in sorted(names))
    return [line for said in looks if said != _FINE for line in said] or _FINE


class Looking:
    """Looks a file through while it is used, in a thread and on a connection of its own, until `stop`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._path = Path(place(database.url))
        self._connection: sqlite3.Connection | None = None
        self._stopped = False
        self._changing = threading.Lock()
        self.thread = threading.Thread(target=self._look, daemon=True, name="haetae-looking")

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """Look no further; what was found stays found."""
        with self._changing:
            self._stopped = True
            if self._connection is not None:
                self._connection.interrupt()
        self.thread.join()

    def _look(self) -> None:
        try:
            uri = f"{self._path.as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, check_same_thread=False)) as connection:
                self._ready(connection)
                said = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
                self._ready(None)
        except sqlite3.Error as exc:
            self._ready(None)
            if error_code(exc) not in DAMAGED:
                if not self._stopped:
                    _log.warning("whether the ledger %s is whole could not be looked at: %s", self._path, exc)
                return
            said = [str(exc)]
        if said != _FINE:
            self._database.refuse_writes(damaged_text(self._path, said))

    def _ready(self, connection: sqlite3.Connection | None) -> None:
        """`stop` interrupts this one from now on; it is never one that is closed."""
        with self._changing:
            self._connection = connection
            if self._stopped and connection is not None:
                raise sqlite3.OperationalError("interrupted")


def damaged_text(path: Path, said: Sequence[str]) -> str:
    """What is wrong with a file, for people, and the copies that there are of it."""
    lines = [line for text in said for line in text.splitlines()]
    return f"{path} is damaged ({'; '.join(lines[:5])}); {copies_of(path)}"
