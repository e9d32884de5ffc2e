"""What a ledger holds, how large it is, and what its rows have saved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.store.database import Database
from haetae.store.faults import place
from haetae.store.tables import GENERATION, METADATA, PRUNED, RUN, SAMPLE, SCORE, original


@dataclass(frozen=True, slots=True)
class Held:
    """How many of each a ledger holds. `reusable` are contents that no call need be made for again."""

    runs: int
    samples: int
    answers: int
    scores: int
    reusable_answers: int
    reusable_judgements: int


@dataclass(frozen=True, slots=True)
class Saved:
    """What runs took from earlier ones instead of asking: what the calls behind it had taken when they were made.

    `month` is that of the runs' start (`2026-03`, UTC). `cost_usd` is of what has a price, None when nothing has.
    """

    suite: str
    month: str
    answers: int = 0
    judgements: int = 0
    calls: int = 0
    tokens: int = 0
    cost_usd: float | None = None


class Holdings:
    """Counts over a whole ledger."""

    _database: Database

    def held(self) -> Held:
        """Reads every row's place once: seconds for a million."""

        def work(connection: Connection) -> Held:
            rows = [connection.execute(sa.select(sa.func.count()).select_from(t)).scalar_one() for t in _COUNTED]
            keys = [
                connection.execute(sa.select(sa.func.count(t.c.key.distinct())).where(original(t))).scalar_one()
                for t in (GENERATION, SCORE)
            ]
            return Held(*rows, *keys)

        return self._database.read("counting what the ledger holds", work)

    def saved(self) -> Sequence[Saved]:
        """By suite and month, in this order."""
        runs = sa.select(RUN.c.id, RUN.c.suite, RUN.c.started_at).where(RUN.c.status != PRUNED)

        def work(connection: Connection) -> Sequence[Saved]:
            answers = {row[0]: row[1:] for row in connection.execute(_reused(GENERATION, GENERATION.c.attempts))}
            judgements = {row[0]: row[1:] for row in connection.execute(_reused(SCORE, SCORE.c.calls))}
            found: dict[tuple[str, str], list[tuple[Any, Any]]] = defaultdict(list)
            for run_id, suite, started in connection.execute(runs):
                if run_id in answers or run_id in judgements:
                    both = answers.get(run_id, _NOTHING), judgements.get(run_id, _NOTHING)
                    found[suite, f"{started:%Y-%m}"].append(both)
            return [_added_up(suite, month, found[suite, month]) for suite, month in sorted(found)]

        return self._database.read("adding up what was reused", work)

    def disk(self) -> int:
        """The bytes that a database server keeps for the ledger, or the file of SQLite has, without its log."""
        if self._database.is_sqlite:
            return Path(place(self._database.url)).stat().st_size
        sizes = [sa.func.pg_total_relation_size(name) for name in METADATA.tables]
        return int(self._database.read("measuring the ledger", lambda c: sum(c.execute(sa.select(*sizes)).one())))

    def free(self) -> int:
        """The bytes of an SQLite file that deleted rows left, which new rows take first; 0 on a server."""
        if not self._database.is_sqlite:
            return 0

        def work(connection: Connection) -> int:
            pages, size = (
                connection.exec_driver_sql(f"PRAGMA {ask}").scalar() for ask in ("freelist_count", "page_size")
            )
            return int(pages or 0) * int(size or 0)

        return self._database.read("measuring the ledger", work)


_COUNTED = (RUN, SAMPLE, GENERATION, SCORE)
_NOTHING = (0, 0, 0, None)


def _reused(table: sa.Table, calls: sa.ColumnElement[int]) -> sa.Select[Any]:
    """For each run how many rows it took from others, and the calls, tokens and dollars behind them."""
    return (
        sa.select(
            table.c.run_id,
            sa.func.count(),
            sa.func.sum(calls),
            sa.func.coalesce(sa.func.sum(table.c.tokens), 0),
            sa.func.sum(table.c.cost_usd),
        )
        .where(table.c.reused)
        .group_by(table.c.run_id)
    )


def _added_up(suite: str, month: str, runs: Sequence[tuple[Any, Any]]) -> Saved:
    answers, judgements = ([run[kind] for run in runs] for kind in (0, 1))
    costs = [float(row[3]) for row in (*answers, *judgements) if row[3] is not None]
    calls, tokens = (sum(int(row[at]) for row in (*answers, *judgements)) for at in (1, 2))
    of_answers, of_judgements = (sum(int(row[0]) for row in rows) for rows in (answers, judgements))
    return Saved(suite, month, of_answers, of_judgements, calls, tokens, sum(costs) if costs else None)
