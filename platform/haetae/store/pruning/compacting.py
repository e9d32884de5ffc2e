"""Giving the space of deleted rows back to the disk. Without it new rows take that space first."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from haetae.errors import ConfigError, StoreError
from haetae.store.address import parse_url
from haetae.store.faults import place, storing


def compact(url: str) -> tuple[int, int]:
    """Write an SQLite ledger anew without its gaps; its bytes before and after.

    Others wait until it is done, for as long as writing the file takes. Raises StoreError where less is free than
    twice what stays, which is written once to a file beside the temporary ones and once to the log; ConfigError
    on a server.
    """
    address = parse_url(url)
    if address.get_backend_name() != "sqlite":
        raise ConfigError(
            "Postgres gives the space of deleted rows to new ones by itself; VACUUM (FULL) generation, score, sample "
            "gives it back to the disk, and locks them until it is done"
        )
    path = Path(place(address))
    before = path.stat().st_size
    with storing(address, "compacting the ledger"), closing(sqlite3.connect(path, isolation_level=None)) as ledger:
        ledger.execute("PRAGMA busy_timeout = 30000")
        pages, gaps, size = (
            ledger.execute(f"PRAGMA {ask}").fetchone()[0] for ask in ("page_count", "freelist_count", "page_size")
        )
        needed, free = 2 * (pages - gaps) * size, shutil.disk_usage(path.parent).free
        if free < needed:
            raise StoreError(
                f"compacting {path} needs {needed:,} free bytes, twice what stays in it, and {free:,} are free; free "
                "some, or leave it: new rows take the gaps first"
            )
        ledger.execute("VACUUM")
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return before, path.stat().st_size
