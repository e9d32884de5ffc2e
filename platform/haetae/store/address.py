"""The address of a ledger: an SQLite file or a Postgres database."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL

from haetae.errors import ConfigError, MissingExtra


def parse_url(url: str) -> URL:
    """The URL with its driver named and its path absolute. Raises ConfigError and MissingExtra."""
    try:
        address = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigError(
            "the URL of the ledger (HAETAE_LEDGER) cannot be read: write sqlite:///path or postgresql://…"
        ) from None
    backend = address.get_backend_name()
    if backend == "sqlite":
        if not address.database or address.database == ":memory:" or address.query:
            shown = address.set(query={}).render_as_string()
            raise ConfigError(f"{shown!r} is not a ledger: write sqlite:///path/of/ledger.db, and no more")
        return address.set(drivername="sqlite", database=str(Path(address.database).expanduser().resolve()))
    if "@" in (address.host or ""):
        raise ConfigError("the password in the URL of the ledger (HAETAE_LEDGER) has an @ in it: write that as %40")
    if address.drivername in {"postgresql", "postgres", "postgresql+psycopg"}:
        if find_spec("psycopg") is None:
            raise MissingExtra("psycopg", "postgres")
        return address.set(drivername="postgresql+psycopg")
    raise ConfigError(f"a ledger cannot be kept in {address.drivername}: write sqlite:///path or postgresql://…")
