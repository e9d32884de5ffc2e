"""The straight path of a run: start, record, continue, finish. What a method acknowledged is on disk."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core.reference import check_name
from haetae.core.run import (
    NOTHING,
    GenerationRow,
    LimitChange,
    Manifest,
    Run,
    RunStatus,
    ScoreRow,
    Unfinished,
    Unkept,
)
from haetae.core.sample import Sample
from haetae.core.shard import Shard
from haetae.errors import StoreError, UnknownRunError
from haetae.store.columns import escape
from haetae.store.database import Database
from haetae.store.owner import Owner, this_process
from haetae.store.plans import all_of_a_run
from haetae.store.recording import WEATHER, RowWriter
from haetae.store.rows import Row, read_generation, read_run, read_score, run_values
from haetae.store.tables import ESTIMATE, GENERATION, PRUNED, RUN, SCORE, SHARD, original

LEASE: Final = timedelta(minutes=5)
"""How long a run is believed to be worked on by whom nobody here sees, after its last recorded row."""
EVERYWHERE: Final = range(2**31 - 1)
"""The places of a run that one process works on: all that a column holds."""
CHUNK: Final = 500
"""How many values one IN takes: well under what every SQLite and Postgres allows."""
FREE: Final[dict[str, Any]] = dict.fromkeys(
    ("owner_host", "owner_pid", "owner_started", "owner_token", "lease_until"), None
)
_AT_THE_END: Final = ("status", "finished_at", "note", "course", "unkept")
UNFINISHED: Final = RUN.c.status.not_in((RunStatus.FINISHED.value, PRUNED))
SHARED: Final = sa.exists().where(SHARD.c.run_id == RUN.c.id)
_UNREPORTED: Final = sa.and_(
    RUN.c.status == RunStatus.FINISHED.value, sa.not_(sa.exists().where(ESTIMATE.c.run_id == RUN.c.id))
)


def chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """The distinct values, `CHUNK` at a time."""
    distinct = list(dict.fromkeys(values))
    return (distinct[start : start + CHUNK] for start in range(0, len(distinct), CHUNK))


def this_shard(run_id: str, shard: Shard) -> sa.ColumnElement[bool]:
    """One shard of a run."""
    return sa.and_(SHARD.c.run_id == run_id, SHARD.c.number == shard.number)


def run_row(connection: Connection, run_id: str) -> Row:
    """A run's row. Raises UnknownRunError, naming the newest runs, when there is none."""
    seen = RUN.c.status != PRUNED
    row = connection.execute(sa.select(RUN).where(RUN.c.id == run_id, seen)).mappings().first()
    if row is None:
        latest = sa.select(RUN.c.id).where(seen).order_by(RUN.c.started_at.desc()).limit(5)
        newest = connection.execute(latest).scalars().all()
        raise UnknownRunError(f"there is no run {run_id!r}; the newest are: {', '.join(newest) or 'none'}")
    return row


class Recording:
    """Runs and their rows, as the engine writes them. See `haetae.core.ledger.Ledger`.

    A run in work is leased by one ledger object, or each of its shards is. Among processes that see one another, a dead
    one has no lease and a living one keeps it; any other, on another machine or in another container, keeps it until
    `LEASE` after its last row or `renew`.
    """

    _refuse_beside_a_turn: Callable[[Connection, str], None]
    _worker: Callable[[Connection, Row], Owner | None]

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = RowWriter(database)
        self._token = uuid.uuid4().hex
        self._leased: set[str] = set()
        self._turns: set[str] = set()  # suites
        self._held: dict[str, Shard] = {}  # of shared runs

    def start(
        self, suite: str, manifest: Manifest, total: int, at: datetime, seed: int, tags: Mapping[str, str]
    ) -> Run:
        check_name(suite)
        made: list[str] = []

        def work(connection: Connection) -> Run:
            mine = sa.select(RUN).where(RUN.c.id.in_(made), RUN.c.owner_token == self._token)
            if made and (row := connection.execute(mine).mappings().first()):
                return read_run(row)  # it was committed, and only the answer to that was lost
            number = self._next_number(connection, suite)
            run = Run(f"{suite}.{number}", suite, number, RunStatus.RUNNING, manifest, total, at, seed=seed, tags=tags)
            made.append(run.id)
            self._insert(connection, run, self._lease())
            return run

        run = self._database.write(f"starting a run of {suite}", work)
        self._leased.add(run.id)
        return run

    def unfinished(self, suite: str, manifest_digest: str, *, fresh: bool = False) -> Run | None:
        return self._found(suite, manifest_digest, fresh, sa.and_(UNFINISHED, sa.not_(SHARED)))

    def unreported(self, suite: str, manifest_digest: str, *, fresh: bool = False) -> Run | None:
        return self._found(suite, manifest_digest, fresh, _UNREPORTED)

    def _found(self, suite: str, manifest_digest: str, fresh: bool, where: sa.ColumnElement[bool]) -> Run | None:
        def work(connection: Connection) -> Run | None:
            return next(self._alike(connection, suite, manifest_digest, fresh, where), None)

        return self._database.read("looking for a run to continue", work)

    def _alike(
        self, connection: Connection, suite: str, manifest_digest: str, fresh: bool, where: sa.ColumnElement[bool]
    ) -> Iterator[Run]:
        """Those that nobody works on, newest first. Digests are made anew: those in the table were made by older
        rules."""
        query = sa.select(RUN).where(RUN.c.suite == suite, where).order_by(RUN.c.number.desc())
        rows = connection.execute(query).mappings().all()
        runs = (read_run(row) for row in rows if self._holder(connection, row) is None)
        return (run for run in runs if bool(run.manifest.epoch) == fresh and run.manifest.digest == manifest_digest)

    def _next_number(self, connection: Connection, suite: str) -> int:
        self._refuse_beside_a_turn(connection, suite)
        last = connection.execute(sa.select(sa.func.max(RUN.c.number)).where(RUN.c.suite == suite)).scalar()
        return (last or 0) + 1

    def _insert(self, connection: Connection, run: Run, lease: Mapping[str, Any]) -> None:
        connection.execute(RUN.insert().values({**run_values(run), **lease}))
        self._rows.copies.looked_up_from_now_on(connection)

    def unfinished_runs(self) -> Sequence[Unfinished]:
        """Every run that did not finish, or whose report is missing, newest first."""
        answered = sa.select(sa.func.count()).where(GENERATION.c.run_id == RUN.c.id).scalar_subquery()
        query = (
            sa.select(RUN, answered.label("answered"))
            .where(sa.or_(UNFINISHED, _UNREPORTED))
            .order_by(RUN.c.started_at.desc(), RUN.c.number.desc())
        )

        def work(connection: Connection) -> list[Unfinished]:
            rows = connection.execute(query).mappings().all()
            holders = [self._worker(connection, row) for row in rows]
            return [
                Unfinished(read_run(row), row["answered"], None if holder is None else str(holder))
                for row, holder in zip(rows, holders, strict=True)
            ]

        return self._database.read("looking for runs to continue", work)

    def resume(self, run_id: str) -> Run:
        tried = False
        open_shards = sa.select(sa.func.count()).where(SHARD.c.run_id == run_id, SHARD.c.ended_at.is_(None))

        def work(connection: Connection) -> Run:
            nonlocal tried
            row = run_row(connection, run_id)
            if tried and row["owner_token"] == self._token:
                return read_run(row)  # it was committed, and only the answer to that was lost
            tried = True
            if row["status"] == RunStatus.FINISHED.value:
                raise StoreError(f"run {run_id} is finished: there is nothing to continue")
            if holder := self._worker(connection, row):
                raise StoreError(f"run {run_id} is being worked on by {holder}; wait for it or end it")
            if open_ := connection.execute(open_shards).scalar_one():
                raise StoreError(f"run {run_id} is shared, and {open_} of its shards have not ended")
            self._refuse_beside_a_turn(connection, row["suite"])
            changes = {"status": RunStatus.RUNNING.value, "finished_at": None, "note": None, **self._lease()}
            # on Postgres another process may have leased it since it was read
            free = sa.and_(RUN.c.id == run_id, RUN.c.owner_token.is_not_distinct_from(row["owner_token"]))
            if connection.execute(RUN.update().where(free).values(changes)).rowcount != 1:
                raise StoreError(f"run {run_id} has just been taken up by another process")
            self._rows.copies.looked_up_from_now_on(connection)
            return read_run({**row, **changes})

        run = self._database.write(f"continuing run {run_id}", work)
        self._leased.add(run_id)
        return run

    def record(
        self,
        run_id: str,
        samples: Iterable[Sample],
        generations: Iterable[GenerationRow],
        scores: Iterable[ScoreRow],
        at: datetime,
    ) -> None:
        rows = self._rows.prepared(run_id, samples, generations, scores, at)

        def work(connection: Connection) -> None:
            places = self._renew(connection, run_id)
            self._rows.write(connection, run_id, rows, places)

        self._database.write(f"recording rows of run {run_id}", work)

    def done(
        self, run_id: str, sample_ids: Sequence[str] | None = None
    ) -> Mapping[tuple[str, int], tuple[GenerationRow, Mapping[str, ScoreRow]]]:
        answers = sa.select(GENERATION).where(GENERATION.c.run_id == run_id)
        answers = answers.order_by(GENERATION.c.position, GENERATION.c.repeat)
        scores = sa.select(SCORE).where(SCORE.c.run_id == run_id)
        if sample_ids is not None:
            ids = [escape(name) for name in sample_ids]
            answers = answers.where(self._database.among(sa.type_coerce(GENERATION.c.sample_id, sa.Text()), ids))
            scores = scores.where(self._database.among(sa.type_coerce(SCORE.c.sample_id, sa.Text()), ids))

        def work(connection: Connection) -> dict[tuple[str, int], tuple[GenerationRow, dict[str, ScoreRow]]]:
            found: dict[tuple[str, int], tuple[GenerationRow, dict[str, ScoreRow]]] = {}
            for row in connection.execute(answers).mappings():
                found[row["sample_id"], row["repeat"]] = (read_generation(row), {})
            for row in connection.execute(scores).mappings():
                found[row["sample_id"], row["repeat"]][1][row["metric"]] = read_score(row)
            return found

        return self._database.read(f"reading what run {run_id} has", work)

    def done_count(self, run_id: str, metrics: Sequence[str]) -> tuple[int, int]:
        answered = sa.select(sa.func.count()).where(GENERATION.c.run_id == run_id)
        stays = sa.or_(GENERATION.c.reason.is_(None), GENERATION.c.reason.not_in(WEATHER))
        settled = (
            sa.select(GENERATION.c.sample_id)
            .select_from(SCORE.join(GENERATION))
            .where(SCORE.c.run_id == run_id, GENERATION.c.run_id == run_id, stays, SCORE.c.metric.in_(metrics))
            .where(sa.or_(SCORE.c.reason.is_(None), SCORE.c.reason.not_in(WEATHER)))
            .group_by(GENERATION.c.sample_id, GENERATION.c.repeat)
            .having(sa.func.count() == len(metrics))
        )
        complete = sa.select(sa.func.count()).select_from(settled.subquery()) if metrics else answered.where(stays)

        def work(connection: Connection) -> tuple[int, int]:
            some = connection.execute(answered).scalar_one()
            return some, all_of_a_run(connection).execute(complete).scalar_one() if some else 0

        return self._database.read(f"counting what run {run_id} has", work)

    def find_generations(self, keys: Sequence[str]) -> Mapping[str, GenerationRow]:
        return {row["key"]: read_generation(row) for row in self._originals(GENERATION, keys)}

    def find_scores(self, keys: Sequence[str]) -> Mapping[str, ScoreRow]:
        return {row["key"]: read_score(row) for row in self._originals(SCORE, keys)}

    def renew(self, run_id: str) -> None:
        self._database.write(f"renewing the lease of run {run_id}", lambda c: self._renew(c, run_id))

    def withdraw(self, run_id: str, metric: str, reason: str, explanation: str) -> None:
        valued = sa.and_(SCORE.c.run_id == run_id, SCORE.c.metric == metric, SCORE.c.value.is_not(None))
        none = {"value": None, "stats": None, "reason": reason, "explanation": explanation}

        def work(connection: Connection) -> None:
            self._renew(connection, run_id)
            connection.execute(SCORE.update().where(valued).values(none))

        self._database.write(f"taking back {metric} of run {run_id}", work)

    def finish(
        self,
        run_id: str,
        status: RunStatus,
        at: datetime,
        note: str | None = None,
        course: Sequence[LimitChange] = (),
        unkept: Unkept = NOTHING,
    ) -> Run:
        def work(connection: Connection) -> Run:
            row = run_row(connection, run_id)
            before = read_run(row)
            if row["owner_token"] != self._token:
                if row["owner_token"] is None and before.status is not RunStatus.RUNNING:
                    return before  # another has ended it, or this was committed and only the answer to that was lost
                by = self._holder(connection, row) or "nobody, since who took it up from this process did not end it"
                raise StoreError(f"run {run_id} is being worked on by {by}: who works on it alone may end it")
            run = before.ended(status, at, note)
            run = replace(run, course=(*before.course, *course), unkept=before.unkept.plus(unkept))
            values = run_values(run)
            changes = {**FREE, **{name: values[name] for name in _AT_THE_END}}
            mine = sa.and_(RUN.c.id == run_id, RUN.c.owner_token == self._token)
            if connection.execute(RUN.update().where(mine).values(changes)).rowcount != 1:
                raise StoreError(f"run {run_id} has just been taken up by another process")
            if status is RunStatus.FINISHED:
                connection.execute(ESTIMATE.delete().where(ESTIMATE.c.run_id == run_id))
            return run

        run = self._database.write(f"ending run {run_id}", work)
        self._leased.discard(run_id)
        return run

    def release(self) -> None:
        """Give back the leases of this ledger, so that what it did not end can be continued at once."""
        if self._leased or self._held:

            def work(connection: Connection) -> None:
                for table in (RUN, SHARD):
                    connection.execute(table.update().where(table.c.owner_token == self._token).values(FREE))

            self._database.write("giving back leases", work)
            self._leased.clear()
            self._held.clear()

    def _originals(self, table: sa.Table, keys: Sequence[str]) -> Sequence[Row]:
        """The rows that were called for under these keys: neither failures nor copies of rows that are there."""
        query = sa.select(table).where(original(table)).order_by(table.c.created_at)
        query = query.where(self._database.among(table.c.key, keys))
        what = f"looking for earlier rows of {table.name}"
        return self._database.read(what, lambda c: c.execute(query).mappings().all())

    def _lease(self) -> dict[str, Any]:
        me = this_process()
        return {
            "owner_host": me.place,
            "owner_pid": me.pid,
            "owner_started": me.started,
            "owner_token": self._token,
            "lease_until": self._database.from_now(LEASE),
        }

    def _renew(self, connection: Connection, run_id: str) -> range:
        """Renew what this ledger has of a run, the whole or a shard; the places of its samples."""
        shard, longer = self._held.get(run_id), {"lease_until": self._database.from_now(LEASE)}
        table, what = (RUN, RUN.c.id == run_id) if shard is None else (SHARD, this_shard(run_id, shard))
        mine = sa.and_(what, table.c.owner_token == self._token)
        if connection.execute(table.update().where(mine).values(longer)).rowcount != 1:
            row = run_row(connection, run_id)
            if shard is not None:
                row = {**row, **connection.execute(sa.select(SHARD).where(what)).mappings().one()}
            whose = Owner(row["owner_host"], row["owner_pid"], "") if row["owner_token"] else "nobody"
            named = f"run {run_id} ({row['status']})" if shard is None else f"shard {shard.number} of run {run_id}"
            raise StoreError(f"{named} is leased by {whose}, not by this ledger: resume it first")
        return EVERYWHERE if shard is None else shard.places

    def _holder(self, connection: Connection, row: Row) -> Owner | None:
        """Who works on a run, or on what else such a row tells of, now; None when nobody does.

        A lease that would last much longer than one does was given by a clock that was ahead, and holds nobody up.
        """
        if row["owner_token"] is None:
            return None
        owner = Owner(row["owner_host"], row["owner_pid"], row["owner_started"])
        if owner.is_near:
            return owner if owner.is_alive() else None
        if owner.may_be_near and owner.is_alive():
            return owner
        left = row["lease_until"] - self._database.now(connection)
        return owner if timedelta(0) < left < 2 * LEASE else None
