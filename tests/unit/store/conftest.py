"""A ledger file with one run in it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from haetae.core.metric import MetricFacts
from haetae.core.run import Manifest
from haetae.store.sql import open_ledger

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger may be; nothing is there yet."""
    return tmp_path / "ledger.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def with_run(url: str) -> str:
    """The URL of a ledger that holds the run support.1."""
    with open_ledger(url) as ledger:
        ledger.start("support", Manifest({}, {}, {}, {"exact": MetricFacts("exact", "1")}), 1, AT, 0, {})
    return url
