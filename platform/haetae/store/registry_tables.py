"""The tables of the registry: versions, where aliases point, how they moved, and where they stood in MLflow."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from haetae.store.columns import JsonText, SafeText
from haetae.store.table_base import Base


class RegistrationTable(Base, table=True):
    """One immutable version of a model, prompt or dataset."""

    __tablename__ = "registration"
    __table_args__ = (sa.UniqueConstraint("kind", "name", "number"), sa.UniqueConstraint("kind", "name", "digest"))
    id: int | None = Field(default=None, primary_key=True)
    kind: str
    name: str = Field(sa_type=SafeText)
    number: int
    digest: str
    content: Any = Field(sa_type=JsonText)
    created_at: datetime


class AliasTable(Base, table=True):
    """Where an alias points."""

    __tablename__ = "alias"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["kind", "name", "number"], ["registration.kind", "registration.name", "registration.number"]
        ),
    )
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True, sa_type=SafeText)
    alias: str = Field(primary_key=True, sa_type=SafeText)
    number: int
    moved_at: datetime


class AliasMoveTable(Base, table=True):
    """A move of an alias: from which version to which, by whom, on which verdicts, and why they were overruled."""

    __tablename__ = "alias_move"
    __table_args__ = (sa.Index(None, "kind", "name", "alias"),)
    id: int | None = Field(default=None, primary_key=True)
    kind: str
    name: str = Field(sa_type=SafeText)
    alias: str = Field(sa_type=SafeText)
    number: int
    before: int | None = None
    by: str
    verdicts: Any = Field(default=None, sa_type=JsonText, nullable=True)
    reason: str | None = Field(default=None, sa_type=SafeText)
    moved_at: datetime


class MirroredTable(Base, table=True):
    """Where an alias stood, here and in MLflow, when both were last looked at: whoever is elsewhere now has moved."""

    __tablename__ = "mirrored"
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True, sa_type=SafeText)
    alias: str = Field(primary_key=True, sa_type=SafeText)
    number: int | None = None
    theirs: str | None = Field(default=None, sa_type=SafeText)
    seen_at: datetime


REGISTRATION = Base.metadata.tables["registration"]
ALIAS = Base.metadata.tables["alias"]
ALIAS_MOVE = Base.metadata.tables["alias_move"]
MIRRORED = Base.metadata.tables["mirrored"]
