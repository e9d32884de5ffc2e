"""What was acknowledged is on disk: through kill -9, and through a server that goes away."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import sqlalchemy as sa

from haetae.errors import StoreError
from haetae.store.health import findings
from haetae.store.sql import SqlLedger, open_ledger

_RECORDER = """
import datetime, sys
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.store.sql import open_ledger
ledger = open_ledger(sys.argv[1])
at = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
manifest = Manifest({"suite": "support"}, {}, {}, {"exact": MetricFacts("exact", "1")})
found = ledger.unfinished("support", manifest.digest)
run = ledger.resume(found.id) if found else ledger.start("support", manifest, 10**6, at, 0, {})
have = {int(sample_id) for sample_id, _ in ledger.done(run.id)}
print("has", len(have), flush=True)
for first in range(0, 10**6, 5):
    samples = [Sample(str(i), "x" * 200) for i in range(first, first + 5) if i not in have]
    answers = [GenerationRow(s.id, 0, "k" + s.id, s.digest, Generation("y" * 300)) for s in samples]
    ledger.record(run.id, samples, answers, [ScoreRow(s.id, 0, "exact", "k" + s.id, Score(1.0)) for s in samples], at)
    print(first + 5, flush=True)
"""


def test_killed_again_and_again_a_run_loses_and_doubles_nothing(
    ledger: SqlLedger, ledger_url: str
) -> None:  # STO-01, STO-09, STO-19
    acknowledged = 0
    for rows in (20, 57, 33, 41, 26, 48):
        command = [sys.executable, "-c", _RECORDER, ledger_url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            assert int(worker.stdout.readline().split()[1]) >= acknowledged
            for _ in range(rows):
                acknowledged = max(acknowledged, int(worker.stdout.readline()))
            worker.kill()
            rest = worker.stdout.read().split("\n")  # acknowledged before the kill, read after it
        acknowledged = max([acknowledged, *(int(line) for line in rest[:-1])])
    assert [run.id for run in ledger.runs()] == ["support.1"]
    done = ledger.done("support.1")
    assert {str(number) for number in range(acknowledged)} <= {sample_id for sample_id, _ in done}
    assert all(scores["exact"].score.value == 1.0 for _, scores in done.values())
    assert len(done) % 5 == 0
    assert [row.scored for row in ledger.accounting("support.1")] == [len(done)]
    assert [finding for finding in findings(ledger_url) if finding.level == "problem"] == []


@pytest.mark.real
def test_a_connection_that_the_server_ends_is_made_anew(postgres_url: str, given: Any) -> None:  # STO-10

    with open_ledger(postgres_url) as ledger, open_ledger(postgres_url) as other:
        run, sample = given.start(ledger), given.sample()
        ends = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        cut = []

        def work(connection: sa.Connection) -> int:
            connection.exec_driver_sql("SELECT 1")
            if not cut:  # in the middle of the first try
                cut.append(other._database.read("ending", lambda c: c.exec_driver_sql(ends).all()))
            return int(connection.exec_driver_sql("SELECT 42").scalar_one())

        assert ledger._database.write("working", work) == 42
        ledger.record(run.id, [sample], [given.answer(sample)], [given.score(sample, 1.0)], given.at)
        assert len(ledger.done(run.id)) == 1


@pytest.mark.real
def test_two_transactions_in_each_others_way_are_both_done(postgres_url: str, given: Any) -> None:  # STO-11

    with open_ledger(postgres_url) as ledger:
        given.start(ledger)
        tries = []

        def work(connection: sa.Connection) -> None:
            tries.append(1)
            if len(tries) == 1:
                connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$")

        ledger._database.write("working", work)
        assert len(tries) == 2


@pytest.mark.real
def test_a_wrong_database_is_named_with_its_cure(postgres_server: str) -> None:

    with pytest.raises(StoreError, match=r"nowhere.* does not exist; check the address of the ledger"):
        open_ledger(f"{postgres_server}/nowhere")


@pytest.mark.real
def test_a_value_that_postgres_refuses_is_not_tried_again(postgres_url: str, given: Any) -> None:
    with open_ledger(postgres_url) as ledger:
        given.start(ledger)
        tries = []

        def work(connection: sa.Connection) -> None:
            tries.append(1)
            connection.execute(sa.select(sa.bindparam("text", "NUL \0")))

        with pytest.raises(StoreError, match="NUL"):
            ledger._database.write("working", work)
        assert len(tries) == 1
