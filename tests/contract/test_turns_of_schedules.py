"""What every ledger promises of schedules: of all who would serve one time, one does, and never two at once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from haetae.core.run import RunStatus
from haetae.core.turn import TakenTurn, Turn
from haetae.errors import StoreError
from haetae.store.ledger import LEASE
from haetae.store.sql import SqlLedger, open_ledger
from haetae.store.tables import RUN, TURN

TAKEN, SERVED, BUSY = TakenTurn.TAKEN, TakenTurn.SERVED, TakenTurn.BUSY


def later(ledger: SqlLedger, minutes: float) -> None:
    """So much time goes by: all leases are that much older."""
    past = timedelta(minutes=minutes)

    def work(connection: sa.Connection) -> None:
        for table in (RUN, TURN):
            for row in connection.execute(sa.select(table)).mappings().all():
                if row["lease_until"] is not None:
                    (key,) = table.primary_key
                    older = table.update().where(key == row[key.name]).values(lease_until=row["lease_until"] - past)
                    connection.execute(older)

    ledger._database.write("letting time go by", work)


def elsewhere(ledger: SqlLedger, suite: str = "support") -> None:
    """Whoever has the turn is on another machine, of which nothing but its lease is known."""
    away = TURN.update().where(TURN.c.suite == suite).values(owner_host="another-machine")
    ledger._database.write("moving an owner", lambda connection: connection.execute(away))


def test_a_time_is_served_once(ledger: SqlLedger, given: Any) -> None:
    assert ledger.turn("support") is None
    assert ledger.take_turn("support", given.at).came is TAKEN
    assert ledger.turn("support") == Turn(given.at, ended=False)
    ledger.end_turn("support", served=True)
    assert ledger.turn("support") == Turn(given.at, ended=True)
    assert ledger.take_turn("support", given.at).came is SERVED
    assert ledger.take_turn("support", given.later(-10)).came is SERVED
    assert ledger.take_turn("support", given.later(60)).came is TAKEN
    assert ledger.take_turn("another", given.at).came is TAKEN


def test_what_is_due_counts_from_the_first_look_on(ledger: SqlLedger, given: Any) -> None:
    first = Turn(given.at, ended=True, schedule="0 6 * * * UTC", file="suite.yaml")
    assert ledger.watch_from("support", given.at, None, first.schedule, first.file) == first
    assert ledger.watch_from("support", given.later(60), None, first.schedule, first.file) == first
    assert ledger.take_turn("support", given.at).came is SERVED
    assert ledger.take_turn("support", given.later(60), first.schedule, first.file).came is TAKEN
    begun = Turn(given.later(60), ended=False, schedule=first.schedule, file=first.file)
    assert ledger.watch_from("support", given.later(90), begun, "another line", first.file) == begun


def test_it_counts_anew_for_who_has_seen_the_newest_turn(ledger: SqlLedger, given: Any) -> None:
    old = ledger.watch_from("support", given.at, None, "0 6 * * * UTC", "suite.yaml")
    new = ledger.watch_from("support", given.later(60), old, "0 7 * * * UTC", "suite.yaml")
    assert new == Turn(given.later(60), ended=True, schedule="0 7 * * * UTC", file="suite.yaml")
    assert ledger.watch_from("support", given.later(90), old, "0 8 * * * UTC", "suite.yaml") == new


def test_how_far_apart_people_look_is_kept(ledger: SqlLedger, given: Any) -> None:
    ledger.watch_from("support", given.at, None, "", "")
    ledger.looked("support")
    assert ledger.turn("support").looks_apart is None

    def look_back(minutes: int) -> None:
        before = TURN.update().values(looked_at=ledger.now() - timedelta(minutes=minutes))
        ledger._database.write("moving a look", lambda connection: connection.execute(before))

    look_back(30)
    ledger.looked("support")
    ledger.looked("support")  # of several who look at once one counts
    assert timedelta(minutes=30) <= ledger.turn("support").looks_apart < timedelta(minutes=31)
    look_back(-60 * 24 * 365)  # by a clock that was ahead
    ledger.looked("support")
    assert ledger.turn("support").looks_apart == timedelta(0)


def test_a_turn_is_ones_own_as_long_as_it_is_renewed(reopen: Callable[[], SqlLedger], given: Any) -> None:
    slow, other = reopen(), reopen()
    assert slow.take_turn("support", given.at).came is TAKEN
    elsewhere(slow)
    later(slow, 4)
    slow.renew_turn("support")
    elsewhere(slow)
    other.renew_turn("support")  # it has none
    later(slow, 4)
    said = other.take_turn("support", given.at)
    assert said.came is BUSY
    assert said.by == f"process {os.getpid()} on another-machine"
    later(slow, 1)
    assert other.take_turn("support", given.at).came is TAKEN


def test_while_one_has_the_turn_the_next_time_waits(reopen: Callable[[], SqlLedger], given: Any) -> None:  # SCH-06
    first, second = reopen(), reopen()
    assert first.take_turn("support", given.at).came is TAKEN
    assert second.take_turn("support", given.at).came is BUSY
    assert second.take_turn("support", given.later(1)).came is BUSY
    assert second.take_turn("support", given.later(-1)).came is SERVED
    assert second.turn("support") == Turn(given.at, ended=False)
    first.end_turn("support", served=True)
    assert second.take_turn("support", given.later(2)).came is TAKEN  # SCH-16: one, whatever has waited


def test_who_does_not_have_the_turn_cannot_end_it(reopen: Callable[[], SqlLedger], given: Any) -> None:
    first, second = reopen(), reopen()
    assert first.take_turn("support", given.at).came is TAKEN
    second.end_turn("support", served=True)
    assert second.take_turn("support", given.later(1)).came is BUSY


def test_a_turn_of_a_process_that_died_elsewhere_is_over_with_its_lease(
    reopen: Callable[[], SqlLedger], given: Any
) -> None:  # SCH-07
    dead, next_ = reopen(), reopen()
    assert dead.take_turn("support", given.at).came is TAKEN
    elsewhere(dead)
    assert timedelta(minutes=5) >= LEASE
    later(dead, 4.9)
    assert next_.take_turn("support", given.later(5)).came is BUSY
    assert next_.turn("support") == Turn(given.at, ended=False)
    later(dead, 0.1)
    assert next_.take_turn("support", given.at).came is TAKEN  # SCH-08: it is due still
    dead.end_turn("support", served=True)  # it was not dead but slow, and has lost its turn
    assert next_.turn("support") == Turn(given.at, ended=False)


def test_a_turn_of_a_process_that_died_on_this_machine_is_over_at_once(
    ledger_url: str, ledger: SqlLedger, given: Any
) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED, ledger_url], check=False)
    assert killed.returncode == -9
    assert ledger.turn("support") == Turn(given.at, ended=False)
    assert ledger.take_turn("support", given.at).came is TAKEN


_KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from haetae.store.sql import open_ledger
open_ledger(sys.argv[1]).take_turn("support", datetime(2026, 3, 1, 9, 0, tzinfo=UTC))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_living_process_that_could_not_end_its_turn_keeps_it_no_longer_than_its_lease(
    reopen: Callable[[], SqlLedger], given: Any
) -> None:
    first, second = reopen(), reopen()
    assert first.take_turn("support", given.at).came is TAKEN
    said = second.take_turn("support", given.at)
    assert said.by == f"process {os.getpid()} on {socket.gethostname()}"
    later(first, 5)
    assert second.take_turn("support", given.at).came is TAKEN


def test_a_lease_from_a_clock_that_was_ahead_holds_nobody_up(reopen: Callable[[], SqlLedger], given: Any) -> None:
    ahead, right = reopen(), reopen()
    assert ahead.take_turn("support", given.at).came is TAKEN
    run = given.start(ahead, suite="another")
    elsewhere(ahead)
    away = RUN.update().values(owner_host="another-machine")
    ahead._database.write("moving an owner", lambda connection: connection.execute(away))
    later(ahead, -60 * 24 * 365)
    assert right.take_turn("support", given.at).came is TAKEN
    assert right.resume(run.id).id == run.id


def test_a_turn_that_was_interrupted_can_be_taken_at_once(reopen: Callable[[], SqlLedger], given: Any) -> None:
    first, second = reopen(), reopen()
    assert first.take_turn("support", given.at).came is TAKEN
    first.end_turn("support", served=False)
    assert second.take_turn("support", given.at).came is TAKEN


def test_a_run_that_is_worked_on_keeps_the_turn_of_its_suite(reopen: Callable[[], SqlLedger], given: Any) -> None:
    first, second = reopen(), reopen()
    run = given.start(first)  # by hand, no turn was taken  # SCH-15
    said = second.take_turn("support", given.at)
    assert said.came is BUSY
    assert said.by == f"process {os.getpid()} on {socket.gethostname()}, as run {run.id}"
    assert second.turn("support").ended
    assert second.turn("support").due_at < given.at  # it is due still
    assert second.take_turn("another", given.at).came is TAKEN
    first.finish(run.id, RunStatus.FINISHED, given.later(1))
    assert second.take_turn("support", given.at).came is TAKEN


def test_beside_a_turn_nobody_else_starts_a_run_of_the_suite(reopen: Callable[[], SqlLedger], given: Any) -> None:
    nightly, by_hand = reopen(), reopen()  # SCH-15
    left = given.start(by_hand)
    by_hand.finish(left.id, RunStatus.INTERRUPTED, given.later(1))
    assert nightly.take_turn("support", given.at).came is TAKEN
    why = f"support is being run by its schedule, by process {os.getpid()} on .*: wait for that to end"
    with pytest.raises(StoreError, match=why):
        given.start(by_hand)
    with pytest.raises(StoreError, match=why):
        by_hand.resume(left.id)
    assert [run.id for run in by_hand.runs("support")] == [left.id]
    assert given.start(by_hand, suite="another").number == 1
    run = nightly.resume(left.id)  # its own
    nightly.finish(run.id, RunStatus.FINISHED, given.later(2))
    nightly.end_turn("support", served=True)
    assert given.start(by_hand).number == 2


@pytest.mark.parametrize("continued", [False, True])
def test_who_slept_while_another_served_what_was_due_runs_nothing(
    reopen: Callable[[], SqlLedger], given: Any, continued: bool
) -> None:  # SCH-03
    slept, other = reopen(), reopen()
    left = given.start(slept)
    slept.finish(left.id, RunStatus.INTERRUPTED, given.at)
    assert slept.take_turn("support", given.at).came is TAKEN
    elsewhere(slept)
    later(slept, LEASE.total_seconds() / 60 + 1)
    assert other.take_turn("support", given.at).came is TAKEN
    other.end_turn("support", served=True)
    with pytest.raises(StoreError, match="the turn of support was another's while this process slept"):
        slept.resume(left.id) if continued else given.start(slept)
    slept.end_turn("support", served=False)
    assert other.turn("support").ended
    assert given.start(slept).number == 2  # by hand


def test_of_a_start_by_hand_and_by_schedule_at_once_one_runs(reopen: Callable[[], SqlLedger], given: Any) -> None:
    ledgers = [reopen() for _ in range(6)]  # SCH-15
    ledgers[0].watch_from("support", given.later(-1), None, "", "")

    def start(number: int, due: datetime) -> bool:
        ledger = ledgers[number]
        if number % 2:
            return ledger.take_turn("support", due).came is TAKEN
        try:
            return bool(given.start(ledger))
        except StoreError:
            return False

    for minute in range(8):
        due = given.later(minute)
        with ThreadPoolExecutor(6) as pool:
            began = list(pool.map(start, range(6), [due] * 6))
        scheduled, by_hand = any(began[1::2]), any(began[0::2])
        assert sum(began[1::2]) <= 1
        assert scheduled != by_hand, began
        for ledger in ledgers:
            ledger.end_turn("support", served=True)
            for run in ledger.runs("support"):
                if run.status is RunStatus.RUNNING and run.id in ledger._leased:
                    ledger.finish(run.id, RunStatus.FINISHED, due)


def test_a_turn_whose_acknowledgement_was_lost_is_still_ones_own(ledger: SqlLedger, given: Any) -> None:
    assert ledger.take_turn("support", given.at).came is TAKEN
    assert ledger.take_turn("support", given.at).came is TAKEN


def test_of_many_at_once_one_has_the_turn(reopen: Callable[[], SqlLedger], given: Any) -> None:  # SCH-03
    ledgers = [reopen() for _ in range(8)]
    for minute in range(10):
        with ThreadPoolExecutor(8) as pool:
            due = given.later(minute)
            said = list(pool.map(lambda ledger, due=due: ledger.take_turn("support", due).came, ledgers))
        assert said.count(TAKEN) == 1, said
        for ledger in ledgers:
            ledger.end_turn("support", served=True)


def test_a_renewal_that_comes_after_the_end_changes_nothing(ledger: SqlLedger, given: Any) -> None:  # SCH-10
    assert ledger.take_turn("support", given.at).came is TAKEN
    run = given.start(ledger)
    ended = ledger.finish(run.id, RunStatus.FINISHED, given.later(1))
    ledger.end_turn("support", served=True)
    with pytest.raises(StoreError, match="leased by nobody"):
        ledger.renew(run.id)
    ledger.renew_turn("support")
    assert ledger.run(run.id) == ended
    assert ledger.turn("support") == Turn(given.at, ended=True)


@pytest.mark.real
def test_on_postgres_machines_whose_clocks_are_apart_go_by_one(postgres_url: str, given: Any) -> None:  # SCH-11
    class Apart:
        def __init__(self, hours: int) -> None:
            self.hours = hours

        def now(self) -> datetime:
            return datetime.now(UTC) + timedelta(hours=self.hours)

        def monotonic(self) -> float:
            return 0.0

    with open_ledger(postgres_url, clock=Apart(-7)) as behind, open_ledger(postgres_url, clock=Apart(7)) as ahead:
        assert abs(ahead.now() - behind.now()) < timedelta(minutes=10)
        assert behind.take_turn("support", given.at).came is TAKEN
        run = given.start(behind)
        for table in (RUN, TURN):
            away = table.update().values(owner_host="another-machine")
            behind._database.write("moving owners", lambda connection, away=away: connection.execute(away))
        assert ahead.take_turn("support", given.at).came is BUSY
        with pytest.raises(StoreError, match="is being worked on"):
            ahead.resume(run.id)
        behind.finish(run.id, RunStatus.FINISHED, given.later(1))
        behind.end_turn("support", served=True)
        assert ahead.take_turn("support", given.later(60)).came is TAKEN
        elsewhere(ahead)
        assert behind.take_turn("support", given.later(60)).came is BUSY
