"""Whose turn it is to serve the schedule of a suite: of all who would, one does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core.run import RunStatus
from haetae.core.turn import TakenTurn, Taking, Turn
from haetae.errors import StoreError
from haetae.store.database import Database
from haetae.store.ledger import FREE
from haetae.store.owner import Owner
from haetae.store.rows import Row
from haetae.store.tables import RUN, SHARD, TURN

_BEFORE: Final = timedelta(microseconds=1)
_AT_ONCE: Final = timedelta(minutes=1)
"""Looks that are no further apart are those of several who look at the same time."""


class Turns:
    """The schedules of `haetae.core.ledger.Ledger`. A turn has ended, or whoever holds it is at it, or it is to be
    had."""

    _database: Database
    _token: str
    _turns: set[str]
    _holder: Callable[[Connection, Row], Owner | None]
    _worker: Callable[[Connection, Row], Owner | None]
    _lease: Callable[[], dict[str, Any]]

    def now(self) -> datetime:
        return self._database.read("asking for the time", self._database.now)

    def turn(self, suite: str) -> Turn | None:
        query = sa.select(TURN).where(TURN.c.suite == suite)
        row = self._database.read(f"looking when {suite} was served", lambda c: c.execute(query).mappings().first())
        return None if row is None else _turn(row)

    def watch_from(self, suite: str, at: datetime, seen: Turn | None, schedule: str, file: str) -> Turn:
        new = {"due_at": at, "schedule": schedule, "file": file}
        query = sa.select(TURN).where(TURN.c.suite == suite).with_for_update()

        def work(connection: Connection) -> Turn:
            connection.execute(self._served_until(suite, at, schedule, file))
            turn = _turn(connection.execute(query).mappings().one())
            if turn == seen and turn.ended:
                connection.execute(TURN.update().where(TURN.c.suite == suite).values(new))
                turn = _turn(connection.execute(query).mappings().one())
            return turn

        return self._database.write(f"beginning to serve {suite}", work)

    def looked(self, suite: str) -> None:
        query = sa.select(TURN.c.looked_at).where(TURN.c.suite == suite).with_for_update()

        def work(connection: Connection) -> None:
            before, now = connection.execute(query).scalar_one(), self._database.now(connection)
            if before is None or not timedelta(0) <= now - before < _AT_ONCE:
                apart = None if before is None else max(0.0, (now - before).total_seconds())
                looked = TURN.update().where(TURN.c.suite == suite).values(looked_at=now, looks_apart_s=apart)
                connection.execute(looked)

        self._database.write(f"saying that somebody looked after {suite}", work)

    def renew_turn(self, suite: str) -> None:
        mine = sa.and_(TURN.c.suite == suite, TURN.c.owner_token == self._token)
        longer = TURN.update().where(mine).values(self._lease())
        self._database.write(f"renewing the turn of {suite}", lambda c: c.execute(longer))

    def take_turn(self, suite: str, due_at: datetime, schedule: str = "", file: str = "") -> Taking:
        query = sa.select(TURN).where(TURN.c.suite == suite).with_for_update()
        held = sa.exists().where(SHARD.c.run_id == RUN.c.id, SHARD.c.owner_token.is_not(None))
        goes_on = sa.or_(RUN.c.status == RunStatus.RUNNING.value, held)  # what was stopped may have a hand at work yet
        under_way = sa.select(RUN).where(RUN.c.suite == suite, goes_on)
        new = {"due_at": due_at, "ended_at": None, "schedule": schedule, "file": file}

        def work(connection: Connection) -> Taking:
            connection.execute(self._served_until(suite, due_at - _BEFORE, schedule, file))
            row = connection.execute(query).mappings().one()
            if row["due_at"] > due_at or (row["ended_at"] is not None and row["due_at"] == due_at):
                return Taking(TakenTurn.SERVED)
            if holder := self._anothers(connection, row):
                return Taking(TakenTurn.BUSY, str(holder))
            for run in connection.execute(under_way).mappings():
                if holder := self._worker(connection, run):
                    return Taking(TakenTurn.BUSY, f"{holder}, as run {run['id']}")
            new["taken_at"] = self._database.now(connection)
            connection.execute(TURN.update().where(TURN.c.suite == suite).values({**new, **self._lease()}))
            return Taking(TakenTurn.TAKEN)

        taking = self._database.write(f"taking the turn of {suite}", work)
        if taking.came is TakenTurn.TAKEN:
            self._turns.add(suite)
        return taking

    def end_turn(self, suite: str, *, served: bool) -> None:
        mine = sa.and_(TURN.c.suite == suite, TURN.c.owner_token == self._token)

        def work(connection: Connection) -> None:
            ended_at = self._database.now(connection) if served else None
            connection.execute(TURN.update().where(mine).values({**FREE, "ended_at": ended_at}))

        self._turns.discard(suite)
        self._database.write(f"ending the turn of {suite}", work)

    def _refuse_beside_a_turn(self, connection: Connection, suite: str) -> None:
        """Raises StoreError while another has the turn of a suite: two runs of one suite do not overlap; and where
        another had it since it was taken here. Until the end of the transaction nobody takes it."""
        row = connection.execute(sa.select(TURN).where(TURN.c.suite == suite).with_for_update()).mappings().first()
        if row is not None and (holder := self._anothers(connection, row)):
            raise StoreError(f"{suite} is being run by its schedule, by {holder}: wait for that to end")
        if suite in self._turns and (row is None or row["owner_token"] != self._token):
            raise StoreError(f"the turn of {suite} was another's while this process slept: what was due is served")

    def _anothers(self, connection: Connection, row: Row) -> Owner | None:
        """Who else has a turn. Whoever lives and did not renew it has lost it: it could not say that it was over."""
        if row["owner_token"] in (None, self._token) or row["lease_until"] <= self._database.now(connection):
            return None
        return self._holder(connection, row)

    def _served_until(self, suite: str, at: datetime, schedule: str, file: str) -> sa.Insert:
        """The first row of a suite that has none: a turn that has ended."""
        first = {"due_at": at, "taken_at": at, "ended_at": at, "schedule": schedule, "file": file}
        insert: sa.Insert = self._database.insert(TURN).values(suite=suite, **first).on_conflict_do_nothing()
        return insert


def _turn(row: Row) -> Turn:
    apart = None if row["looks_apart_s"] is None else timedelta(seconds=row["looks_apart_s"])
    return Turn(row["due_at"], row["ended_at"] is not None, row["schedule"], row["file"], apart)
