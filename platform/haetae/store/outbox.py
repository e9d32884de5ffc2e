"""The outbox: what trackers have yet to be told. It outlives the process and the tracker's outages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core.ledger import Delivery
from haetae.errors import StoreError
from haetae.store.database import Database
from haetae.store.tables import OUTBOX


class Outbox:
    """The outbox of `haetae.core.ledger.Ledger`."""

    _database: Database

    def enqueue(self, tracker: str, run_id: str, key: str, at: datetime) -> None:
        """A key that the tracker's outbox has already is not added again, delivered or not."""
        insert = self._database.insert(OUTBOX).on_conflict_do_nothing(index_elements=["tracker", "key"])
        row = {"tracker": tracker, "run_id": run_id, "key": key, "tries": 0, "queued_at": at}
        self._database.write(f"queueing run {run_id} for {tracker}", lambda c: c.execute(insert, row))

    def pending(self, tracker: str | None = None) -> Sequence[Delivery]:
        """Oldest first."""
        columns = (OUTBOX.c[name] for name in ("id", "tracker", "run_id", "key", "tries", "last_error"))
        query = sa.select(*columns).where(OUTBOX.c.delivered_at.is_(None)).order_by(OUTBOX.c.id)
        if tracker is not None:
            query = query.where(OUTBOX.c.tracker == tracker)
        rows = self._database.read("reading the outbox", lambda c: c.execute(query).mappings().all())
        return [Delivery(**row) for row in rows]

    def delivered(self, delivery_id: int, at: datetime, receipt: str | None = None) -> None:
        self._tried(delivery_id, tried_at=at, delivered_at=at, receipt=receipt, last_error=None)

    def undelivered(self, delivery_id: int, error: str, at: datetime) -> None:
        self._tried(delivery_id, tried_at=at, last_error=error)

    def _tried(self, delivery_id: int, **changes: Any) -> None:
        update = OUTBOX.update().where(OUTBOX.c.id == delivery_id).values(tries=OUTBOX.c.tries + 1, **changes)

        def work(connection: Connection) -> None:
            if connection.execute(update).rowcount != 1:
                raise StoreError(f"the outbox has no delivery {delivery_id}")

        self._database.write("noting a delivery", work)
