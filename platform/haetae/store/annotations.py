"""What people said of answers: labels that belong to the content of a sample and of an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core.ledger import Annotation
from haetae.errors import StoreError
from haetae.store.database import Database
from haetae.store.ledger import chunks, run_row
from haetae.store.tables import ANNOTATION, GENERATION


class Annotations:
    """The human labels of `haetae.core.ledger.Ledger`."""

    _database: Database

    def annotate(self, run_id: str, annotations: Sequence[Annotation], at: datetime) -> int:
        """All labels or, where one cannot be kept, none."""
        for label in annotations:
            if not math.isfinite(label.value):
                raise StoreError(
                    f"sample {label.sample_id!r}: the label of {label.metric} is {label.value}, not finite"
                )
        insert = self._database.insert(ANNOTATION)
        upsert = insert.on_conflict_do_update(
            index_elements=list(ANNOTATION.primary_key.columns),
            set_={name: insert.excluded[name] for name in ("value", "run_id", "created_at")},
        )

        def work(connection: Connection) -> int:
            run_row(connection, run_id)
            answers = _answers(connection, run_id, [label.sample_id for label in annotations])
            rows = [_values(run_id, label, answers, at) for label in annotations]
            if rows:
                connection.execute(upsert, rows)
            return len(rows)

        return self._database.write(f"labelling run {run_id}", work)

    def annotations(self, run_id: str, metric: str) -> Mapping[tuple[str, int], float]:
        """The mean over raters of the labels that fit this run's samples and answers."""
        answer = GENERATION.c
        query = _fitting(run_id, metric, answer.sample_id, answer.repeat, sa.func.avg(ANNOTATION.c.value))
        query = query.group_by(answer.sample_id, answer.repeat).order_by(answer.sample_id, answer.repeat)

        def work(connection: Connection) -> Mapping[tuple[str, int], float]:
            run_row(connection, run_id)
            return {(sample, repeat): float(mean) for sample, repeat, mean in connection.execute(query)}

        return self._database.read(f"reading the labels of {metric} in run {run_id}", work)

    def ratings(self, run_id: str, metric: str) -> Sequence[Annotation]:
        """The labels that fit this run's samples and answers, each rater's own."""
        answer, label = GENERATION.c, ANNOTATION.c
        query = _fitting(run_id, metric, answer.sample_id, label.metric, label.rater, label.value, answer.repeat)
        query = query.order_by(answer.sample_id, answer.repeat, label.rater)

        def work(connection: Connection) -> Sequence[Annotation]:
            run_row(connection, run_id)
            return [Annotation(*row) for row in connection.execute(query)]

        return self._database.read(f"reading who labelled {metric} in run {run_id}", work)


def _fitting(run_id: str, metric: str, *columns: Any) -> sa.Select[Any]:
    """Columns of a run's answers and of the labels that belong to their content."""
    answer, label = GENERATION.c, ANNOTATION.c
    same = sa.and_(label.sample_digest == answer.sample_digest, label.output_digest == answer.output_digest)
    query = sa.select(*columns).select_from(GENERATION.join(ANNOTATION, same))
    return query.where(answer.run_id == run_id, answer.reason.is_(None), label.metric == metric)


def _answers(
    connection: Connection, run_id: str, sample_ids: Sequence[str]
) -> Mapping[tuple[str, int], tuple[str, str]]:
    """(sample digest, output digest) of the run's answers to these samples."""
    table = GENERATION.c
    query = sa.select(table.sample_id, table.repeat, table.sample_digest, table.output_digest)
    query = query.where(table.run_id == run_id, table.reason.is_(None))
    return {
        (sample, repeat): (asked, answered)
        for some in chunks(sample_ids)
        for sample, repeat, asked, answered in connection.execute(query.where(table.sample_id.in_(some)))
    }


def _values(
    run_id: str, label: Annotation, answers: Mapping[tuple[str, int], tuple[str, str]], at: datetime
) -> dict[str, Any]:
    found = answers.get((label.sample_id, label.repeat))
    if found is None:
        raise StoreError(f"run {run_id} has no answer to sample {label.sample_id!r}, repeat {label.repeat}, to label")
    return {
        "sample_digest": found[0],
        "output_digest": found[1],
        "metric": label.metric,
        "rater": label.rater,
        "value": float(label.value),
        "run_id": run_id,
        "created_at": at,
    }
