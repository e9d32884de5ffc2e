"""Reading runs: lists, accounts, spending and whole results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core import reasons
from haetae.core.ledger import SampleResult
from haetae.core.run import NOTHING, Accounting, Run, ScoreRow, Spent, Unanswered, Unscored
from haetae.store.columns import escape
from haetae.store.database import Database
from haetae.store.ledger import chunks, run_row
from haetae.store.plans import all_of_a_run
from haetae.store.rows import Row, read_generation, read_run, read_sample, read_score
from haetae.store.tables import GENERATION, PRUNED, RUN, SAMPLE, SCORE


class Reading:
    """The reading half of `haetae.core.ledger.Ledger`."""

    _database: Database

    def run(self, run_id: str) -> Run:
        return read_run(self._database.read(f"reading run {run_id}", lambda c: run_row(c, run_id)))

    def runs(self, suite: str | None = None, limit: int = 100, offset: int = 0) -> Sequence[Run]:
        query = sa.select(RUN).where(RUN.c.status != PRUNED).limit(limit).offset(offset)
        if suite is None:
            query = query.order_by(RUN.c.started_at.desc(), RUN.c.number.desc(), RUN.c.suite)
        else:
            query = query.where(RUN.c.suite == suite).order_by(RUN.c.number.desc())
        rows = self._database.read("listing runs", lambda c: c.execute(query).mappings().all())
        return [read_run(row) for row in rows]

    def suites(self) -> Sequence[str]:
        query = sa.select(RUN.c.suite).distinct().where(RUN.c.status != PRUNED).order_by(RUN.c.suite)
        return self._database.read("listing suites", lambda c: c.execute(query).scalars().all())

    def accounting(self, run_id: str) -> Sequence[Accounting]:
        """One account per metric of the manifest. A failed answer counts as `not_generated` for a metric
        whether or not a score row says so."""
        counts = sa.select(SCORE.c.metric, SCORE.c.reason, sa.func.count()).where(SCORE.c.run_id == run_id)
        failed = sa.select(sa.func.count()).where(GENERATION.c.run_id == run_id, GENERATION.c.reason.is_not(None))
        told = (
            sa.select(SCORE.c.metric, sa.func.count())
            .select_from(SCORE.join(GENERATION))
            .where(SCORE.c.run_id == run_id, GENERATION.c.reason.is_not(None))
            .group_by(SCORE.c.metric)
        )

        def work(connection: Connection) -> Sequence[Accounting]:
            run = read_run(run_row(connection, run_id))
            scored: dict[str, int] = {}
            unscored: dict[str, dict[str, int]] = defaultdict(dict)
            for metric, reason, count in connection.execute(counts.group_by(SCORE.c.metric, SCORE.c.reason)):
                if reason is None:
                    scored[metric] = count
                else:
                    unscored[metric][reason] = count
            failures = connection.execute(failed).scalar_one()
            with_score = dict(all_of_a_run(connection).execute(told).tuples().all()) if failures else {}
            for metric in run.manifest.metrics:
                if silent := failures - with_score.get(metric, 0):
                    unscored[metric][reasons.NOT_GENERATED] = unscored[metric].get(reasons.NOT_GENERATED, 0) + silent
            return [Accounting(m, run.total, scored.get(m, 0), dict(unscored[m])) for m in run.manifest.metrics]

        return self._database.read(f"accounting for run {run_id}", work)

    def unanswered(self, run_id: str) -> Sequence[Unanswered]:
        work = GENERATION.c
        failed = sa.select(GENERATION).where(work.run_id == run_id, work.reason.is_not(None))
        counts = failed.with_only_columns(work.reason, sa.func.count()).group_by(work.reason)
        first = failed.order_by(work.position, work.repeat).limit(1)

        def read(connection: Connection) -> Sequence[Unanswered]:
            run_row(connection, run_id)
            found = []
            for reason, count in connection.execute(counts).all():
                row = connection.execute(first.where(work.reason == reason)).mappings().one()
                found.append(Unanswered(reason, count, row["sample_id"], row["payload"]["message"]))
            return sorted(found, key=lambda one: (-one.count, one.reason))

        return self._database.read(f"reading which answers of run {run_id} failed", read)

    def unscored(self, run_id: str) -> Sequence[Unscored]:
        lacking = SCORE.c.reason
        alike, first = (SCORE.c.metric, lacking), (GENERATION.c.position, GENERATION.c.repeat)
        place = sa.func.row_number().over(partition_by=alike, order_by=first)
        count = sa.func.count().over(partition_by=alike)
        columns = (SCORE.c.metric, lacking, count.label("count"), SCORE.c.sample_id, SCORE.c.explanation)
        ranked = (
            sa.select(*columns, place.label("place"))
            .select_from(SCORE.join(GENERATION))
            .where(SCORE.c.run_id == run_id, lacking != reasons.NOT_GENERATED)
            .subquery()
        )
        firsts = sa.select(*list(ranked.c)[:-1]).where(ranked.c.place == 1)

        def read(connection: Connection) -> Sequence[Unscored]:
            order = list(read_run(run_row(connection, run_id)).manifest.metrics)
            found = [Unscored(*row) for row in all_of_a_run(connection).execute(firsts)]
            return sorted(found, key=lambda one: (order.index(one.metric), -one.count, one.reason))

        return self._database.read(f"reading what run {run_id} could not score", read)

    def reported_models(self, run_id: str) -> Mapping[str, frozenset[str]]:
        """The names that endpoints gave themselves: of the target under "", of judges by metric."""
        targets = sa.select(sa.literal(""), GENERATION.c.model).where(GENERATION.c.run_id == run_id)
        judges = sa.select(SCORE.c.metric, SCORE.c.model).where(SCORE.c.run_id == run_id)

        def read(connection: Connection) -> Sequence[Any]:
            return connection.execute(sa.union(targets, judges)).all()

        found: dict[str, set[str]] = {}
        for name, model in self._database.read(f"reading which models answered run {run_id}", read):
            if model is not None:
                found.setdefault(name, set()).add(model)
        return {name: frozenset(models) for name, models in found.items()}

    def spent(self, run_id: str, places: range | None = None) -> Spent:
        return self._database.read(f"adding up what run {run_id} spent", lambda c: spent_of(c, run_id, places))

    def results(
        self,
        run_id: str,
        *,
        limit: int | None = None,
        offset: int = 0,
        search: str | None = None,
        unscored_only: bool = False,
        sample_ids: Sequence[str] | None = None,
    ) -> Sequence[SampleResult]:
        """Results in the order in which samples came. `search` is a part of the question, the answer or
        a reference, in upper or lower case (on Postgres: of the letters that its locale
        knows). `unscored_only` keeps failures and whatever lacks a value."""
        query = sa.select(GENERATION, SAMPLE.c.facets, SAMPLE.c.payload.label("sample"))
        query = query.select_from(GENERATION.join(SAMPLE)).where(GENERATION.c.run_id == run_id)
        if search:
            query = query.where(sa.or_(self._holds(SAMPLE.c.search, search), self._holds(GENERATION.c.output, search)))
        if unscored_only:
            unscored = sa.select(SCORE.c.sample_id, SCORE.c.repeat).where(SCORE.c.run_id == run_id)
            of_row = sa.tuple_(GENERATION.c.sample_id, GENERATION.c.repeat)
            lacks = of_row.in_(unscored.where(SCORE.c.reason.is_not(None)))
            query = query.where(sa.or_(GENERATION.c.reason.is_not(None), lacks))
        ordered = query.order_by(GENERATION.c.position, GENERATION.c.repeat)

        def work(connection: Connection) -> Sequence[SampleResult]:
            run_row(connection, run_id)
            if sample_ids is None:
                rows: Sequence[Row] = connection.execute(ordered.limit(limit).offset(offset)).mappings().all()
            else:
                of_ids = (query.where(GENERATION.c.sample_id.in_(some)) for some in chunks(sample_ids))
                found = [row for part in of_ids for row in connection.execute(part).mappings()]
                found.sort(key=lambda row: (row["position"], row["repeat"]))
                rows = found[offset:] if limit is None else found[offset : offset + limit]
            scores = _scores(connection, run_id, rows, whole=limit is None and sample_ids is None)
            return [_result(row, scores.get((row["sample_id"], row["repeat"]), {})) for row in rows]

        return self._database.read(f"reading results of run {run_id}", work)

    def _holds(self, column: Any, part: str) -> sa.ColumnElement[bool]:
        """Whether a text holds a part, in any case; a plain search, so that no character means anything."""
        find = sa.func.instr if self._database.is_sqlite else sa.func.strpos
        needle = sa.func.lower(sa.bindparam(None, escape(part), type_=sa.Text()))
        return find(sa.func.lower(sa.type_coerce(column, sa.Text())), needle) > 0


def spent_of(connection: Connection, run_id: str, places: range | None = None) -> Spent:
    """What a run has spent, or what the rows of the samples in these places tell.

    Calls are the attempts of answers that were not reused, the calls behind scores that were not, and, of the whole
    run, those that no row tells of. Cost is the sum of what has a price, None when nothing has; the answered calls
    that have none are `unpriced_calls`.
    """
    work, judged = GENERATION.c, SCORE.c
    fresh = sa.not_(work.reused)
    answers = sa.select(
        _total(work.attempts, fresh),
        _total(work.tokens, fresh),
        sa.func.sum(work.cost_usd).filter(fresh),
        _total(work.attempts, sa.and_(fresh, work.reason.is_(None), work.cost_usd.is_(None))),
        _total(work.attempts - 1, sa.and_(fresh, work.attempts > 1)),
        _total(1, work.reused),
        sa.func.sum(work.cost_usd).filter(work.reused),
    ).where(work.run_id == run_id)
    asked = sa.and_(sa.not_(judged.reused), judged.calls > 0)
    answered = sa.or_(judged.reason.is_(None), judged.tokens.is_not(None))
    judgements = sa.select(
        _total(judged.calls, asked),
        _total(judged.tokens, asked),
        sa.func.sum(judged.cost_usd).filter(sa.not_(judged.reused)),
        _total(judged.calls, sa.and_(asked, judged.cost_usd.is_(None), answered)),
        _total(1, judged.reused),
        sa.func.sum(judged.cost_usd).filter(judged.reused),
    ).where(judged.run_id == run_id)
    kept = read_run(run_row(connection, run_id)).unkept if places is None else NOTHING
    if places is not None:
        all_of_a_run(connection)
        here = sa.and_(work.position >= places.start, work.position < places.stop)
        answers, judgements = answers.where(here), judgements.select_from(SCORE.join(GENERATION)).where(here)
    answer, judge = connection.execute(answers).one(), connection.execute(judgements).one()
    costs = [cost for cost in (answer[2], judge[2], kept.usd or None) if cost is not None]
    saved = [cost for cost in (answer[6], judge[5]) if cost is not None]
    return Spent(
        calls=int(answer[0] + judge[0]) + kept.calls,
        tokens=int(answer[1] + judge[1]) + kept.tokens,
        cost_usd=float(sum(costs)) if costs else None,
        unpriced_calls=int(answer[3] + judge[3]),
        reused=int(answer[5]),
        retried=int(answer[4]),
        reused_judgements=int(judge[4]),
        saved_usd=float(sum(saved)) if saved else None,
    )


def _total(what: Any, where: Any) -> Any:
    return sa.func.coalesce(sa.func.sum(what).filter(where), 0)


def _scores(
    connection: Connection, run_id: str, rows: Sequence[Row], *, whole: bool
) -> dict[tuple[str, int], dict[str, ScoreRow]]:
    """The scores of these rows; in one query when the rows are all of the run."""
    query = sa.select(SCORE).where(SCORE.c.run_id == run_id)
    parts = (
        [query] if whole else [query.where(SCORE.c.sample_id.in_(s)) for s in chunks([r["sample_id"] for r in rows])]
    )
    found: dict[tuple[str, int], dict[str, ScoreRow]] = defaultdict(dict)
    for part in parts:
        for row in connection.execute(part).mappings():
            found[row["sample_id"], row["repeat"]][row["metric"]] = read_score(row)
    return found


def _result(row: Row, scores: dict[str, ScoreRow]) -> SampleResult:
    return SampleResult(read_sample(row["sample"], row["facets"]), row["repeat"], read_generation(row), scores)
