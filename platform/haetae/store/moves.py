"""How aliases moved, and where they stood here and in MLflow when both were last looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from haetae.core.reference import Kind
from haetae.core.registry import AliasMove, Stand
from haetae.store.database import Database
from haetae.store.registry_tables import ALIAS_MOVE, MIRRORED


class Moves:
    """`moves`, `stands` and `keep_stand` of `haetae.core.registry.Registry`."""

    _database: Database

    def moves(self, kind: Kind | None = None, name: str | None = None, limit: int = 100) -> Sequence[AliasMove]:
        query = sa.select(ALIAS_MOVE).order_by(ALIAS_MOVE.c.id.desc()).limit(limit)
        if kind is not None:
            query = query.where(ALIAS_MOVE.c.kind == kind)
        if name is not None:
            query = query.where(ALIAS_MOVE.c.name == name)
        rows = self._database.read("reading how aliases moved", lambda c: c.execute(query).mappings().all())
        return [AliasMove(**{field: value for field, value in row.items() if field != "id"}) for row in rows]

    def stands(self, kind: Kind, name: str) -> Mapping[str, Stand]:
        query = sa.select(MIRRORED).where(MIRRORED.c.kind == kind, MIRRORED.c.name == name)
        what = f"reading where the aliases of {kind} {name} stood"
        rows = self._database.read(what, lambda c: c.execute(query).mappings().all())
        return {row["alias"]: Stand(row["number"], row["theirs"]) for row in rows}

    def keep_stand(self, kind: Kind, name: str, alias: str, stand: Stand, at: datetime) -> None:
        row = {"kind": kind, "name": name, "alias": alias, "number": stand.ours, "theirs": stand.theirs, "seen_at": at}
        insert = self._database.insert(MIRRORED)
        upsert = insert.on_conflict_do_update(
            index_elements=["kind", "name", "alias"],
            set_={
                "number": insert.excluded.number,
                "theirs": insert.excluded.theirs,
                "seen_at": insert.excluded.seen_at,
            },
        )
        self._database.write(f"keeping where {kind} {name}@{alias} stood", lambda c: c.execute(upsert, row))
