from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from haetae.core.run import RunStatus
from haetae.errors import StoreError
from haetae.store.ledger import LEASE
from haetae.store.owner import Owner, this_process
from haetae.store.sql import open_ledger

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class SetClock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.time = AT

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0


def test_this_process_lives_here() -> None:
    me = this_process()
    assert me.is_near
    assert me.is_alive()


def test_a_process_with_the_number_of_a_dead_one_is_another() -> None:
    assert not replace(this_process(), started="1").is_alive()


def test_a_killed_process_is_dead_before_and_after_its_parent_noticed() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        owner = Owner(this_process().host, child.pid, "")
        assert owner.is_alive()
        child.kill()
        with open(f"/proc/{child.pid}/stat") as stat:
            while ") Z " not in stat.read():  # the kernel's own word, not the clock's
                stat.seek(0)
        assert not owner.is_alive()
    assert not owner.is_alive()


def test_a_run_of_another_machine_is_free_when_its_lease_is_over(with_run: str) -> None:
    clock = SetClock()
    with open_ledger(with_run, clock=clock) as ledger, open_ledger(with_run, clock=clock) as elsewhere:
        run = ledger.resume("support.1")

        def move(connection: object) -> None:
            connection.exec_driver_sql("UPDATE run SET owner_host = 'another-machine'")

        ledger._database.write("moving", move)
        assert elsewhere.unfinished("support", run.manifest.digest) is None
        clock.time += LEASE - timedelta(seconds=1)
        ledger.record(run.id, [], [], [], AT)  # a sign of life renews the lease
        clock.time += LEASE - timedelta(seconds=1)
        ledger.renew(run.id)  # and so does saying so, while no answer comes
        clock.time += LEASE - timedelta(seconds=1)
        assert elsewhere.unfinished("support", run.manifest.digest) is None
        clock.time += timedelta(seconds=2)
        assert elsewhere.unfinished("support", run.manifest.digest) == run
        assert elsewhere.resume(run.id).status is RunStatus.RUNNING
        with pytest.raises(StoreError, match="not by this ledger: resume it first"):
            ledger.renew(run.id)
