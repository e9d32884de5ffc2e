"""A finished call is never paid twice while any run has its answer: copies inherit from rows that are pruned.

A prune names heirs among the copies there are before it deletes the first row. A copy that is recorded later, of an
answer that its run has looked up before, is an heir from the start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.store.database import Database
from haetae.store.pruning.breathing import breathing
from haetae.store.tables import GENERATION, PRUNED, RUN, SCORE, original

_AT_ONCE: Final = 1000
_COPY: Final = ("of_run_id", "of_sample_id", "of_repeat", "of_key")
"""What tells a copy apart: a key is of one metric."""


def name_heirs(database: Database) -> None:
    """For every key whose called-for rows are gone, or in a run that is going, let its oldest copy be found.

    Costs one look at every copy in the ledger; where nothing was pruned there is none to name.
    """
    for table in (GENERATION, SCORE):
        identity = list(table.primary_key.columns)
        where = sa.and_(*(column == sa.bindparam(f"of_{column.name}") for column in identity))
        update = table.update().where(where).values(heir=True)
        for some in _parts(_unfound(database, _heirs(table))):
            rows = [{f"of_{column.name}": value for column, value in zip(identity, row, strict=True)} for row in some]
            _write(database, update, rows)


class LateCopies:
    """Copies that are recorded by runs which look up answers, while others may prune what they have found."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: set[str] = set()

    def looked_up_from_now_on(self, connection: Connection) -> None:
        """A run begins, or the work on a shard: it may copy from all runs that there are."""
        self._seen.update(connection.execute(sa.select(sa.type_coerce(RUN.c.id, sa.Text()))).scalars())

    def recorded(self, connection: Connection, table: sa.Table, copies: Sequence[tuple[str, str, int, str]]) -> None:
        """Make heirs of those of these new copies whose source was pruned meanwhile, or is just being pruned.

        Of each copy its run, sample, repeat and key, as the driver takes them.
        """
        if not copies or not self._pruned(connection):
            return
        among = self._database.among(table.c.key, [copy[-1] for copy in copies])
        rows = sa.select(table.c.key, table.c.run_id).where(original(table), among)
        sources = connection.execute(rows).tuples().all()
        going = sa.select(RUN.c.id).where(RUN.c.status == PRUNED, RUN.c.id.in_({run_id for _, run_id in sources}))
        hidden = set(connection.execute(going).scalars())
        found = {key for key, run_id in sources if run_id not in hidden}
        lost = [dict(zip(_COPY, copy, strict=True)) for copy in copies if copy[-1] not in found]
        if lost:
            texts = (sa.type_coerce(table.c[name], sa.Text()) for name in ("run_id", "sample_id"))
            columns = (*texts, table.c.repeat, table.c.key)
            same = [column == sa.bindparam(name) for name, column in zip(_COPY, columns, strict=True)]
            connection.execute(table.update().where(*same).values(heir=True), lost)

    def _pruned(self, connection: Connection) -> bool:
        """Whether any run is gone, or going, that could be copied from."""
        seen = self._database.among(sa.type_coerce(RUN.c.id, sa.Text()), list(self._seen))
        there = sa.select(sa.func.count()).select_from(RUN).where(seen, RUN.c.status != PRUNED)
        return connection.execute(there).scalar_one() < len(self._seen)


def _write(database: Database, update: sa.Update, rows: list[dict[str, Any]]) -> None:
    breathing(database, "naming heirs", lambda connection: connection.execute(update, rows))


def _unfound(database: Database, query: sa.Select[Any]) -> Sequence[Any]:
    def work(connection: Connection) -> Sequence[Any]:
        return connection.execute(query).all()

    return database.read("looking for answers that only copies have", work)


def _heirs(table: sa.Table) -> sa.Select[Any]:
    """The oldest copy for each key by which no row of a run that stays is found."""
    copy, source = table.alias("copy"), table.alias("source")
    paid = copy.c.attempts if table is GENERATION else copy.c.calls
    going = sa.select(RUN.c.id).where(RUN.c.status == PRUNED)
    found = sa.exists().where(source.c.key == copy.c.key, original(source), source.c.run_id.not_in(going))
    oldest = sa.func.row_number().over(partition_by=copy.c.key, order_by=(copy.c.created_at, copy.c.run_id))
    ranked = (
        sa.select(*(copy.c[column.name] for column in table.primary_key.columns), oldest.label("place"))
        .where(copy.c.reused, copy.c.reason.is_(None), paid > 0, copy.c.run_id.not_in(going), sa.not_(found))
        .subquery()
    )
    return sa.select(*list(ranked.c)[:-1]).where(ranked.c.place == 1)


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE))
