"""Registered models, prompts and datasets: immutable numbered versions, and aliases that point at them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core import canonical
from haetae.core.canonical import Json
from haetae.core.reference import Kind, Reference, check_name
from haetae.core.registry import AliasMove, Version
from haetae.errors import RegistryError
from haetae.store.database import Database
from haetae.store.registry_tables import ALIAS, ALIAS_MOVE, REGISTRATION


class Versions:
    """`haetae.core.registry.Registry` as tables."""

    _database: Database

    def register(self, kind: Kind, name: str, content: Json, at: datetime) -> tuple[Version, bool]:
        check_name(name)
        digest = canonical.digest(content)

        def work(connection: Connection) -> tuple[Version, bool]:
            known = _versions(connection, kind, name)
            same = next((version for version in known if version.digest == digest), None)
            if same is not None:
                return same, False
            number = 1 + max((version.number for version in known), default=0)
            row = {"kind": kind, "name": name, "number": number, "digest": digest, "content": content, "created_at": at}
            connection.execute(REGISTRATION.insert(), row)
            return Version(kind, name, number, digest, content, at), True

        return self._database.write(f"registering {kind} {name}", work)

    def find(self, kind: Kind, reference: Reference) -> Version:
        def work(connection: Connection) -> Version:
            known = _versions(connection, kind, reference.name)
            if not known:
                raise RegistryError(_no_name(connection, kind, reference.name))
            return _choose(known, reference)

        return self._database.read(f"looking for {kind} {reference}", work)

    def set_alias(
        self,
        kind: Kind,
        name: str,
        alias: str,
        number: int,
        at: datetime,
        *,
        by: str = "alias",
        verdicts: Mapping[str, str] | None = None,
        reason: str | None = None,
        still: Mapping[Reference, int | None] | None = None,
    ) -> AliasMove | None:
        """Raises RegistryError, naming what is there, when there is no such version."""
        check_name(alias)
        if alias.isascii() and alias.isdigit():
            raise RegistryError(f"{alias!r} cannot be an alias: {name}@{alias} is a version number")
        row = {"kind": kind, "name": name, "alias": alias, "number": number, "moved_at": at}
        insert = self._database.insert(ALIAS)
        upsert = insert.on_conflict_do_update(
            index_elements=["kind", "name", "alias"],
            set_={"number": insert.excluded.number, "moved_at": insert.excluded.moved_at},
        )

        # whoever moves an alias of this name has its first version for himself, so that what is read here stays so
        mine = sa.select(REGISTRATION.c.id).where(REGISTRATION.c.kind == kind, REGISTRATION.c.name == name)
        mine = mine.order_by(REGISTRATION.c.number).limit(1).with_for_update()

        def work(connection: Connection) -> AliasMove | None:
            connection.execute(mine)
            known = _versions(connection, kind, name)
            if not known:
                raise RegistryError(_no_name(connection, kind, name))
            _choose(known, Reference(name, number))
            for reference, meant in (still or {}).items():
                if (now := _number(known, reference)) != meant:
                    raise RegistryError(f"{kind} {reference} is {_said(now)} now and was {_said(meant)}: it has moved")
            before = _number(known, Reference(name, alias))
            if before == number:
                return None
            move = AliasMove(kind, name, alias, number, before, by, at, verdicts or {}, reason)
            connection.execute(upsert, row)
            connection.execute(ALIAS_MOVE.insert(), {**asdict(move), "verdicts": dict(move.verdicts)})
            return move

        return self._database.write(f"moving {kind} {name}@{alias}", work)

    def versions(self, kind: Kind, name: str | None = None) -> Sequence[Version]:
        """By name, oldest version first."""
        return self._database.read(f"listing {kind}s", lambda connection: _versions(connection, kind, name))


def _versions(connection: Connection, kind: Kind, name: str | None) -> Sequence[Version]:
    query = sa.select(REGISTRATION).where(REGISTRATION.c.kind == kind)
    pointing = sa.select(ALIAS).where(ALIAS.c.kind == kind).order_by(ALIAS.c.alias)
    if name is not None:
        query, pointing = query.where(REGISTRATION.c.name == name), pointing.where(ALIAS.c.name == name)
    aliases: dict[tuple[str, int], list[str]] = defaultdict(list)
    for row in connection.execute(pointing).mappings():
        aliases[row["name"], row["number"]].append(row["alias"])
    rows = connection.execute(query.order_by(REGISTRATION.c.name, REGISTRATION.c.number)).mappings()
    return [
        Version(
            kind=kind,
            name=row["name"],
            number=row["number"],
            digest=row["digest"],
            content=row["content"],
            created_at=row["created_at"],
            aliases=tuple(aliases[row["name"], row["number"]]),
        )
        for row in rows
    ]


def _choose(known: Sequence[Version], reference: Reference) -> Version:
    """The version that a reference means among all versions of its name, oldest first."""
    selector = reference.selector
    if selector is None:
        return known[-1]
    if isinstance(selector, int):
        fitting = [version for version in known if version.number == selector]
    elif selector.startswith("sha256:"):
        fitting = [version for version in known if version.digest.startswith(selector.removeprefix("sha256:"))]
    else:
        fitting = [version for version in known if selector in version.aliases]
    if len(fitting) != 1:
        kind, found = known[0].kind, "there is no" if not fitting else "more than one fits"
        there = ", ".join("@".join([str(version.number), *version.aliases]) for version in known)
        raise RegistryError(f"{found} {kind} {reference}; versions of {reference.name}: {there}")
    return fitting[0]


def _number(known: Sequence[Version], reference: Reference) -> int | None:
    """The version that a reference means, None where nothing fits."""
    try:
        return _choose(known, reference).number
    except RegistryError:
        return None


def _said(number: int | None) -> str:
    return "no version" if number is None else f"version {number}"


def _no_name(connection: Connection, kind: Kind, name: str) -> str:
    query = sa.select(REGISTRATION.c.name).distinct().where(REGISTRATION.c.kind == kind).order_by(REGISTRATION.c.name)
    names = connection.execute(query).scalars().all()
    return f"no {kind} {name!r} is registered; registered are: {', '.join(names) or 'none'}"
