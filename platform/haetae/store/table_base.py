"""What the tables of the ledger have in common.

Their classes describe the schema; statements are written on the tables behind them, because the ledger
moves rows in bulk and never as objects. They have a metadata of their own, so that an application
with SQLModel tables and Haetae do not meet.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

_METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


class Base(SQLModel, registry=registry(metadata=_METADATA)):
    """Base of the tables."""

    model_config = {"defer_build": True}  # of no table an object is made: nothing is validated
