"""What the ledger promises of alerts: each change raised once, each message claimed by one, told to each address."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from haetae.core.alert import Alert, AlertKind, LastTold
from haetae.errors import StoreError
from haetae.store.sql import SqlLedger

AT = datetime(2026, 3, 1, 6, tzinfo=UTC)
LATER = AT + timedelta(minutes=3)
ONE, TWO = "address 1 (slack)", "address 2 (json)"
FELL = LastTold(3, ("rouge", "faithful [language=한국어]"))


def _alert(key: str = "bot.3:regression") -> Alert:
    return Alert(key, AlertKind.REGRESSION, "bot", "bot.3", "✗ 회귀", "text\0 of it \ud800", "**body**")


def test_of_a_suite_nothing_is_known_until_something_was_raised(ledger: SqlLedger) -> None:
    assert ledger.last_told("bot") == LastTold()
    assert ledger.raise_alerts("bot", LastTold(), FELL, [_alert()], AT)
    assert ledger.last_told("bot") == FELL
    assert ledger.last_told("another") == LastTold()
    (raised,) = ledger.alerts()
    assert (raised.alert, raised.raised_at, raised.told) == (_alert(), AT, ())
    assert ledger.alert("bot.3:regression") == _alert()
    with pytest.raises(StoreError, match="there is no alert x"):
        ledger.alert("x")


def test_what_somebody_else_has_told_meanwhile_is_not_told_again(
    ledger: SqlLedger, reopen: Callable[[], SqlLedger]
) -> None:
    assert ledger.raise_alerts("bot", LastTold(), FELL, [_alert()], AT)
    assert not reopen().raise_alerts("bot", LastTold(), FELL, [_alert("another key")], AT)
    assert [raised.alert.key for raised in ledger.alerts()] == ["bot.3:regression"]


def test_of_many_who_raise_one_change_one_does(reopen: Callable[[], SqlLedger]) -> None:
    ledgers, kept = [reopen() for _ in range(4)], []

    def work(number: int) -> None:
        kept.append(ledgers[number].raise_alerts("bot", LastTold(), FELL, [_alert(f"key {number}")], AT))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kept) == [False, False, False, True]
    assert len(ledgers[0].alerts()) == 1


def test_a_key_that_is_there_is_kept_as_it_is(ledger: SqlLedger) -> None:
    assert ledger.raise_alerts("bot", LastTold(), FELL, [_alert()], AT)
    assert ledger.raise_alerts("bot", FELL, LastTold(4), [_alert(), _alert("new")], LATER)
    assert [raised.alert.key for raised in ledger.alerts()] == ["new", "bot.3:regression"]
    assert [raised.alert.key for raised in ledger.alerts(limit=1)] == ["new"]


def test_a_message_is_for_every_address_and_until_its_lease_is_over_for_one_who_tells_it(
    ledger: SqlLedger, reopen: Callable[[], SqlLedger]
) -> None:
    ledger.raise_alerts("bot", LastTold(), FELL, [_alert("first"), _alert("second")], AT)
    claimed = ledger.claim_alerts([ONE, TWO], AT, LATER, unsure=False)
    assert [(each.tracker, each.key) for each in claimed] == [
        (ONE, "first"), (TWO, "first"), (ONE, "second"), (TWO, "second"),
    ]  # fmt: skip
    other = reopen()
    assert other.claim_alerts([ONE, TWO], AT, LATER, unsure=True) == []
    assert len(other.claim_alerts([ONE], LATER, LATER, unsure=True)) == 2  # who had them died


def test_who_was_told_is_not_told_again_and_who_was_not_is(ledger: SqlLedger) -> None:
    ledger.raise_alerts("bot", LastTold(), FELL, [_alert()], AT)
    one, two = ledger.claim_alerts([ONE, TWO], AT, LATER, unsure=False)
    ledger.alert_delivered(one.id, AT)
    ledger.alert_undelivered(two.id, "it answers 503", AT, unsure=False)
    (again,) = ledger.claim_alerts([ONE, TWO], AT, LATER, unsure=False)
    assert (again.tracker, again.tries, again.last_error) == (TWO, 1, "it answers 503")
    ledger.alert_delivered(again.id, LATER)
    assert ledger.claim_alerts([ONE, TWO], LATER, LATER, unsure=True) == []
    (raised,) = ledger.alerts()
    assert [(told.address, told.tries, told.delivered_at, told.last_error) for told in raised.told] == [
        (ONE, 1, AT, None), (TWO, 2, LATER, None),
    ]  # fmt: skip


def test_what_waits_is_counted_also_while_somebody_sends_it_until_it_was_told(ledger: SqlLedger) -> None:
    assert ledger.untold([ONE]) == 0
    ledger.raise_alerts("bot", LastTold(), FELL, [_alert("first"), _alert("second")], AT)
    assert (ledger.untold([ONE, TWO]), ledger.untold([])) == (2, 0)
    one, two = ledger.claim_alerts([ONE], AT, LATER, unsure=False)
    ledger.alert_delivered(one.id, AT)
    assert (ledger.untold([ONE]), ledger.untold([TWO])) == (1, 0)
    ledger.alert_undelivered(two.id, "it answers 503", AT, unsure=False)
    assert ledger.untold([ONE, TWO]) == 1


def test_who_never_answers_is_sent_a_message_three_times(ledger: SqlLedger) -> None:
    ledger.raise_alerts("bot", LastTold(), FELL, [_alert()], AT)
    sent = 0
    for patient in (False, *[True] * 5):
        for claimed in ledger.claim_alerts([ONE], AT, LATER, unsure=patient):
            ledger.alert_undelivered(claimed.id, "no answer came", AT, unsure=True)
            sent += 1
    assert (sent, ledger.untold([ONE])) == (3, 0)
    (raised,) = ledger.alerts()
    assert [(told.unsure, told.delivered_at) for told in raised.told] == [(True, None)]


def test_what_may_have_arrived_waits_for_somebody_patient(ledger: SqlLedger) -> None:
    ledger.raise_alerts("bot", LastTold(), FELL, [_alert()], AT)
    (sent,) = ledger.claim_alerts([ONE], AT, LATER, unsure=False)
    ledger.alert_undelivered(sent.id, "no answer came", AT, unsure=True)
    assert ledger.claim_alerts([ONE], AT, LATER, unsure=False) == []
    assert [each.id for each in ledger.claim_alerts([ONE], AT, LATER, unsure=True)] == [sent.id]
    assert ledger.alerts()[0].told[0].unsure


def test_an_address_that_is_new_is_told_of_nothing_old(ledger: SqlLedger) -> None:
    ledger.raise_alerts("bot", LastTold(), FELL, [_alert()], AT)
    (claimed,) = ledger.claim_alerts([ONE], AT, AT, unsure=False)
    assert [each.id for each in ledger.claim_alerts([ONE, TWO], AT, LATER, unsure=False)] == [claimed.id]


def test_nobody_is_told_where_there_is_no_such_delivery(ledger: SqlLedger) -> None:
    with pytest.raises(StoreError, match="no delivery 7 of an alert"):
        ledger.alert_delivered(7, AT)
