"""What people are told: each change once, whoever raises it, and to each address once, whoever tells it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core.alert import AddressTold, Alert, AlertKind, LastTold, RaisedAlert, last_told_from_json
from haetae.core.ledger import Delivery
from haetae.errors import StoreError
from haetae.store.alert_tables import ALERT, ALERT_DELIVERY, LAST_TOLD
from haetae.store.database import Database
from haetae.store.rows import Row

_WRITTEN = ("key", "kind", "suite", "run_id", "title", "text", "body")

_SENT_UNSURE = 3
"""How often a message is sent, at most, whose receiver gives no answer: it may show each of them."""


class Alerts:
    """The alerts of `haetae.core.ledger.Ledger`."""

    _database: Database

    def last_told(self, suite: str) -> LastTold:
        query = sa.select(LAST_TOLD.c.payload).where(LAST_TOLD.c.suite == suite)
        found = self._database.read(f"reading what is known of {suite}", lambda c: c.execute(query).scalar())
        return LastTold() if found is None else last_told_from_json(found)

    def raise_alerts(
        self, suite: str, before: LastTold, after: LastTold, alerts: Sequence[Alert], at: datetime
    ) -> bool:
        first = self._database.insert(LAST_TOLD).values(suite=suite, payload=LastTold().as_json(), changed_at=at)
        query = sa.select(LAST_TOLD.c.payload).where(LAST_TOLD.c.suite == suite).with_for_update()
        new = {"payload": after.as_json(), "changed_at": at}
        known = self._database.insert(ALERT).on_conflict_do_nothing(index_elements=["key"])
        rows = [
            {**{name: getattr(alert, name) for name in _WRITTEN}, "kind": alert.kind.value, "raised_at": at}
            for alert in alerts
        ]

        def work(connection: Connection) -> bool:
            connection.execute(first.on_conflict_do_nothing())
            if last_told_from_json(connection.execute(query).scalar_one()) != before:
                return False
            connection.execute(LAST_TOLD.update().where(LAST_TOLD.c.suite == suite).values(new))
            if rows:
                connection.execute(known, rows)
            return True

        return self._database.write(f"raising alerts of {suite}", work)

    def claim_alerts(
        self, addresses: Sequence[str], at: datetime, until: datetime, *, unsure: bool
    ) -> Sequence[Delivery]:
        told = sa.select(ALERT_DELIVERY.c.alert_id)
        nobodys = sa.select(ALERT.c.id).where(ALERT.c.id.not_in(told)).order_by(ALERT.c.id)
        insert = self._database.insert(ALERT_DELIVERY).on_conflict_do_nothing()
        free = sa.or_(ALERT_DELIVERY.c.lease_until.is_(None), ALERT_DELIVERY.c.lease_until <= at)
        waits = [ALERT_DELIVERY.c.delivered_at.is_(None), free, ALERT_DELIVERY.c.address.in_(addresses)]
        answered = sa.not_(ALERT_DELIVERY.c.unsure)
        waits.append(sa.or_(answered, ALERT_DELIVERY.c.tries < _SENT_UNSURE) if unsure else answered)
        query = (
            sa.select(*(ALERT_DELIVERY.c[name] for name in ("id", "address", "tries", "last_error")), ALERT.c.key)
            .join(ALERT, ALERT.c.id == ALERT_DELIVERY.c.alert_id)
            .where(*waits)
            .order_by(ALERT_DELIVERY.c.alert_id, ALERT_DELIVERY.c.id)
            .with_for_update(of=ALERT_DELIVERY, skip_locked=True)
        )

        def work(connection: Connection) -> Sequence[Delivery]:
            for alert_id in connection.execute(nobodys).scalars().all():
                new = [{"alert_id": alert_id, "address": name, "tries": 0, "unsure": False} for name in addresses]
                connection.execute(insert, new)
            found = connection.execute(query).mappings().all()
            ours = ALERT_DELIVERY.c.id.in_([row["id"] for row in found])
            connection.execute(ALERT_DELIVERY.update().where(ours).values(lease_until=until))
            return [
                Delivery(row["id"], row["address"], row["key"], row["key"], row["tries"], row["last_error"])
                for row in found
            ]

        return self._database.write("claiming what is to be told", work)

    def untold(self, addresses: Sequence[str]) -> int:
        begun = sa.select(ALERT_DELIVERY.c.alert_id)
        gone = sa.and_(ALERT_DELIVERY.c.unsure, ALERT_DELIVERY.c.tries >= _SENT_UNSURE)
        waits = [ALERT_DELIVERY.c.delivered_at.is_(None), ALERT_DELIVERY.c.address.in_(addresses), sa.not_(gone)]
        alerts = sa.or_(ALERT.c.id.not_in(begun), ALERT.c.id.in_(begun.where(*waits)))
        query = sa.select(sa.func.count()).select_from(ALERT).where(alerts)

        def work(connection: Connection) -> int:
            return connection.execute(query).scalar_one() if addresses else 0

        return self._database.read("counting what is to be told", work)

    def alert(self, key: str) -> Alert:
        query = sa.select(ALERT).where(ALERT.c.key == key)
        row = self._database.read(f"reading the alert {key}", lambda c: c.execute(query).mappings().first())
        if row is None:
            raise StoreError(f"there is no alert {key}")
        return _alert(row)

    def alert_delivered(self, delivery_id: int, at: datetime) -> None:
        self._told(delivery_id, at, delivered_at=at, last_error=None, unsure=False)

    def alert_undelivered(self, delivery_id: int, error: str, at: datetime, *, unsure: bool) -> None:
        self._told(delivery_id, at, last_error=error, unsure=unsure)

    def alerts(self, limit: int = 100) -> Sequence[RaisedAlert]:
        newest = sa.select(ALERT).order_by(ALERT.c.id.desc()).limit(limit)

        def work(connection: Connection) -> Sequence[RaisedAlert]:
            rows = connection.execute(newest).mappings().all()
            of_these = ALERT_DELIVERY.c.alert_id.in_([row["id"] for row in rows])
            told: dict[int, list[AddressTold]] = {row["id"]: [] for row in rows}
            query = sa.select(ALERT_DELIVERY).where(of_these).order_by(ALERT_DELIVERY.c.id)
            for row in connection.execute(query).mappings():
                told[row["alert_id"]].append(
                    AddressTold(row["address"], row["tries"], row["delivered_at"], row["last_error"], row["unsure"])
                )
            return [RaisedAlert(_alert(row), row["raised_at"], tuple(told[row["id"]])) for row in rows]

        return self._database.read("listing the alerts", work)

    def _told(self, delivery_id: int, at: datetime, **changes: Any) -> None:
        new = {"tries": ALERT_DELIVERY.c.tries + 1, "tried_at": at, "lease_until": None, **changes}
        update = ALERT_DELIVERY.update().where(ALERT_DELIVERY.c.id == delivery_id).values(new)

        def work(connection: Connection) -> None:
            if connection.execute(update).rowcount != 1:
                raise StoreError(f"there is no delivery {delivery_id} of an alert")

        self._database.write("noting who was told", work)


def _alert(row: Row) -> Alert:
    return Alert(**{**{name: row[name] for name in _WRITTEN}, "kind": AlertKind(row["kind"])})
