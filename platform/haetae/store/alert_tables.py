"""The tables of alerts: what changed, who was told of it, and what people know of each suite since."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from haetae.store.columns import JsonText, SafeText
from haetae.store.table_base import Base


class AlertTable(Base, table=True):
    """A change that people are told of. `key` makes the same change no second alert; the run may be pruned since."""

    __tablename__ = "alert"
    __table_args__ = (sa.UniqueConstraint("key"),)
    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(sa_type=SafeText)
    kind: str
    suite: str = Field(sa_type=SafeText)
    run_id: str | None = Field(default=None, sa_type=SafeText)
    title: str = Field(sa_type=SafeText)
    text: str = Field(sa_type=SafeText)
    body: str = Field(sa_type=SafeText)
    raised_at: datetime


class AlertDeliveryTable(Base, table=True):
    """How far an address, by its place and schema, was told of an alert, and who tells it now."""

    __tablename__ = "alert_delivery"
    __table_args__ = (sa.UniqueConstraint("alert_id", "address"),)
    id: int | None = Field(default=None, primary_key=True)
    alert_id: int = Field(foreign_key="alert.id")
    address: str
    tries: int = 0
    unsure: bool = False  # it was sent and no answer came
    last_error: str | None = Field(default=None, sa_type=SafeText)
    tried_at: datetime | None = None
    delivered_at: datetime | None = None
    lease_until: datetime | None = None


class LastToldTable(Base, table=True):
    """What people were last told of a suite."""

    __tablename__ = "last_told"
    suite: str = Field(primary_key=True, sa_type=SafeText)
    payload: Any = Field(sa_type=JsonText)
    changed_at: datetime


ALERT = Base.metadata.tables["alert"]
ALERT_DELIVERY = Base.metadata.tables["alert_delivery"]
LAST_TOLD = Base.metadata.tables["last_told"]
