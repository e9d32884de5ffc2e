"""Deleting whole runs while others read and write: hidden in one commit, then deleted a little at a time.

A run that is being pruned has the status PRUNED: nobody is shown it any more, so that no reader counts half of
it. A prune that is killed leaves hidden runs, and the next one deletes them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.store.database import Database
from haetae.store.ledger import chunks
from haetae.store.owner import Owner
from haetae.store.pruning.breathing import breathing
from haetae.store.pruning.heirs import name_heirs
from haetae.store.pruning.orphans import drop_orphans
from haetae.store.pruning.protection import reasons_to_keep
from haetae.store.rows import Row
from haetae.store.tables import (
    ANNOTATION,
    BASELINE,
    COMPARISON,
    ESTIMATE,
    GENERATION,
    OUTBOX,
    PRUNED,
    RUN,
    SCORE,
    SHARD,
)

_SPELL_S: Final = 0.1
"""How long one transaction should take: the next one deletes fewer or more rows by how long the last one took."""
_FEWEST, _FIRST, _MOST = 50, 500, 10_000


class Pruning:
    """Deletes runs of a ledger, and what nobody refers to without them."""

    _database: Database
    _worker: Callable[[Connection, Row], Owner | None]

    def kept(self, run_ids: Sequence[str], *, annotated: bool = False) -> Mapping[str, str]:
        """Of these runs those that `prune` would not delete, and why."""

        def work(connection: Connection) -> dict[str, str]:
            kept: dict[str, str] = {}
            for some in chunks(run_ids):
                kept |= reasons_to_keep(connection, some, annotated, partial(self._worker, connection))
            return kept

        return self._database.read("looking what keeps runs", work)

    def pruned(self) -> Sequence[str]:
        """The runs that a prune has hidden and not yet deleted: it goes on, or was killed."""
        query = sa.select(RUN.c.id).where(RUN.c.status == PRUNED).order_by(RUN.c.started_at)
        return self._database.read("looking for hidden runs", lambda c: c.execute(query).scalars().all())

    def prune(self, run_ids: Sequence[str], *, annotated: bool = False) -> Mapping[str, int]:
        """Delete these runs but those that `kept` names, and the hidden ones; then the samples that nobody refers to.

        How many rows of each table were deleted. What was said of a run goes with it, with `annotated` also the
        labels that people gave its answers, unless another run has the same answer. Where a run that stays has a
        copy of an answer, the copy is found in its place: no call that any run remembers is paid again.
        """
        database = self._database
        for some in chunks(run_ids):
            self._hide(some, annotated)
        name_heirs(database)
        deleted, size = {"run": 0, "generation": 0, "score": 0}, _FIRST
        for run_id in self.pruned():
            for table in (SCORE, GENERATION):
                count, size = self._delete_rows(run_id, table, size)
                deleted[table.name] += count
            deleted["run"] += self._delete_run(run_id)
        deleted["sample"] = drop_orphans(database)
        name_heirs(database)  # of what was copied meanwhile
        return deleted

    def _hide(self, run_ids: Sequence[str], annotated: bool) -> None:
        homes = self._other_homes(run_ids) if annotated else {}

        def work(connection: Connection) -> None:
            connection.execute(sa.select(RUN.c.id).where(RUN.c.id.in_(run_ids)).with_for_update())
            kept = reasons_to_keep(connection, run_ids, annotated, partial(self._worker, connection))
            going = [run_id for run_id in run_ids if run_id not in kept]
            for (run_id, sample, output), home in homes.items():
                if run_id in going:
                    label = ANNOTATION.c
                    theirs = (label.run_id == run_id, label.sample_digest == sample, label.output_digest == output)
                    connection.execute(ANNOTATION.update().where(*theirs).values(run_id=home))
            _forget(connection, going)
            connection.execute(RUN.update().where(RUN.c.id.in_(going)).values(status=PRUNED, owner_token=None))

        self._database.write("hiding runs that are pruned", work)

    def _other_homes(self, run_ids: Sequence[str]) -> Mapping[tuple[str, str, str], str]:
        """For (run, sample, output) of labels that were made in these runs, another run that has the same answer."""
        label, answer = ANNOTATION.c, GENERATION.c
        same = sa.and_(label.sample_digest == answer.sample_digest, label.output_digest == answer.output_digest)
        labelled = (label.run_id, label.sample_digest, label.output_digest)
        query = (
            sa.select(*labelled, sa.func.max(answer.run_id))
            .select_from(GENERATION.join(ANNOTATION, same).join(RUN, RUN.c.id == answer.run_id))
            .where(label.run_id.in_(run_ids), answer.run_id.not_in(run_ids), RUN.c.status != PRUNED)
            .group_by(*labelled)
        )
        rows = self._database.read("looking where labels belong as well", lambda c: c.execute(query).tuples().all())
        return {(run_id, sample, output): home for run_id, sample, output, home in rows}

    def _delete_rows(self, run_id: str, table: sa.Table, size: int) -> tuple[int, int]:
        """Delete a run's rows of one table in the order of its primary key, about `size` at first; how many there
        were, and how many to begin with the next time."""
        total = 0
        ids = sa.select(table.c.sample_id).where(table.c.run_id == run_id).order_by(table.c.sample_id)
        while True:

            def work(connection: Connection, size: int = size) -> int:
                last = connection.execute(ids.limit(1).offset(size)).scalar()
                part = table.c.run_id == run_id
                if last is not None:
                    part = sa.and_(part, table.c.sample_id <= last)
                return connection.execute(table.delete().where(part)).rowcount

            count, took = breathing(self._database, f"deleting rows of run {run_id}", work)
            total, was_last = total + count, count <= size
            if took > _SPELL_S or not was_last:
                size = int(min(max(size * min(_SPELL_S / max(took, 0.001), 2), _FEWEST), _MOST))
            if was_last:
                return total, size

    def _delete_run(self, run_id: str) -> int:
        def work(connection: Connection) -> int:
            _forget(connection, [run_id])
            return connection.execute(RUN.delete().where(RUN.c.id == run_id)).rowcount

        return self._database.write(f"deleting run {run_id}", work)


def _forget(connection: Connection, run_ids: Collection[str]) -> None:
    """Delete what was said of runs, to whom, and by whom."""
    of_others = (COMPARISON.c.candidate, BASELINE.c.run_id, OUTBOX.c.run_id, ANNOTATION.c.run_id)
    for run_id in (SHARD.c.run_id, ESTIMATE.c.run_id, *of_others):
        connection.execute(sa.delete(run_id.table).where(run_id.in_(run_ids)))
