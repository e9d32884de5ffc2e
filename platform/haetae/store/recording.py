"""The rows of a run on their way to disk: prepared once, written as often as their transaction is tried."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core import reasons
from haetae.core.run import GenerationRow, ScoreRow
from haetae.core.sample import Sample
from haetae.errors import StoreError
from haetae.store.bulk import Bulk, Copied, ManyValues
from haetae.store.database import Database
from haetae.store.pruning.heirs import LateCopies
from haetae.store.rows import (
    GENERATION_COLUMNS,
    SAMPLE_COLUMNS,
    SCORE_COLUMNS,
    generation_values,
    sample_values,
    score_values,
)
from haetae.store.tables import GENERATION, SAMPLE, SCORE

WEATHER: Final[list[sa.ColumnClause[str]]] = [sa.literal_column(f"'{reason}'") for reason in sorted(reasons.RETRIED)]
_SAMPLE_ID: Final = GENERATION_COLUMNS.index("sample_id")
_POSITION: Final = GENERATION_COLUMNS.index("position")
_GENERATION_REUSED: Final = GENERATION_COLUMNS.index("reused")
_SCORE_REUSED: Final = SCORE_COLUMNS.index("reused")
_GENERATION_COPY: Final = itemgetter(*map(GENERATION_COLUMNS.index, ("run_id", "sample_id", "repeat", "key")))
_SCORE_COPY: Final = itemgetter(*map(SCORE_COLUMNS.index, ("run_id", "sample_id", "repeat", "key")))


@dataclass(frozen=True)
class Rows:
    """What one transaction writes, as the driver takes it; the positions of generations are set when it is known."""

    samples: list[tuple[Any, ...]]
    generations: list[list[Any]]
    scores: list[tuple[Any, ...]]


class RowWriter:
    """Writes the rows of runs, in as few statements as the database allows; they are made when they are needed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.copies = LateCopies(database)

    @cached_property
    def _samples(self) -> Bulk:
        insert = self._database.insert(SAMPLE).on_conflict_do_nothing()
        return self._bulk(SAMPLE_COLUMNS, ["digest"], insert)

    @cached_property
    def _generations(self) -> Bulk:
        return self._bulk(GENERATION_COLUMNS, _GENERATION_KEY, _generation_upsert(self._database))

    @cached_property
    def _scores(self) -> Bulk:
        return self._bulk(SCORE_COLUMNS, _SCORE_KEY, _score_upsert(self._database))

    def prepared(
        self,
        run_id: str,
        samples: Iterable[Sample],
        generations: Iterable[GenerationRow],
        scores: Iterable[ScoreRow],
        at: datetime,
    ) -> Rows:
        """Raises StoreError for numbers that are not finite."""
        when = self._database.bound(GENERATION.c.created_at, at)
        return Rows(
            [sample_values(sample) for sample in samples],
            [generation_values(run_id, row, when) for row in generations],
            [score_values(run_id, row, when) for row in scores],
        )

    def write(self, connection: Connection, run_id: str, rows: Rows, places: range) -> None:
        """Write them inside the connection's transaction. Their samples are those in these places of the run."""
        if rows.samples:
            self._samples(connection, rows.samples)
        if rows.generations:
            self._number(connection, run_id, rows.generations, places)
            self._generations(connection, rows.generations)
        if rows.scores:
            self._scores(connection, rows.scores)
        copied = [_GENERATION_COPY(row) for row in rows.generations if row[_GENERATION_REUSED]]
        self.copies.recorded(connection, GENERATION, copied)
        self.copies.recorded(connection, SCORE, [_SCORE_COPY(row) for row in rows.scores if row[_SCORE_REUSED]])

    def _bulk(self, columns: Sequence[str], keys: Sequence[str], upsert: sa.Insert) -> Bulk:
        if self._database.is_sqlite:
            return ManyValues(upsert, columns, self._database.dialect)
        return Copied(upsert, columns, keys)

    def _number(self, connection: Connection, run_id: str, rows: Sequence[list[Any]], places: range) -> None:
        """Give each row the position of its sample: that of the sample's first row, else the next free place.

        Raises StoreError where there are more samples than places.
        """
        table = GENERATION.c
        here = sa.and_(table.run_id == run_id, table.position >= places.start, table.position < places.stop)
        last = connection.execute(sa.select(sa.func.max(table.position)).where(here)).scalar()
        known: dict[str, int] = {}
        if last is not None:
            sample_id, ids = sa.type_coerce(table.sample_id, sa.Text()), [row[_SAMPLE_ID] for row in rows]
            query = sa.select(sample_id, table.position).where(table.run_id == run_id)
            known.update(connection.execute(query.where(self._database.among(sample_id, ids))).tuples().all())
        following = places.start if last is None else last + 1
        for row in rows:
            row[_POSITION] = known.setdefault(row[_SAMPLE_ID], following)
            following += row[_POSITION] == following
        if following > places.stop:
            raise StoreError(f"run {run_id}: sample {rows[-1][_SAMPLE_ID]!r} is none of those in places {places}")


_GENERATION_KEY: Final = ["run_id", "sample_id", "repeat"]
_SCORE_KEY: Final = [*_GENERATION_KEY, "metric"]


def _generation_upsert(database: Database) -> sa.Insert:
    """A failure of the weather gives way to what came of asking again; its calls still count."""
    insert = database.insert(GENERATION)
    new, old = insert.excluded, GENERATION.c
    later = sa.or_(new.reason.is_(None), new.reason.not_in(WEATHER), _at_another_time(old, new))
    kept = {*_GENERATION_KEY, "position"}
    changes = {name: new[name] for name in GENERATION_COLUMNS if name not in kept}
    upsert: sa.Insert = insert.on_conflict_do_update(
        index_elements=_GENERATION_KEY,
        set_={**changes, "attempts": old.attempts + new.attempts},
        where=sa.and_(old.reason.in_(WEATHER), later),
    )
    return upsert


def _score_upsert(database: Database) -> sa.Insert:
    """`not_generated` gives way to any score, a failure of the weather to what came of asking again; what was spent on
    it is added to that."""
    insert = database.insert(SCORE)
    new, old = insert.excluded, SCORE.c
    changes = {name: new[name] for name in SCORE_COLUMNS if name not in _SCORE_KEY}
    again = sa.and_(old.reason.in_(WEATHER), new.reason.in_(WEATHER), _at_another_time(old, new))
    upsert: sa.Insert = insert.on_conflict_do_update(
        index_elements=_SCORE_KEY,
        set_={**changes, **{name: _sum(old[name], new[name]) for name in ("calls", "tokens", "cost_usd")}},
        where=sa.or_(_settled(old.reason) < _settled(new.reason), again),
    )
    return upsert


def _at_another_time(old: Any, new: Any) -> sa.ColumnElement[bool]:
    """Whether two failures are not one that is written again, because the answer to its commit was lost."""
    different: sa.ColumnElement[bool] = old.created_at != new.created_at
    return different


def _sum(old: Any, new: Any) -> sa.ColumnElement[Any]:
    """Both together; where one is unknown, the other."""
    total: sa.ColumnElement[Any] = sa.func.coalesce(old + new, new, old)
    return total


def _settled(reason: Any) -> sa.Case[int]:
    first, second, last = (sa.literal_column(place, sa.Integer()) for place in "012")
    not_generated = reason == sa.literal_column(f"'{reasons.NOT_GENERATED}'", sa.Text())
    return sa.case((not_generated, first), (reason.in_(WEATHER), second), else_=last)
