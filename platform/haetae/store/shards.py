"""The shards of a run that several processes work on: each is claimed by one, and given back or ended by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core.reference import check_name
from haetae.core.run import LimitChange, Manifest, Run, RunStatus, Spent, Unkept
from haetae.core.shard import Shard, allotment
from haetae.store.database import Database
from haetae.store.ledger import FREE, SHARED, UNFINISHED, run_row, this_shard
from haetae.store.owner import Owner
from haetae.store.queries import spent_of
from haetae.store.recording import RowWriter
from haetae.store.rows import Row, read_run, run_values
from haetae.store.tables import RUN, SHARD

_OPEN: Final = SHARD.c.ended_at.is_(None)
_BEYOND: Final = "beyond"
"""Under which stands, while somebody has a shard, what was spent on it before and of which no row tells."""


class Shards:
    """What `haetae.core.ledger.Ledger` promises of shards. A ledger holds one shard of a run at a time; what it records
    of the run are rows of that shard."""

    _database: Database
    _token: str
    _rows: RowWriter
    _held: dict[str, Shard]
    _holder: Callable[[Connection, Row], Owner | None]
    _lease: Callable[[], dict[str, Any]]
    _next_number: Callable[[Connection, str], int]
    _alike: Callable[[Connection, str, str, bool, sa.ColumnElement[bool]], Iterator[Run]]
    _insert: Callable[[Connection, Run, Mapping[str, Any]], None]

    def share(
        self,
        suite: str,
        manifest: Manifest,
        total: int,
        at: datetime,
        seed: int,
        tags: Mapping[str, str],
        parts: Sequence[range],
    ) -> Run:
        check_name(suite)
        fresh, due = bool(manifest.epoch), tags.get("due")

        def work(connection: Connection) -> Run:
            number = self._next_number(connection, suite)  # first: whoever begins between this and the look takes it
            alike = self._alike(connection, suite, manifest.digest, fresh, sa.and_(UNFINISHED, SHARED))
            if (newest := next(alike, None)) and newest.tags.get("due") == due:
                return self._gone_on_with(connection, newest.id)
            run = Run(f"{suite}.{number}", suite, number, RunStatus.RUNNING, manifest, total, at, seed=seed, tags=tags)
            self._insert(connection, run, FREE)
            cut = [{"run_id": run.id, "number": n, "first": p.start, "last": p.stop} for n, p in enumerate(parts, 1)]
            connection.execute(SHARD.insert(), cut)
            return run

        return self._database.write(f"sharing a run of {suite}", work)

    def share_again(self, run_id: str) -> Run:
        return self._database.write(f"going on with run {run_id}", lambda c: self._gone_on_with(c, run_id))

    def stop_shared(self, run_id: str, status: RunStatus, at: datetime, note: str) -> Run:
        goes_on = sa.and_(RUN.c.id == run_id, RUN.c.status == RunStatus.RUNNING.value, RUN.c.owner_token.is_(None))
        stopped = {"status": status.value, "finished_at": at, "note": note}

        def work(connection: Connection) -> Run:
            connection.execute(RUN.update().where(goes_on).values(stopped))
            return read_run(run_row(connection, run_id))

        return self._database.write(f"stopping run {run_id}", work)

    def shards(self, run_id: str) -> Sequence[Shard]:
        return self._database.read(f"reading the shards of run {run_id}", lambda c: self._shards(c, run_id))

    def open_to_work(self) -> Sequence[str]:
        query = sa.select(RUN.c.id).where(RUN.c.status == RunStatus.RUNNING.value).order_by(RUN.c.started_at.desc())
        query = query.where(sa.exists().where(SHARD.c.run_id == RUN.c.id, _OPEN))
        return self._database.read("looking for shared runs", lambda c: c.execute(query).scalars().all())

    def claim_shard(self, run_id: str, budget: Mapping[str, float]) -> Shard | None:
        running = sa.select(RUN.c.status).where(RUN.c.id == run_id)

        def work(connection: Connection) -> Shard | None:
            # in this order, and the run without a lock: who records rows locks its shard, then the run
            shards = self._shards(connection, run_id, locked=True)
            if connection.execute(running).scalar() != RunStatus.RUNNING.value:
                return None
            if made and connection.execute(self._mine(run_id, made[0])).first():
                return made[0]  # it was committed, and only the answer to that was lost
            free = sorted((s for s in shards if s.is_free), key=lambda s: (bool(s.spent) and not s.unsettled, s.number))
            if not free:
                return None
            shard, beyond = free[0], {}
            others = [other for other in shards if other.number != shard.number]
            if shard.allotted:  # somebody had it; if he died, only its rows tell what he spent
                kept = amounts(spent_of(connection, run_id, shard.places))
                beyond = {n: max(0, shard.spent.get(n, 0) - (0 if shard.unsettled else kept[n])) for n in kept}
                shard = replace(shard, spent={n: kept[n] + beyond[n] for n in kept}, unsettled=False)
            shard = replace(shard, allotted=allotment(budget, shard, others))
            values = {**self._lease(), "allotted": dict(shard.allotted) or None, "spent": {_BEYOND: beyond}}
            connection.execute(SHARD.update().where(this_shard(run_id, shard)).values(values))
            self._rows.copies.looked_up_from_now_on(connection)
            made[:] = [shard]
            return shard

        made: list[Shard] = []
        self._held.pop(run_id, None)
        shard = self._database.write(f"claiming a shard of run {run_id}", work)
        if shard is not None:
            self._held[run_id] = shard
        return shard

    def give_back_shard(
        self,
        run_id: str,
        shard: Shard,
        *,
        ended_at: datetime | None,
        spent: Mapping[str, float],
        unkept: Unkept,
        course: Sequence[LimitChange] = (),
    ) -> bool:
        given_back = {**FREE, "ended_at": ended_at, "spent": dict(spent)}
        tried = False
        # not so locked that those wait who record rows, which refer to the run
        locked = sa.select(RUN).where(RUN.c.id == run_id).with_for_update(key_share=True)

        def work(connection: Connection) -> bool:
            nonlocal tried
            again, tried = tried, True
            if connection.execute(self._mine(run_id, shard)).first() is None:
                nobodys = this_shard(run_id, shard), SHARD.c.owner_token.is_(None)
                # it was committed, and only the answer to that was lost
                return again and connection.execute(sa.select(SHARD.c.number).where(*nobodys)).first() is not None
            connection.execute(SHARD.update().where(this_shard(run_id, shard)).values(given_back))
            before = read_run(connection.execute(locked).mappings().one())
            told = run_values(replace(before, course=(*before.course, *course), unkept=before.unkept.plus(unkept)))
            changes = {name: told[name] for name in ("course", "unkept")}
            connection.execute(RUN.update().where(RUN.c.id == run_id).values(changes))
            return True

        was_mine = self._database.write(f"giving back shard {shard.number} of run {run_id}", work)
        self._held.pop(run_id, None)
        return was_mine

    def _gone_on_with(self, connection: Connection, run_id: str) -> Run:
        ended_early = sa.and_(RUN.c.id == run_id, RUN.c.status.in_((RunStatus.INTERRUPTED, RunStatus.STOPPED)))
        again = {"status": RunStatus.RUNNING.value, "finished_at": None, "note": None}
        connection.execute(RUN.update().where(ended_early).values(again))
        return read_run(run_row(connection, run_id))

    def _worker(self, connection: Connection, run: Row) -> Owner | None:
        """Who works on a run now, or on one of its shards; None when nobody does."""
        held = sa.select(SHARD).where(SHARD.c.run_id == run["id"], SHARD.c.owner_token.is_not(None))
        shards = connection.execute(held.order_by(SHARD.c.number)).mappings()
        return self._holder(connection, run) or next(filter(None, (self._holder(connection, s) for s in shards)), None)

    def _mine(self, run_id: str, shard: Shard) -> sa.Select[Any]:
        """The shard, where this ledger holds it."""
        mine = sa.and_(this_shard(run_id, shard), SHARD.c.owner_token == self._token)
        return sa.select(SHARD.c.number).where(mine).with_for_update()

    def _shards(self, connection: Connection, run_id: str, *, locked: bool = False) -> list[Shard]:
        query = sa.select(SHARD).where(SHARD.c.run_id == run_id).order_by(SHARD.c.number)
        rows = connection.execute(query.with_for_update() if locked else query).mappings().all()
        return [self._read(connection, row) for row in rows]

    def _read(self, connection: Connection, row: Row) -> Shard:
        holder = self._holder(connection, row)
        spent: Mapping[str, Any] = row["spent"] or {}
        return Shard(
            row["number"],
            row["first"],
            row["last"],
            ended=row["ended_at"] is not None,
            held_by=None if holder is None else str(holder),
            unsettled=_BEYOND in spent or bool(row["allotted"] and not spent),
            allotted=row["allotted"] or {},
            spent=spent.get(_BEYOND, spent),
        )


def amounts(spent: Spent) -> dict[str, float]:
    """What was spent, by the names of a budget's limits."""
    return {"calls": spent.calls, "tokens": spent.tokens, "usd": spent.cost_usd or 0.0}
