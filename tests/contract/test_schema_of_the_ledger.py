"""What migrating promises, on SQLite and on Postgres."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from haetae.errors import StoreError
from haetae.store.address import parse_url
from haetae.store.database import Database
from haetae.store.health import findings
from haetae.store.schema import SCHEMA, Schema, backup
from haetae.store.sql import SqlLedger, open_ledger
from haetae.store.tables import METADATA

NEWEST = SCHEMA.revisions[-1]
NEXT = f"{int(NEWEST) + 1:04}"
_SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{next}", "{newest}"
def upgrade():
    op.add_column("run", sa.Column("colour", sa.Text()))
    op.create_table("first_half", sa.Column("id", sa.Integer()))
    {middle}
    op.create_table("second_half", sa.Column("id", sa.Integer()))
def downgrade():
    op.drop_table("second_half")
"""


@pytest.fixture
def database(ledger_url: str) -> Iterator[Database]:
    url = parse_url(ledger_url)
    if url.database is not None and url.get_backend_name() == "sqlite":
        Path(url.database).parent.mkdir()
    database = Database(url)
    yield database
    database.close()


def _newer(folder: Path, middle: str) -> Schema:
    """This schema with one more migration, which does `middle` when it is half done."""
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text((SCHEMA.folder / "env.py").read_text())
    for version in (SCHEMA.folder / "versions").glob("*.py"):
        (folder / "versions" / version.name).write_text(version.read_text())
    (folder / "versions" / f"v{NEXT}.py").write_text(_SECOND.format(middle=middle, next=NEXT, newest=NEWEST))
    return Schema(folder, (*SCHEMA.revisions, NEXT))


def _tables(database: Database) -> set[str]:
    return set(database.read("looking", lambda c: sa.inspect(c).get_table_names()))


def test_the_revisions_named_in_the_code_are_those_in_the_folder(database: Database) -> None:
    config = database.write("configuring", SCHEMA.config)
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == SCHEMA.revisions


def test_the_migrations_make_exactly_the_tables_of_the_code_and_go_both_ways(database: Database) -> None:
    def alembic(what: Callable[..., Any], *arguments: str) -> None:
        database.write("migrating", lambda connection: what(SCHEMA.config(connection), *arguments))

    alembic(command.upgrade, "head")
    alembic(command.check)
    alembic(command.downgrade, "base")
    assert _tables(database) == {"haetae_version"}
    alembic(command.upgrade, "head")
    alembic(command.check)
    assert _tables(database) == {*METADATA.tables, "haetae_version"}


def test_a_score_without_value_and_reason_is_refused_by_the_database(ledger: SqlLedger, given: Any) -> None:
    run, sample = given.start(ledger), given.sample()  # STO-18
    ledger.record(run.id, [sample], [given.answer(sample)], [given.score(sample, 1.0)], given.at)
    for change in ("UPDATE score SET value = NULL", "UPDATE score SET reason = 'timeout'"):
        with pytest.raises(StoreError, match="value_or_reason"):
            ledger._database.write("cheating", lambda c, sql=change: c.exec_driver_sql(sql))


def test_a_ledger_of_a_newer_version_is_refused_naming_both(ledger: SqlLedger, ledger_url: str) -> None:  # STO-13
    ledger._database.write("ageing", lambda c: c.exec_driver_sql("UPDATE haetae_version SET version_num = '0007'"))
    for readonly in (False, True):
        with pytest.raises(
            StoreError,
            match=rf"schema 0007, made by a newer .* knows up to {NEWEST}; .*: pip install --upgrade haetae$",
        ):
            open_ledger(ledger_url, readonly=readonly)
    assert [finding for finding in findings(ledger_url) if "0007" in finding.message and finding.level == "problem"]


def test_an_older_ledger_is_migrated_with_its_rows_and_only_by_a_writer(
    ledger: SqlLedger, ledger_url: str, given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = given.start(ledger)
    ledger.close()
    monkeypatch.setattr("haetae.store.sql.SCHEMA", _newer(tmp_path / "newer", "pass"))
    with pytest.raises(StoreError, match=rf"older schema {NEWEST}, this Haetae reads {NEXT}; run haetae run"):
        open_ledger(ledger_url, readonly=True)
    with open_ledger(ledger_url) as migrated:
        assert migrated.run(run.id) == run
        assert {"first_half", "second_half"} <= _tables(migrated._database)
    if ledger_url.startswith("sqlite"):
        with closing(sqlite3.connect(f"{ledger.place}.{NEWEST}.bak")) as copy:
            assert copy.execute("SELECT id FROM run").fetchall() == [("support.1",)]
            assert copy.execute("SELECT version_num FROM haetae_version").fetchall() == [(NEWEST,)]


def test_a_migration_that_fails_half_way_leaves_the_old_schema(database: Database, tmp_path: Path) -> None:
    SCHEMA.migrate(database)
    before = _tables(database)
    newer = _newer(tmp_path / "newer", "op.execute('SELECT nonsense FROM nowhere')")
    with pytest.raises(StoreError, match="migrating the schema"):
        newer.migrate(database)
    assert _tables(database) == before
    assert database.read("asking", SCHEMA.found) == NEWEST


_KILLED = """
import sys
from pathlib import Path
from haetae.store.address import parse_url
from haetae.store.database import Database
from haetae.store.schema import Schema
Schema(Path(sys.argv[2]), tuple(sys.argv[3:])).migrate(Database(parse_url(sys.argv[1])))
"""


@pytest.mark.parametrize("empty", [True, False])
def test_a_migration_killed_half_way_leaves_the_old_schema_and_can_be_repeated(
    database: Database, ledger_url: str, tmp_path: Path, empty: bool
) -> None:  # STO-12
    if not empty:
        SCHEMA.migrate(database)
    before = _tables(database)
    middle = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    folder = _newer(tmp_path / "killed", middle).folder
    asked = [sys.executable, "-c", _KILLED, ledger_url, str(folder), *SCHEMA.revisions, NEXT]
    killed = subprocess.run(asked, capture_output=True, check=False)
    assert killed.returncode == -9
    assert _tables(database) == before
    assert database.read("asking", SCHEMA.found) == (None if empty else NEWEST)
    newer = _newer(tmp_path / "newer", "pass")
    newer.migrate(database)
    assert {"first_half", "second_half"} <= _tables(database)


def test_two_processes_may_open_an_empty_database_at_once(ledger_url: str) -> None:
    program = "import sys; from haetae.store.sql import open_ledger; print(open_ledger(sys.argv[1]).suites())"
    commands = [[sys.executable, "-c", program, ledger_url]] * 3
    opened = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for command in commands]
    assert [process.communicate()[0].strip() for process in opened] == [b"[]"] * 3


def test_a_copy_made_while_the_ledger_is_written_is_whole(tmp_path: Path, given: Any) -> None:  # STO-21
    with open_ledger(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        given.start(ledger)

        def copy_amid_a_transaction(connection: sa.Connection) -> None:
            connection.exec_driver_sql("UPDATE run SET total = 99")
            backup(tmp_path / "ledger.db", tmp_path / "copy.db")

        ledger._database.write("writing", copy_amid_a_transaction)
    with open_ledger(f"sqlite:///{tmp_path}/copy.db") as copy:
        assert copy.run("support.1").total == 3
    assert not list(tmp_path.glob("*.partial"))


def test_no_migration_imports_the_code_that_it_outlives() -> None:
    for version in (SCHEMA.folder / "versions").glob("*.py"):
        assert "haetae" not in version.read_text()


def test_what_a_database_refuses_is_kept_as_the_cause(ledger: SqlLedger) -> None:
    with pytest.raises(StoreError) as caught:
        ledger._database.write("cheating", lambda c: c.exec_driver_sql("SELECT nonsense FROM nowhere"))
    assert isinstance(caught.value.__cause__, DBAPIError)


def test_earlier_rows_are_looked_up_by_an_index(ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[sa.Select[Any]] = []
    execute = sa.Connection.execute

    def noting(connection: sa.Connection, statement: Any, *rest: Any, **options: Any) -> Any:
        asked.append(statement)
        return execute(connection, statement, *rest, **options)

    monkeypatch.setattr(sa.Connection, "execute", noting)
    ledger.find_generations(["k"])
    ledger.find_scores(["k"])
    monkeypatch.undo()

    def explain(connection: sa.Connection) -> list[str]:
        if not ledger._database.is_sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # the tables are empty
        plan = "EXPLAIN QUERY PLAN" if ledger._database.is_sqlite else "EXPLAIN"
        bare = [query.compile(connection, compile_kwargs={"literal_binds": True}) for query in asked]
        return [str(connection.exec_driver_sql(f"{plan} {query}").all()) for query in bare]

    generations, scores = ledger._database.read("explaining", explain)
    assert "ix_generation_key" in generations
    assert "ix_score_key" in scores
