"""A backup of an older version is restored over what a newer one made of it, as README.md and the manifests say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from alembic import command

from haetae.errors import StoreError
from haetae.store.address import parse_url
from haetae.store.database import Database
from haetae.store.schema import SCHEMA
from haetae.store.sql import open_ledger
from tests.deploy.files import DEPLOY, K8S

psycopg = pytest.importorskip("psycopg")
pytestmark = pytest.mark.real
README = (DEPLOY / "README.md").read_text("utf-8")
NAMES = ("haetae", "mlflow", "prefect")


class Server:
    """A Postgres with the three databases, and the roles that own them."""

    def __init__(self, cluster: Any) -> None:
        if shutil.which("pg_restore") is None:
            pytest.skip("pg_restore is not installed")
        self.url = f"postgresql://haetae@127.0.0.1:{cluster.port}/haetae"
        passwords = {f"{name.upper()}_DB_PASSWORD": name for name in NAMES}
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(cluster.port), "PATH": os.environ["PATH"]}
        self.env = {**where, **passwords}
        self.ran("sh", str(DEPLOY / "postgres" / "databases.sh"))

    def ran(self, *words: str, code: int = 0, **env: str) -> str:
        done = subprocess.run(words, env={**self.env, **env}, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def older(self) -> None:
        """A ledger of the schema before this one, with one prompt in it."""
        database = Database(parse_url(self.url))
        try:
            before = SCHEMA.revisions[-2]
            database.write("migrating", lambda connection: command.upgrade(SCHEMA.config(connection), before))
        finally:
            database.close()
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "INSERT INTO registration (kind, name, number, digest, content, created_at) "
                "VALUES ('prompt', 'old', 1, 'd', '{}', now())"
            )

    def migrated(self) -> set[str]:
        """The names that are registered, in a ledger of today."""
        open_ledger(self.url).close()
        with psycopg.connect(self.url) as connection:
            return {name for (name,) in connection.execute("SELECT name FROM registration")}

    def register(self, name: str) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "INSERT INTO registration (kind, name, number, digest, content, created_at) "
                "VALUES ('prompt', %s, 1, 'd', '{}', now())",
                [name],
            )

    def is_older(self) -> bool:
        """Whether it is, whole, what the version before this one would open."""
        database = Database(parse_url(self.url))
        try:
            SCHEMA.check(database)
        except StoreError as exc:
            return f"has the older schema {SCHEMA.revisions[-2]}" in str(exc)
        finally:
            database.close()
        return False


@pytest.fixture
def server(own_postgres: Any) -> Server:
    return Server(own_postgres)


def written(beginning: str) -> str:
    """The command of the README that begins so."""
    (found,) = re.findall(rf"^    ({re.escape(beginning)}.*)$", README, re.MULTILINE)
    return str(found)


def test_a_backup_is_restored_over_a_newer_ledger_and_migrated_again(server: Server, tmp_path: Path) -> None:
    (dump,) = re.findall(r"\| Postgres \| `(pg_dump [^`]+)`", README)
    restore = f"{written('psql -d haetae')} && {written('pg_restore')}"
    server.older()
    server.ran("sh", "-ec", f"cd {tmp_path}; {dump}", PGUSER="haetae")
    assert server.migrated() == {"old"}
    server.register("new")
    server.ran("sh", "-ec", f"cd {tmp_path}; {restore}", PGUSER="haetae")
    assert server.is_older()
    assert server.migrated() == {"old"}
    server.register("newer")  # by the role that owned it before
    assert server.migrated() == {"old", "newer"}


def test_with_compose_the_same_is_done() -> None:
    exec_ = "docker compose -f deploy/compose.yaml exec -T postgres "
    assert written(f"{exec_}psql") == f"{exec_}psql -U haetae{written('psql -d haetae').removeprefix('psql')}"
    assert written(f"{exec_}pg_restore").split(" -d haetae ")[0] == f"{exec_}pg_restore -U haetae" + (
        written("pg_restore").split(" -d haetae ")[0].removeprefix("pg_restore")
    )


def script(name: str, backups: Path) -> tuple[str, ...]:
    """The command of a cron job of the manifests, with its volumes in a folder."""
    manifests = yaml.safe_load_all((K8S / "base" / "backup.yaml").read_text("utf-8"))
    (job,) = (one for one in manifests if one["kind"] == "CronJob" and one["metadata"]["name"] == name)
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    *words, text = container["command"]
    return (*words, text.replace("/backups", str(backups)).replace("/tmp/list", str(backups / ".list")))


def test_a_cluster_keeps_its_three_databases_and_puts_a_night_of_them_back(server: Server, tmp_path: Path) -> None:
    databases = {"DATABASES": "haetae mlflow prefect"}
    server.older()
    extension = ("psql", "--quiet", "--command=CREATE EXTENSION pg_trgm")
    server.ran(*extension, "prefect", PGUSER="prefect")  # as Prefect makes it
    server.ran(*extension, "mlflow", PGUSER="postgres")  # whose comment another role may not write
    server.ran(*script("backup", tmp_path))
    kept = sorted(file.name for file in tmp_path.glob("*.dump"))
    (night,) = {file.partition("-")[2].removesuffix(".dump") for file in kept}
    assert re.fullmatch(r"\d{8}-\d{4}", night)
    assert kept == [f"{name}-{night}.dump" for name in NAMES]
    assert server.migrated() == {"old"}
    server.register("new")
    said = server.ran(*script("restore", tmp_path), code=2, NIGHT="19990101-0000", **databases)
    assert f"haetae-{night}.dump" in said
    assert server.migrated() == {"old", "new"}  # nothing was touched
    server.ran(*script("restore", tmp_path), NIGHT=night, **databases)
    assert "pg_trgm" in server.ran("psql", "--command=\\dx", "prefect", PGUSER="prefect")
    assert server.is_older()
    assert server.migrated() == {"old"}
