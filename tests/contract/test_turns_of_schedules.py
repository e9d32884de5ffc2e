"""What every ledger promises of schedules: of all who would serve one time, one does, and never two at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from haetae.core.ledger import TakenTurn, Turn
from haetae.core.run import RunStatus
from haetae.store.ledger import LEASE
from haetae.store.sql import SqlLedger

TAKEN, SERVED, BUSY = TakenTurn.TAKEN, TakenTurn.SERVED, TakenTurn.BUSY


def test_a_time_is_served_once(ledger: SqlLedger, given: Any) -> None:
    assert ledger.turn("support") is None
    assert ledger.take_turn("support", given.at, given.later(1)) is TAKEN
    assert ledger.turn("support") == Turn(given.at, ended=False)
    ledger.end_turn("support", served=True)
    assert ledger.turn("support") == Turn(given.at, ended=True)
    assert ledger.take_turn("support", given.at, given.later(2)) is SERVED
    assert ledger.take_turn("support", given.later(-10), given.later(2)) is SERVED
    assert ledger.take_turn("support", given.later(60), given.later(60)) is TAKEN
    assert ledger.take_turn("another", given.at, given.later(60)) is TAKEN


def test_what_is_due_counts_from_the_first_look_on(ledger: SqlLedger, given: Any) -> None:
    assert ledger.watch_from("support", given.at) == Turn(given.at, ended=True)
    assert ledger.watch_from("support", given.later(60)) == Turn(given.at, ended=True)
    assert ledger.take_turn("support", given.at, given.later(61)) is SERVED
    assert ledger.take_turn("support", given.later(60), given.later(61)) is TAKEN
    assert ledger.watch_from("support", given.later(90)) == Turn(given.later(60), ended=False)


def test_a_turn_is_ones_own_as_long_as_it_is_renewed(reopen: Callable[[], SqlLedger], given: Any) -> None:
    slow, other = reopen(), reopen()
    assert slow.take_turn("support", given.at, given.at) is TAKEN
    slow.renew_turn("support", given.later(4))
    other.renew_turn("support", given.later(60))  # it has none
    assert other.take_turn("support", given.at, given.later(8)) is BUSY
    assert other.take_turn("support", given.at, given.later(9)) is TAKEN


def test_while_one_has_the_turn_the_next_time_waits(reopen: Callable[[], SqlLedger], given: Any) -> None:  # SCH-06
    first, second = reopen(), reopen()
    assert first.take_turn("support", given.at, given.at) is TAKEN
    assert second.take_turn("support", given.at, given.later(1)) is BUSY
    assert second.take_turn("support", given.later(1), given.later(1)) is BUSY
    assert second.take_turn("support", given.later(-1), given.later(1)) is SERVED
    assert second.turn("support") == Turn(given.at, ended=False)
    first.end_turn("support", served=True)
    assert second.take_turn("support", given.later(2), given.later(2)) is TAKEN  # SCH-16: one, whatever has waited


def test_who_does_not_have_the_turn_cannot_end_it(reopen: Callable[[], SqlLedger], given: Any) -> None:
    first, second = reopen(), reopen()
    assert first.take_turn("support", given.at, given.at) is TAKEN
    second.end_turn("support", served=True)
    assert second.take_turn("support", given.later(1), given.later(1)) is BUSY


def test_a_turn_of_a_dead_process_is_over_with_its_lease(reopen: Callable[[], SqlLedger], given: Any) -> None:  # SCH-07
    dead, next_ = reopen(), reopen()
    assert dead.take_turn("support", given.at, given.at) is TAKEN
    later = given.at + LEASE
    assert timedelta(minutes=5) >= LEASE
    assert next_.take_turn("support", later - timedelta(seconds=1), later - timedelta(seconds=1)) is BUSY
    assert next_.turn("support") == Turn(given.at, ended=False)
    assert next_.take_turn("support", given.at, later) is TAKEN  # SCH-08: it is due still
    dead.end_turn("support", served=True)  # it was not dead but slow, and has lost its turn
    assert next_.turn("support") == Turn(given.at, ended=False)


def test_a_turn_that_was_interrupted_can_be_taken_at_once(reopen: Callable[[], SqlLedger], given: Any) -> None:
    first, second = reopen(), reopen()
    assert first.take_turn("support", given.at, given.at) is TAKEN
    first.end_turn("support", served=False)
    assert second.take_turn("support", given.at, given.later(1)) is TAKEN


def test_a_run_that_is_worked_on_keeps_the_turn_of_its_suite(reopen: Callable[[], SqlLedger], given: Any) -> None:
    first, second = reopen(), reopen()
    run = given.start(first)  # by hand, no turn was taken  # SCH-15
    assert second.take_turn("support", given.at, given.at) is BUSY
    assert second.turn("support").ended
    assert second.turn("support").due_at < given.at  # it is due still
    assert second.take_turn("another", given.at, given.at) is TAKEN
    first.finish(run.id, RunStatus.FINISHED, given.later(1))
    assert second.take_turn("support", given.at, given.later(1)) is TAKEN


def test_a_turn_whose_acknowledgement_was_lost_is_still_ones_own(ledger: SqlLedger, given: Any) -> None:
    assert ledger.take_turn("support", given.at, given.at) is TAKEN
    assert ledger.take_turn("support", given.at, given.later(1)) is TAKEN


def test_of_many_at_once_one_has_the_turn(reopen: Callable[[], SqlLedger], given: Any) -> None:  # SCH-03
    ledgers = [reopen() for _ in range(8)]
    for minute in range(10):
        with ThreadPoolExecutor(8) as pool:
            due = given.later(minute)
            said = list(pool.map(lambda ledger, due=due: ledger.take_turn("support", due, due), ledgers))
        assert said.count(TAKEN) == 1, said
        for ledger in ledgers:
            ledger.end_turn("support", served=True)
