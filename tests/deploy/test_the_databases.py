"""postgres/databases.sh on a real server: by its superuser, and by an administrator as managed servers have one."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

import pytest

from tests.deploy.files import DEPLOY

psycopg = pytest.importorskip("psycopg")
pytestmark = pytest.mark.real
SCRIPT = DEPLOY / "postgres" / "databases.sh"
PASSWORDS = {"HAETAE_DB_PASSWORD": "o'ne", "MLFLOW_DB_PASSWORD": "two", "PREFECT_DB_PASSWORD": "three"}
DATABASES = """
SELECT datname, pg_get_userbyid(datdba), datcollate, datctype, pg_encoding_to_char(encoding),
       has_database_privilege('stranger', datname, 'CONNECT')
FROM pg_database WHERE datname IN ('haetae', 'mlflow', 'prefect') ORDER BY datname
"""


def run(cluster: Any, **env: str) -> None:
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed")
    where = {"PATH": os.environ["PATH"], "PGHOST": "127.0.0.1", "PGPORT": str(cluster.port)}
    done = subprocess.run(
        ["sh", str(SCRIPT)], env={**where, **PASSWORDS, **env}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def asked(cluster: Any, query: str, database: str = "postgres", user: str = "postgres") -> list[tuple[Any, ...]]:
    url = f"host=127.0.0.1 port={cluster.port} dbname={database} user={user}"
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("who", ["superuser", "administrator"])
def test_each_role_owns_a_database_that_no_other_reads_and_a_second_call_sets_passwords_anew(
    own_postgres: Any, who: str
) -> None:
    asked(own_postgres, "CREATE ROLE stranger LOGIN")
    asked(own_postgres, "CREATE ROLE administrator LOGIN CREATEDB CREATEROLE")
    env = {} if who == "superuser" else {"PGUSER": who}
    run(own_postgres, **env)
    assert asked(own_postgres, DATABASES) == [
        (name, name, "C", "C.UTF-8", "UTF8", False) for name in ("haetae", "mlflow", "prefect")
    ]
    asked(own_postgres, "CREATE TABLE kept (id int)", "haetae", "haetae")
    before = dict(asked(own_postgres, "SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword <> ''"))
    run(own_postgres, **env)
    assert asked(own_postgres, "SELECT count(*) FROM kept", "haetae", "haetae") == [(0,)]
    after = dict(asked(own_postgres, "SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword <> ''"))
    assert before.keys() == after.keys() == {"haetae", "mlflow", "prefect"}
    assert not set(before.values()) & set(after.values())  # another salt


def test_a_server_that_does_not_know_the_locale_is_given_another(own_postgres: Any) -> None:
    asked(own_postgres, "CREATE ROLE stranger LOGIN")
    run(own_postgres, DATABASES_CTYPE="C")
    assert {ctype for _, _, _, ctype, _, _ in asked(own_postgres, DATABASES)} == {"C"}
