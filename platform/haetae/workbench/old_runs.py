"""Which runs a prune asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from haetae.core.run import Run
from haetae.errors import ConfigError
from haetae.store.sql import SqlLedger

_PAGE = 1000


def chosen(
    ledger: SqlLedger,
    *,
    before: datetime | None = None,
    keep_last: int | None = None,
    suite: str | None = None,
    runs: Sequence[str] = (),
) -> list[Run]:
    """The runs that a prune asks for, oldest first: the named ones, or all that fulfil every condition.

    `keep_last` is of each suite. Raises ConfigError for a suite without runs, StoreError for an unknown run.
    """
    if runs:
        return [ledger.run(run_id) for run_id in dict.fromkeys(runs)]
    if before is None and keep_last is None and suite is None:
        return []
    if suite is not None and suite not in ledger.suites():
        raise ConfigError(f"no run of suite {suite!r}; there are: {', '.join(ledger.suites()) or 'none'}")
    found = [
        run
        for name in ([suite] if suite is not None else ledger.suites())
        for run in list(_runs(ledger, name))[keep_last or 0 :]
        if before is None or run.started_at < before
    ]
    return sorted(found, key=lambda run: (run.started_at, run.id))


def _runs(ledger: SqlLedger, suite: str) -> Iterator[Run]:
    """All runs of a suite, newest first."""
    offset = 0
    while page := ledger.runs(suite, _PAGE, offset):
        yield from page
        offset += len(page)
