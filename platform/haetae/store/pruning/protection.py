"""What keeps a run from being pruned."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core.run import RunStatus
from haetae.store.owner import Owner
from haetae.store.rows import Row
from haetae.store.tables import ANNOTATION, BASELINE, OUTBOX, PRUNED, RUN


def reasons_to_keep(
    connection: Connection, run_ids: Collection[str], annotated: bool, holder: Callable[[Row], Owner | None]
) -> dict[str, str]:
    """Of these runs those that may not be pruned, and why. `annotated` gives up what people labelled; `holder` says
    who works on a run."""
    kept: dict[str, str] = {}
    for run_id, why in _reasons(connection, run_ids, annotated, holder):
        kept.setdefault(run_id, why)
    return kept


def _reasons(
    connection: Connection, run_ids: Collection[str], annotated: bool, holder: Callable[[Row], Owner | None]
) -> Iterator[tuple[str, str]]:
    """The strongest first."""
    among = RUN.c.id.in_(run_ids)
    for row in connection.execute(sa.select(RUN).where(among, RUN.c.status != RunStatus.FINISHED.value)).mappings():
        if worker := holder(row):
            yield row["id"], f"{worker} works on it"
    newest = sa.select(sa.func.max(BASELINE.c.id)).group_by(BASELINE.c.suite, BASELINE.c.name)
    promoted = sa.select(BASELINE.c.run_id, BASELINE.c.name).where(BASELINE.c.id.in_(newest))
    for run_id, name in connection.execute(promoted.where(BASELINE.c.run_id.in_(run_ids))):
        yield run_id, f"it is the baseline {name!r}"
    waiting = sa.select(OUTBOX.c.run_id, OUTBOX.c.tracker).where(OUTBOX.c.delivered_at.is_(None))
    for run_id, tracker in connection.execute(waiting.where(OUTBOX.c.run_id.in_(run_ids))):
        yield run_id, f"{tracker} has yet to be told of it (haetae sync)"
    for run_id in connection.execute(_last(RUN.c.status == RunStatus.FINISHED.value).where(among)).scalars():
        yield run_id, "it is the last finished run of its suite"
    for run_id in connection.execute(_last(RUN.c.status != PRUNED).where(among)).scalars():
        yield run_id, "it is the newest run of its suite, whose number is not given again"
    if not annotated:
        labels = sa.select(ANNOTATION.c.run_id, sa.func.count()).group_by(ANNOTATION.c.run_id)
        for run_id, count in connection.execute(labels.where(ANNOTATION.c.run_id.in_(run_ids))):
            yield run_id, f"it has {count:,} label{'' if count == 1 else 's'} of people (--annotated gives them up)"


def _last(which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Of each suite the run with the highest number."""
    highest = sa.select(RUN.c.suite, sa.func.max(RUN.c.number).label("number")).where(which).group_by(RUN.c.suite)
    last = highest.subquery()
    return sa.select(RUN.c.id).join(last, sa.and_(RUN.c.suite == last.c.suite, RUN.c.number == last.c.number))
