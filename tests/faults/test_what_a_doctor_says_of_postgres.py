"""A real Postgres, looked at by the doctor: its version, its room, its clock, and what it refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from haetae.settings import load_settings
from haetae.store import server_health
from haetae.store.sql import open_ledger
from haetae.workbench.doctor.ledger import ledger

psycopg = pytest.importorskip("psycopg")
pytestmark = pytest.mark.real


def said(url: str, tmp_path: Any) -> list[str]:
    settings = load_settings({"HAETAE_LEDGER": url, "HAETAE_HOME": str(tmp_path)}, tmp_path)
    return [f"{one.level}: {one.message}" for one in ledger(settings)]


def test_a_server_that_is_well_tells_its_version_and_its_room(postgres_url: str, tmp_path: Any) -> None:
    empty = said(postgres_url, tmp_path)
    assert empty[0].startswith("fine: no ledger yet at postgresql+psycopg://")
    open_ledger(postgres_url).close()
    with psycopg.connect(postgres_url) as server:
        version = server.execute("SHOW server_version").fetchone()[0]
    found = said(postgres_url, tmp_path)
    assert "has the schema" in found[0]
    assert found[1] == f"fine: Postgres {version}"
    assert found[2].endswith("connections are taken")
    assert not [line for line in found if "clock" in line or "TLS" in line]


def test_a_database_with_little_room_and_one_that_takes_no_writes_are_said(postgres_url: str, tmp_path: Any) -> None:
    name = sa.make_url(postgres_url).database
    open_ledger(postgres_url).close()
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 8")
        server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    found = said(postgres_url, tmp_path)
    assert any(line.startswith("problem: the server takes no writes (a replica)") for line in found)
    (room,) = (line for line in found if "connections are taken" in line)
    assert room.startswith("warning:")
    assert "of 8 connections" in room


def test_the_clock_of_the_server_is_compared_with_this_machines(
    postgres_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = server_health._ASKED.replace("clock_timestamp()", "clock_timestamp() - interval '1 hour'")
    monkeypatch.setattr(server_health, "_ASKED", asked)
    (clock,) = (line for line in said(postgres_url, tmp_path) if "clock" in line)
    assert clock.startswith("problem: the clock of the ledger's server postgresql+psycopg://")
    assert "3,600 s behind" in clock or "3,599 s behind" in clock


def test_an_old_server_a_pooler_and_an_open_way_are_told() -> None:
    told = {"full_version": "12.3", "takes_no_writes": False, "most": 100, "most_here": -1, "taken": 3}
    found = server_health._capacity(SimpleNamespace(version=12, **told))
    assert (found[0].level, found[0].message.startswith("Postgres 12.3 is older than 13")) == ("problem", True)
    far = SimpleNamespace(pid=7, encrypted=False, near=False)
    between = [(one.level, one.message) for one in server_health._way(far, 8, "postgresql://host/db")]
    assert between[0] == ("fine", "a pooler stands before postgresql://host/db")
    assert between[1][0] == "warning"
    assert "?sslmode=require" in between[1][1]


def test_a_server_that_is_not_there_is_said_once_and_without_its_password(tmp_path: Any) -> None:
    found = said("postgresql://haetae:canary-password@127.0.0.1:1/ledger", tmp_path)
    assert len(found) == 1
    assert found[0].startswith("problem: reading the schema: the ledger postgresql+psycopg://haetae:***@127.0.0.1:1/")
    assert "canary" not in found[0]
