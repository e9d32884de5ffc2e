"""From every schema there has been, with rows in it, and through a death after any statement: the old schema or the
new one, never half of it, and every row."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from haetae.core.ledger import Annotation
from haetae.core.run import RunStatus
from haetae.errors import StoreError
from haetae.store.address import parse_url
from haetae.store.database import Database
from haetae.store.schema import SCHEMA
from haetae.store.sql import open_ledger
from haetae.store.tables import METADATA

OLDER = SCHEMA.revisions[:-1]
Rows = dict[str, list[dict[str, Any]]]

# Every statement of a migration is the last of one child: the child dies by SIGKILL right after it, until one lives.
DYING = """
import json, os, signal, sys
import sqlalchemy as sa
from alembic import command
from haetae.store.address import parse_url
from haetae.store.database import Database
from haetae.store.schema import SCHEMA

def looked(url):
    database = Database(url)
    try:
        tables = database.read("looking", lambda c: sorted(sa.inspect(c).get_table_names()))
        return database.read("looking", SCHEMA.found), tables
    finally:
        database.close()

def migrated(url, last):
    count = 0
    def after(*_):
        nonlocal count
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)
    database = Database(url)
    database.read("meeting", SCHEMA.found)
    sa.event.listen(database._writer, "after_cursor_execute", after)
    SCHEMA.migrate(database)

url, last, seen = parse_url(sys.argv[1]), 0, []
while True:
    last += int(sys.argv[2])
    child = os.fork()
    if child == 0:
        migrated(url, last)
        os._exit(0)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    seen.append((killed, *looked(url)))
    if not killed:
        break
print(json.dumps(seen))
"""


@pytest.fixture
def database(ledger_url: str) -> Iterator[Database]:
    url = parse_url(ledger_url)
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).parent.mkdir()
    database = Database(url)
    yield database
    database.close()


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """One row or more of every table of the first schema, as they come out of a ledger of today."""
    from tests.contract.conftest import Given

    given = Given()
    with open_ledger(f"sqlite:///{tmp_path_factory.mktemp('today')}/ledger.db") as ledger:
        ledger.register("prompt", "answer", {"text": "답하라"}, given.at)
        ledger.set_alias("prompt", "answer", "production", 1, given.at)
        samples = [given.sample("a"), given.sample("나 \0")]
        for number in range(2):
            run = given.start(ledger)
            answers = [given.answer(sample, f"an answer {number}") for sample in samples]
            ledger.record(run.id, samples, answers, [given.score(sample, 0.5) for sample in samples], given.at)
            ledger.finish(run.id, RunStatus.FINISHED, given.later(1))
            ledger.promote("support", "main", run.id, given.later(number))
            ledger.enqueue("mlflow", run.id, run.id, given.at)
        ledger.annotate(run.id, [Annotation("a", "exact", "김", 1.0)], given.at)
        return {name: _read(ledger._database, table) for name, table in METADATA.tables.items()}


def _read(database: Database, table: sa.Table) -> list[dict[str, Any]]:
    query = sa.select(table).order_by(*table.primary_key)
    return [dict(row) for row in database.read("reading", lambda c: c.execute(query).mappings().all())]


def _upgraded(database: Database, revision: str) -> None:
    database.write("migrating", lambda connection: command.upgrade(SCHEMA.config(connection), revision))


def _filled(database: Database, rows: Rows) -> Rows:
    """Put the rows into the tables and columns that there are; what was put."""
    there = database.read("looking", _columns)
    put: Rows = {}

    def work(connection: sa.Connection) -> None:
        for table in METADATA.sorted_tables:
            names: set[str] = there.get(table.name, set())
            put[table.name] = [{k: v for k, v in row.items() if k in names} for row in rows[table.name] if names]
            if put[table.name]:
                connection.execute(table.insert(), put[table.name])

    database.write("filling", work)
    assert len([some for some in put.values() if some]) >= 9
    return put


def _columns(connection: sa.Connection) -> dict[str, set[str]]:
    inspector = sa.inspect(connection)
    return {name: {one["name"] for one in inspector.get_columns(name)} for name in inspector.get_table_names()}


def _kept(database: Database, put: Rows) -> None:
    for name, some in put.items():
        found = _read(database, METADATA.tables[name])
        assert [{k: row[k] for k in before} for row, before in zip(found, some, strict=True) if some] == some


@pytest.mark.parametrize("revision", OLDER)
def test_a_ledger_of_any_older_schema_keeps_its_rows_and_goes_on(
    database: Database, ledger_url: str, rows: Rows, revision: str, given: Any
) -> None:  # STO-12
    _upgraded(database, revision)
    put = _filled(database, rows)
    database.close()
    with open_ledger(ledger_url) as ledger:
        _kept(ledger._database, put)
        assert [run.id for run in ledger.runs()] == ["support.2", "support.1"]
        assert [result.sample.id for result in ledger.results("support.2")] == ["a", "나 \0"]
        assert ledger.find_scores(["s-a-exact-0"]) == {}  # for an exact match nobody was called
        assert len(ledger.find_generations(["g-a-0"])) == 1
        assert given.start(ledger).id == "support.3"
        ledger._database.write("checking", lambda c: command.check(SCHEMA.config(c)))


@pytest.mark.parametrize("revision", [None, OLDER[0], OLDER[-1]])
def test_killed_after_any_statement_a_migration_leaves_the_old_schema_and_the_next_one_completes_it(
    database: Database, ledger_url: str, rows: Rows, revision: str | None
) -> None:  # STO-02, STO-12
    put: Rows = {}
    if revision is not None:
        _upgraded(database, revision)
        put = _filled(database, rows)
    before = database.read("looking", lambda c: sorted(sa.inspect(c).get_table_names()))
    database.close()
    asked = [sys.executable, "-c", DYING, ledger_url, "7" if revision is None else "1"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    *deaths, last = json.loads(said.stdout)
    assert len(deaths) >= 3
    assert {(killed, found, *tables) for killed, found, tables in deaths} == {(True, revision, *before)}
    assert last == [False, SCHEMA.revisions[-1], sorted([*METADATA.tables, "haetae_version"])]
    _kept(database, put)
    if database.is_sqlite and revision is not None:
        copy = Database(parse_url(f"{ledger_url}.{revision}.bak"))
        assert copy.read("looking", SCHEMA.found) == revision
        assert copy.read("counting", lambda c: c.exec_driver_sql("SELECT count(*) FROM run").scalar()) == 2
        copy.close()


# Told to begin when all stand ready, so that they meet.
OPENING = """
import sys
from haetae.store.sql import open_ledger
import alembic.command
print("ready", flush=True)
sys.stdin.readline()
with open_ledger(sys.argv[1]) as ledger:
    print(len(ledger.runs()))
"""


def test_several_processes_that_open_an_older_ledger_at_once_copy_and_migrate_it_once(
    database: Database, ledger_url: str, rows: Rows
) -> None:  # STO-12, STO-21
    _upgraded(database, OLDER[0])
    put = _filled(database, rows)
    if database.is_sqlite:  # a copy takes a while
        database.write("padding", lambda c: c.exec_driver_sql("CREATE TABLE padding AS SELECT zeroblob(60000000)"))
    database.close()
    piped: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    asked = [sys.executable, "-c", OPENING, ledger_url]
    opening = [subprocess.Popen(asked, text=True, **piped) for _ in range(4)]
    for process in opening:
        assert process.stdout.readline() == "ready\n"
    for process in opening:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120) for process in opening]
    assert said == [("2\n", "")] * 4
    _kept(database, put)
    if database.is_sqlite:
        file = Path(str(parse_url(ledger_url).database))
        assert [path.name for path in sorted(file.parent.glob("*.bak*"))] == [f"{file.name}.{OLDER[0]}.bak"]
        copy = Database(parse_url(f"{ledger_url}.{OLDER[0]}.bak"))
        assert copy.read("looking", SCHEMA.found) == OLDER[0]
        assert copy.read("looking", lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"
        copy.close()


@pytest.mark.real
@pytest.mark.parametrize("patience", [60.0, -1.0])
def test_a_migration_whose_server_process_is_ended_is_done_again_or_not_at_all(
    postgres_url: str, rows: Rows, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:  # STO-12
    monkeypatch.setattr("haetae.store.database.sleep", lambda seconds: None)
    monkeypatch.setattr("haetae.store.database.PATIENCE_S", patience)
    database, other = Database(parse_url(postgres_url)), Database(parse_url(postgres_url))
    _upgraded(database, OLDER[0])
    put = _filled(database, rows)
    ended: list[bool] = []

    def after(connection: sa.Connection, cursor: Any, statement: str, *_: Any) -> None:
        if "CREATE TABLE" in statement and not ended:
            process = cursor.connection.info.backend_pid
            end = sa.select(sa.func.pg_terminate_backend(process))
            ended.append(other.read("ending", lambda c: c.execute(end).scalar()))

    sa.event.listen(database._writer, "after_cursor_execute", after)
    if patience < 0:
        with pytest.raises(StoreError, match="migrating the schema"):
            SCHEMA.migrate(database)
        assert other.read("looking", SCHEMA.found) == OLDER[0]
    SCHEMA.migrate(database)
    assert ended == [True]
    assert other.read("looking", SCHEMA.found) == SCHEMA.revisions[-1]
    _kept(other, put)
    database.close()
    other.close()
