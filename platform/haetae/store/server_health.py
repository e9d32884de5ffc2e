"""What `haetae doctor` asks a Postgres server that holds a ledger."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection

from haetae.errors import StoreError
from haetae.store.database import Database
from haetae.store.faults import place
from haetae.store.health import Finding

_OLDEST = 13
_SPARE = 10
"""Connections that should be free: a process takes up to six (one that writes, four that read, one for the pace)."""
_ASKED = """
SELECT current_setting('server_version_num')::int / 10000 AS version,
       current_setting('server_version') AS full_version,
       extract(epoch FROM clock_timestamp())::float AS now,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS taken,
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS most_here,
       pg_backend_pid() AS pid,
       (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS encrypted,
       inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1' AS near,
       pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS takes_no_writes
"""


def server_findings(url: URL) -> tuple[float | None, list[Finding]]:
    """How far its clock is before ours, and what else there is to be said. One that cannot be asked says nothing here:
    the look at the schema says why."""
    database = Database(url, readonly=True)
    try:
        said, ahead_s, greeted_by = database.read("asking the server", _answer)
    except StoreError:
        return None, []
    finally:
        database.close()
    return ahead_s, [*_capacity(said), *_way(said, greeted_by, place(url))]


def _answer(connection: Connection) -> tuple[Any, float, int]:
    before = time.time()
    said = connection.execute(sa.text(_ASKED)).one()
    middle = (before + time.time()) / 2
    driver: Any = connection.connection.driver_connection
    return said, said.now - middle, driver.info.backend_pid


def _capacity(said: Any) -> list[Finding]:
    found = []
    if said.version < _OLDEST:
        older = f"Postgres {said.full_version} is older than {_OLDEST}, the oldest that Haetae is written for"
        found.append(Finding("problem", f"{older}; move the ledger to a newer server"))
    else:
        found.append(Finding("fine", f"Postgres {said.full_version}"))
    if said.takes_no_writes:
        found.append(Finding("problem", "the server takes no writes (a replica); use the address of the primary"))
    most = said.most if said.most_here < 0 else min(said.most, said.most_here)
    told = f"{said.taken} of {most} connections are taken"
    if most - said.taken < _SPARE:
        found.append(Finding("warning", f"{told}, and a process takes up to 6; raise max_connections, or use a pooler"))
    else:
        found.append(Finding("fine", told))
    return found


def _way(said: Any, greeted_by: int, where: str) -> list[Finding]:
    """What stands between: who greeted us is not who works for us, where a pooler does."""
    found = []
    if greeted_by != said.pid:
        found.append(Finding("fine", f"a pooler stands before {where}"))
    if not said.encrypted and not said.near:
        lay_open = f"what goes to {where} can be read on its way; add ?sslmode=require to HAETAE_LEDGER"
        found.append(Finding("warning", lay_open))
    return found
