from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from haetae.core.run import RunStatus
from haetae.errors import StoreError
from haetae.store import owner as owners
from haetae.store.ledger import FREE, LEASE
from haetae.store.owner import Owner, this_process
from haetae.store.sql import open_ledger
from haetae.store.tables import RUN

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class SetClock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.time = AT

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0


HOLDING = """
import sys
from haetae.store.sql import open_ledger
with open_ledger(sys.argv[1]) as ledger:
    ledger.resume("support.1")
    print("held", flush=True)
    sys.stdin.read()
"""
APART = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def _moved(url: str, **columns: object) -> None:
    with open_ledger(url) as ledger:
        ledger._database.write("moving", lambda connection: connection.execute(RUN.update().values(columns)))


def test_this_process_lives_here() -> None:
    me = this_process()
    assert me.is_near
    assert me.is_alive()
    assert str(me) == f"process {me.pid} on {socket.gethostname()}"


def test_the_same_name_with_another_table_of_processes_is_not_near() -> None:
    me = this_process()
    boot, numbers = me.place.split("/")[1:]
    assert not replace(me, place=f"{me.host}/{boot}/1{numbers}").is_near  # a container with this host's name
    assert not replace(me, place=f"{me.host}/other/{numbers}").is_near  # a machine that was cloned from this one
    assert not replace(me, place=f"other/{boot}/{numbers}").is_near


def test_where_proc_shows_other_processes_than_one_can_signal_nobody_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners.os, "readlink", lambda path: "pid:[4026531836]" if "ns" in path else "1")
    assert owners._table(4711) == ""
    monkeypatch.setattr(owners, "this_process", lambda: Owner("host", 4711, ""))
    assert not Owner("host", 4711, "").is_near


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_a_run_of_a_living_process_in_a_container_with_this_hosts_name_is_not_taken(with_run: str) -> None:
    if subprocess.run([*APART, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may make no namespace of processes")
    _moved(with_run, **FREE)
    clock = SetClock()
    command = [*APART, sys.executable, "-c", HOLDING, with_run]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        clock.time = datetime.now(UTC)
        with open_ledger(with_run, clock=clock) as ledger:
            with pytest.raises(StoreError, match=f"being worked on by process 1 on {socket.gethostname()}; wait"):
                ledger.resume("support.1")
            child.kill()
            child.wait()
            clock.time += LEASE + timedelta(minutes=1)
            assert ledger.resume("support.1").status is RunStatus.RUNNING


def test_what_an_older_version_wrote_is_kept_while_its_process_is_seen_and_else_until_its_lease_ends(
    with_run: str,
) -> None:
    me, clock = this_process(), SetClock()
    row = {"owner_host": me.host, "owner_pid": me.pid, "owner_started": me.started, "owner_token": "older"}
    with open_ledger(with_run, clock=clock) as ledger:
        _moved(with_run, **row, lease_until=AT - LEASE)
        with pytest.raises(StoreError, match="being worked on"):
            ledger.resume("support.1")
        _moved(with_run, owner_started="1", lease_until=AT + LEASE)  # not to be seen: ended, or in another container
        with pytest.raises(StoreError, match="being worked on"):
            ledger.resume("support.1")
        clock.time += LEASE
        assert ledger.resume("support.1").status is RunStatus.RUNNING


def test_a_process_with_the_number_of_a_dead_one_is_another() -> None:
    assert not replace(this_process(), started="1").is_alive()


def test_a_killed_process_is_dead_before_and_after_its_parent_noticed() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        owner = Owner(this_process().place, child.pid, "")
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
