"""What was said of runs: estimates, comparisons, and which run is a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core.ledger import Promotion
from haetae.core.reference import check_name
from haetae.core.run import Run
from haetae.core.verdict import Comparison, Estimate, comparison_from_json
from haetae.errors import StoreError
from haetae.store.database import Database
from haetae.store.ledger import run_row
from haetae.store.rows import read_run
from haetae.store.tables import BASELINE, COMPARISON, ESTIMATE, RUN


class Verdicts:
    """Estimates, comparisons and baselines of `haetae.core.ledger.Ledger`."""

    _database: Database

    def save_estimates(self, run_id: str, estimates: Sequence[Estimate]) -> None:
        """The estimates of a run, in place of those it had."""
        rows = [{"run_id": run_id, "position": i, "payload": e.as_json()} for i, e in enumerate(estimates)]

        def work(connection: Connection) -> None:
            run_row(connection, run_id)
            connection.execute(ESTIMATE.delete().where(ESTIMATE.c.run_id == run_id))
            if rows:
                connection.execute(ESTIMATE.insert(), rows)

        self._database.write(f"saving the estimates of run {run_id}", work)

    def estimates(self, run_id: str) -> Sequence[Estimate]:
        query = sa.select(ESTIMATE.c.payload).where(ESTIMATE.c.run_id == run_id).order_by(ESTIMATE.c.position)
        rows = self._database.read(f"reading the estimates of run {run_id}", lambda c: c.execute(query).scalars().all())
        return [Estimate(**payload) for payload in rows]

    def save_comparison(self, comparison: Comparison, at: datetime) -> None:
        row = {
            "suite": comparison.suite,
            "candidate": comparison.candidate,
            "verdict": comparison.verdict.value,
            "payload": comparison.as_json(),
            "created_at": at,
        }
        what = f"saving the comparison of {comparison.candidate}"
        self._database.write(what, lambda c: c.execute(COMPARISON.insert(), row))

    def comparison(self, run_id: str) -> Comparison | None:
        query = sa.select(COMPARISON.c.payload).where(COMPARISON.c.candidate == run_id)
        query = query.order_by(COMPARISON.c.id.desc()).limit(1)
        payload = self._database.read(f"reading the comparison of {run_id}", lambda c: c.execute(query).scalar())
        return None if payload is None else comparison_from_json(payload)

    def promote(
        self,
        suite: str,
        baseline: str,
        run_id: str,
        at: datetime,
        reason: str | None = None,
        *,
        still: Mapping[str, str | None] | None = None,
    ) -> None:
        """Raises StoreError when there is no such run or it is one of another suite.

        With `still` only while each of these baselines of the suite is this run (None: there is none yet). Raises
        StoreError, and moves nothing, where another run has become it.
        """
        check_name(baseline)

        def work(connection: Connection) -> None:
            if not self._database.is_sqlite:  # promotions go one after another, so that what is read here stays so
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(4850133)"))
            found = run_row(connection, run_id)["suite"]
            if found != suite:
                raise StoreError(f"run {run_id} is one of suite {found}, it cannot be a baseline of {suite}")
            for name, meant in (still or {}).items():
                now = _baseline(connection, suite, name)
                if now not in (meant, run_id):  # a commit whose answer was lost is done once more
                    raise StoreError(
                        f"baseline {name!r} of {suite} is {now or 'no run'} now and was {meant or 'no run'}: it has "
                        f"moved. {run_id} does not replace it; the same command compares them first"
                    )
            row = {"suite": suite, "name": baseline, "run_id": run_id, "promoted_at": at, "reason": reason}
            connection.execute(BASELINE.insert(), row)

        self._database.write(f"promoting run {run_id}", work)

    def promotions(self, suite: str | None = None, run_id: str | None = None, limit: int = 100) -> Sequence[Promotion]:
        query = sa.select(BASELINE).order_by(BASELINE.c.id.desc()).limit(limit)
        if suite is not None:
            query = query.where(BASELINE.c.suite == suite)
        if run_id is not None:
            query = query.where(BASELINE.c.run_id == run_id)
        rows = self._database.read("reading what was promoted", lambda c: c.execute(query).mappings().all())
        return [Promotion(r["suite"], r["name"], r["run_id"], r["promoted_at"], r["reason"]) for r in rows]

    def baseline(self, suite: str, baseline: str) -> Run | None:
        query = (
            sa.select(RUN)
            .select_from(RUN.join(BASELINE))
            .where(BASELINE.c.suite == suite, BASELINE.c.name == baseline)
            .order_by(BASELINE.c.id.desc())
            .limit(1)
        )
        row = self._database.read(f"reading the baseline {baseline}", lambda c: c.execute(query).mappings().first())
        return None if row is None else read_run(row)


def _baseline(connection: Connection, suite: str, name: str) -> str | None:
    """The run that is this baseline now, None where there is none."""
    query = sa.select(BASELINE.c.run_id).where(BASELINE.c.suite == suite, BASELINE.c.name == name)
    found: str | None = connection.execute(query.order_by(BASELINE.c.id.desc()).limit(1)).scalar()
    return found
