"""Whose turn it is to serve the schedule of a suite: of all who would, one does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core.ledger import TakenTurn
from haetae.core.run import RunStatus
from haetae.store.database import Database
from haetae.store.ledger import LEASE
from haetae.store.owner import Owner
from haetae.store.rows import Row
from haetae.store.tables import RUN, TURN


class Turns:
    """`served_until`, `take_turn` and `end_turn` of `haetae.core.ledger.Ledger`."""

    _database: Database
    _token: str
    _holder: Callable[[Row], Owner | None]

    def served_until(self, suite: str) -> datetime | None:
        query = sa.select(TURN.c.due_at).where(TURN.c.suite == suite)
        return self._database.read(f"looking when {suite} was served", lambda c: c.execute(query).scalar())

    def take_turn(self, suite: str, due_at: datetime, at: datetime) -> TakenTurn:
        new = {"due_at": due_at, "taken_at": at, "token": self._token, "lease_until": at + LEASE}
        query = sa.select(TURN).where(TURN.c.suite == suite).with_for_update()
        under_way = sa.select(RUN).where(RUN.c.suite == suite, RUN.c.status == RunStatus.RUNNING.value)

        def work(connection: Connection) -> TakenTurn:
            first = self._database.insert(TURN).values(suite=suite, **new).on_conflict_do_nothing()
            made = connection.execute(first.returning(TURN.c.suite)).first() is not None
            row = connection.execute(query).mappings().one()
            mine = row["token"] == self._token and row["due_at"] == due_at
            if not made and not mine:  # mine: it was committed, and only the answer to that was lost
                if row["due_at"] >= due_at:
                    return TakenTurn.SERVED
                if row["token"] not in (None, self._token) and row["lease_until"] > at:
                    return TakenTurn.BUSY
            if any(self._holder(run) for run in connection.execute(under_way).mappings()):
                if made:  # nothing is served yet
                    connection.execute(TURN.delete().where(TURN.c.suite == suite))
                return TakenTurn.BUSY
            connection.execute(TURN.update().where(TURN.c.suite == suite).values(new))
            return TakenTurn.TAKEN

        return self._database.write(f"taking the turn of {suite}", work)

    def end_turn(self, suite: str) -> None:
        mine = sa.and_(TURN.c.suite == suite, TURN.c.token == self._token)
        free = TURN.update().where(mine).values(token=None, lease_until=None)
        self._database.write(f"ending the turn of {suite}", lambda c: c.execute(free))
