"""The schema of the ledger, brought up to date when a ledger is opened for writing.

Alembic takes longer to import than everything else here, so it is imported only when there is
something to migrate: one SELECT tells.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.errors import StoreError
from haetae.store import migrations
from haetae.store.database import Database
from haetae.store.faults import place, storing

UPGRADE: Final = "pip install --upgrade haetae"


@dataclass(frozen=True)
class Schema:
    """Where the migrations are, and the names of their revisions, oldest first."""

    folder: Path
    revisions: tuple[str, ...]

    def found(self, connection: Connection) -> str | None:
        """The revision of a database; None when it holds no ledger."""
        if not sa.inspect(connection).has_table(migrations.VERSION_TABLE):
            return None
        return connection.execute(sa.text(f"SELECT version_num FROM {migrations.VERSION_TABLE}")).scalar()  # noqa: S608  # a constant

    def check(self, database: Database) -> None:
        """Raise StoreError unless the ledger can be read as it is."""
        found = database.read("reading the schema", self.found)
        where = place(database.url)
        if found is None:
            raise StoreError(f"no ledger yet at {where}; run haetae run")
        self._refuse_newer(found, where)
        if found != self.revisions[-1]:
            raise StoreError(
                f"the ledger {where} has the older schema {found}, this Haetae reads {self.revisions[-1]}; "
                "run haetae run once to migrate it"
            )

    def migrate(self, database: Database) -> None:
        """Bring a database to the newest schema in one transaction; an older SQLite file is copied first.

        Of several processes that open one ledger, one does both, while the others wait for the database's own lock,
        which ends with its process, and then find nothing to do.
        """
        found = database.read("reading the schema", self.found)
        if found == self.revisions[-1]:
            return
        if found is not None:
            self._refuse_newer(found, place(database.url))
        database.write("migrating the schema", lambda connection: self._upgrade(connection, database))

    def _refuse_newer(self, found: str, where: str) -> None:
        if found not in self.revisions:
            raise StoreError(
                f"the ledger {where} has the schema {found}, made by a newer Haetae; this one knows up to "
                f"{self.revisions[-1]}; install the newer one here too: {UPGRADE}"
            )

    def _upgrade(self, connection: Connection, database: Database) -> None:
        from alembic import command

        if not database.is_sqlite:  # SQLite has BEGIN IMMEDIATE for that
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(4850131)"))
        found = self.found(connection)  # now that nobody else changes it
        if found == self.revisions[-1]:
            return
        if found is not None:
            self._refuse_newer(found, place(database.url))
            if database.is_sqlite:
                with storing(database.url, "copying the ledger before its migration"):
                    backup(Path(place(database.url)), Path(f"{place(database.url)}.{found}.bak"))
        command.upgrade(self.config(connection), "head")

    def config(self, connection: Connection) -> Any:
        """Alembic's configuration for one open connection, in whose transaction it works."""
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        return config


SCHEMA = Schema(Path(migrations.__file__).parent, ("0001", "0002", "0003", "0004", "0005", "0006"))


def backup(source: Path, target: Path) -> None:
    """Copy an SQLite ledger as it was committed last, by SQLite's own backup; the copy is whole or absent.

    Called by one process at a time.
    """
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)  # of a copy that was killed
    try:
        with closing(sqlite3.connect(source)) as ledger, closing(sqlite3.connect(partial)) as copy:
            ledger.backup(copy)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)  # of a copy that found no room
