"""A run's lease is renewed while it is worked on, also where no answer comes for longer than a lease."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from haetae.errors import StoreError
from haetae.workbench.leasing import kept_turn, leased_while


@dataclass
class Renewals:
    """A ledger that counts renewals; the second fails."""

    told: list[str] = field(default_factory=list)

    def renew(self, run_id: str) -> None:
        self.told.append(run_id)
        if len(self.told) == 2:
            raise StoreError("the disk is full")


def test_it_is_renewed_every_minute_until_the_end_whatever_becomes_of_one(caplog: pytest.LogCaptureFixture) -> None:
    ledger: Any = Renewals()
    waits: list[float] = []

    async def work() -> None:
        enough = asyncio.Event()

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(ledger.told) == 4:
                enough.set()
            await asyncio.sleep(0)

        async with leased_while(ledger, "support.1", sleep):
            await enough.wait()

    with caplog.at_level(logging.WARNING):
        asyncio.run(work())
    assert ledger.told[:4] == ["support.1"] * 4
    assert set(waits) == {60.0}
    assert [record.message for record in caplog.records] == ["the disk is full"]


def test_a_turn_is_renewed_until_the_end_whatever_becomes_of_one(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    enough = threading.Event()

    class Turns:
        def renew_turn(self, suite: str) -> None:
            told.append(suite)
            if len(told) == 2:
                raise StoreError("the disk is full")
            if len(told) == 4:
                enough.set()

    ledger: Any = Turns()
    with caplog.at_level(logging.WARNING), kept_turn(ledger, "support", every_s=0):
        assert enough.wait(60)
    assert told[:4] == ["support"] * 4
    assert [record.message for record in caplog.records] == ["the disk is full"]


def test_it_ends_with_what_it_was_for() -> None:
    ledger: Any = Renewals()

    async def work() -> None:
        async with leased_while(ledger, "support.1"):
            raise ValueError("over")

    with pytest.raises(ValueError, match="over"):
        asyncio.run(work())
    assert ledger.told == []
