"""Whose turn it is to serve the schedule of a suite: of all who would, one does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core.ledger import TakenTurn, Turn
from haetae.core.run import RunStatus
from haetae.store.database import Database
from haetae.store.ledger import LEASE
from haetae.store.owner import Owner
from haetae.store.rows import Row
from haetae.store.tables import RUN, TURN

_BEFORE: Final = timedelta(microseconds=1)


class Turns:
    """`turn`, `take_turn` and `end_turn` of `haetae.core.ledger.Ledger`. A turn has ended when it has no token."""

    _database: Database
    _token: str
    _holder: Callable[[Row], Owner | None]

    def turn(self, suite: str) -> Turn | None:
        query = sa.select(TURN.c.due_at, TURN.c.token).where(TURN.c.suite == suite)
        row = self._database.read(f"looking when {suite} was served", lambda c: c.execute(query).first())
        return None if row is None else Turn(row.due_at, ended=row.token is None)

    def watch_from(self, suite: str, at: datetime) -> Turn:
        def work(connection: Connection) -> Turn:
            connection.execute(self._served_until(suite, at))
            due_at, token = connection.execute(query).one()
            return Turn(due_at, ended=token is None)

        query = sa.select(TURN.c.due_at, TURN.c.token).where(TURN.c.suite == suite)
        return self.turn(suite) or self._database.write(f"beginning to serve {suite}", work)

    def renew_turn(self, suite: str, at: datetime) -> None:
        mine = sa.and_(TURN.c.suite == suite, TURN.c.token == self._token)
        longer = TURN.update().where(mine).values(lease_until=at + LEASE)
        self._database.write(f"renewing the turn of {suite}", lambda c: c.execute(longer))

    def take_turn(self, suite: str, due_at: datetime, at: datetime) -> TakenTurn:
        new = {"due_at": due_at, "taken_at": at, "token": self._token, "lease_until": at + LEASE}
        query = sa.select(TURN).where(TURN.c.suite == suite).with_for_update()
        under_way = sa.select(RUN).where(RUN.c.suite == suite, RUN.c.status == RunStatus.RUNNING.value)

        def work(connection: Connection) -> TakenTurn:
            connection.execute(self._served_until(suite, due_at - _BEFORE))
            row = connection.execute(query).mappings().one()
            if row["due_at"] > due_at or (row["token"] is None and row["due_at"] == due_at):
                return TakenTurn.SERVED
            leased = row["lease_until"] is not None and row["lease_until"] > at
            anothers = row["token"] not in (None, self._token) and leased
            if anothers or any(self._holder(run) for run in connection.execute(under_way).mappings()):
                return TakenTurn.BUSY
            connection.execute(TURN.update().where(TURN.c.suite == suite).values(new))
            return TakenTurn.TAKEN

        return self._database.write(f"taking the turn of {suite}", work)

    def end_turn(self, suite: str, *, served: bool) -> None:
        mine = sa.and_(TURN.c.suite == suite, TURN.c.token == self._token)
        ended = {"lease_until": None, **({"token": None} if served else {})}
        given_back = TURN.update().where(mine).values(ended)
        self._database.write(f"ending the turn of {suite}", lambda c: c.execute(given_back))

    def _served_until(self, suite: str, at: datetime) -> sa.Insert:
        """The first row of a suite that has none: a turn that has ended."""
        first = self._database.insert(TURN).values(suite=suite, due_at=at, taken_at=at)
        insert: sa.Insert = first.on_conflict_do_nothing()
        return insert
