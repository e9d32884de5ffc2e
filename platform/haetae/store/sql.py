"""The door of the store: `open_ledger` gives the ledger and the registry of one database."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from types import TracebackType

from haetae.core.clock import Clock
from haetae.errors import ConfigError, StoreError
from haetae.store.address import parse_url
from haetae.store.alerts import Alerts
from haetae.store.annotations import Annotations
from haetae.store.damage import refuse_damaged
from haetae.store.database import Database
from haetae.store.faults import place, storing
from haetae.store.file_systems import network_filesystem
from haetae.store.health import exposed_text, open_to_all, risk_of_sharing
from haetae.store.ledger import Recording
from haetae.store.moves import Moves
from haetae.store.outbox import Outbox
from haetae.store.pacing import SharedPacing, open_pacing
from haetae.store.pruning.prune import Pruning
from haetae.store.queries import Reading
from haetae.store.registry import Versions
from haetae.store.sample_columns import ColumnReader
from haetae.store.schema import SCHEMA
from haetae.store.score_tables import ScoreTables
from haetae.store.shards import Shards
from haetae.store.sizes import Holdings
from haetae.store.turns import Turns
from haetae.store.verdicts import Verdicts

_log = logging.getLogger(__name__)


class SqlLedger(
    Recording,
    Reading,
    ScoreTables,
    ColumnReader,
    Verdicts,
    Turns,
    Shards,
    Alerts,
    Annotations,
    Outbox,
    Versions,
    Moves,
    Pruning,
    Holdings,
):
    """`Ledger` and `Registry` of `haetae.core` on one SQLite file or Postgres database.

    Safe to use from several threads. Closing it gives back the leases of runs it did not end.
    """

    @property
    def place(self) -> str:
        """Where the ledger is, for people; without password."""
        return place(self._database.url)

    @property
    def is_of_one_machine(self) -> bool:
        """Whether processes of other machines cannot use it."""
        return self._database.is_sqlite

    @property
    def risk_of_sharing(self) -> str | None:
        """Why several processes should not write it at once, and what to do, for people; None where they may."""
        return risk_of_sharing() if self._database.is_sqlite else None

    @cached_property
    def pacing(self) -> SharedPacing:
        """The pace of endpoints, shared with all who keep their runs here; nothing is opened before it is used."""
        return open_pacing(self._database.url)

    def close(self) -> None:
        if "pacing" in self.__dict__:
            self.pacing.close()
        try:
            self.release()
        except StoreError as exc:
            _log.warning("%s; they end with this process", exc)
        finally:
            self._database.close()

    def __enter__(self) -> SqlLedger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_ledger(url: str, *, readonly: bool = False, clock: Clock | None = None) -> SqlLedger:
    """Open the ledger at `sqlite:///path/ledger.db` or `postgresql://…`, and migrate its schema.

    A SQLite file and its folder are made when they are missing, unless `readonly`: then nothing is
    made or migrated. `clock` tells what time it is on SQLite; Postgres tells it itself. Raises ConfigError for
    a URL of another kind and for a file or folder that anybody may write to, MissingExtra without
    psycopg, and StoreError where no ledger can be opened.
    """
    address = parse_url(url)
    if address.get_backend_name() == "sqlite":
        path = Path(place(address))
        if readonly and not path.exists():
            raise StoreError(f"no ledger yet at {path}; run haetae run")
        with storing(address, "making the folder of the ledger"):
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if network := network_filesystem(path):
            raise StoreError(
                f"{path} lies on a network file system ({network}), where SQLite loses data; "
                "put the ledger on a local disk or use a postgresql:// URL"
            )
        if exposed := open_to_all(path):
            raise ConfigError(exposed_text(exposed))
    with storing(address, "opening the ledger"):
        database = Database(address, readonly=readonly, clock=clock)
    try:
        if readonly:
            SCHEMA.check(database)
        else:
            refuse_damaged(database)
            SCHEMA.migrate(database)
    except BaseException:
        database.close()
        raise
    return SqlLedger(database)
