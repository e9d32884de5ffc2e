"""Tables of an older MLflow: its server may refuse them, and the step of compose.yaml brings them up to date."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.files import SERVICES, tool

pytest.importorskip("psycopg")
sa = pytest.importorskip("sqlalchemy")
pytestmark = pytest.mark.real


@pytest.fixture
def mlflow_database(own_postgres: Any, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """An empty database, found by the environment as MLflow's services find theirs."""
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", str(own_postgres.port))
    monkeypatch.setenv("PGUSER", "postgres")
    server = sa.create_engine("postgresql+psycopg:///postgres", isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE mlflow"))
    server.dispose()
    return sa.create_engine("postgresql+psycopg:///mlflow", poolclass=sa.pool.NullPool)


def upgraded() -> None:
    """What the service `mlflow-tables` does."""
    command = [tool("mlflow"), *SERVICES["mlflow-tables"]["command"][1:]]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def opened(tmp_path: Path) -> list[str]:
    """The names of the experiments that a server which starts now would show."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore("postgresql+psycopg:///mlflow", str(tmp_path))
    try:
        return [experiment.name for experiment in store.search_experiments()]
    finally:
        store.engine.dispose()


def before() -> str:
    """The schema before this one."""
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config

    (head,) = (scripts := ScriptDirectory.from_config(_get_alembic_config(""))).get_heads()
    revision = scripts.get_revision(head).down_revision
    assert isinstance(revision, str)
    return revision


def test_tables_of_an_older_version_are_brought_to_this_one_and_keep_what_they_have(
    mlflow_database: sa.Engine, tmp_path: Path
) -> None:
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base

    Base.metadata.create_all(mlflow_database)
    kept = "INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'nights', 'active')"
    with mlflow_database.begin() as connection:
        connection.execute(sa.text(kept))
    config = _get_alembic_config(str(mlflow_database.url))
    with mlflow_database.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, before())
    upgraded()
    assert "nights" in opened(tmp_path)


def test_without_it_mlflow_refuses_a_schema_that_lacks_no_table(mlflow_database: sa.Engine, tmp_path: Path) -> None:
    """Where one is missing it migrates by itself, so an upgrade may work without the step, and the next one not."""
    from mlflow.exceptions import MlflowException

    upgraded()
    with mlflow_database.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :older"), {"older": before()})
    with pytest.raises(MlflowException, match="mlflow db upgrade"):
        opened(tmp_path)


def test_it_makes_them_where_there_are_none_and_does_nothing_the_second_time(
    mlflow_database: sa.Engine, tmp_path: Path
) -> None:
    upgraded()
    assert opened(tmp_path) == ["Default"]
    upgraded()
    assert opened(tmp_path) == ["Default"]


def test_mlflow_waits_for_that_step_and_both_look_at_the_same_database() -> None:
    server, tables = SERVICES["mlflow"], SERVICES["mlflow-tables"]
    assert server["depends_on"]["mlflow-tables"]["condition"] == "service_completed_successfully"
    assert f"--backend-store-uri={tables['command'][-1]}" in server["command"]
    assert tables["environment"].items() <= server["environment"].items()
