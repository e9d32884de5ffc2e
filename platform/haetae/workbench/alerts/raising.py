"""People are told of what changed: raised once in the ledger, and sent to each address until it has taken it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from haetae.core.alert import Alert, AlertKind
from haetae.core.clock import Clock
from haetae.core.ledger import Delivery, Ledger
from haetae.core.run import Run
from haetae.errors import TrackerError
from haetae.settings import Settings
from haetae.workbench.alerts.changes import Change, alerts_people, changes, kinds_of
from haetae.workbench.report import Report

if TYPE_CHECKING:
    from haetae.trackers.alerts import Messenger
    from haetae.workbench.schedules.overdue import Served

_AFTER_RUN_S, _TO_NOTE_S = 4.0, 0.25
"""How long the end of a run waits for all addresses together, at most, and what of it is for noting how it went."""
_PATIENT_S, _TEST_S = 60.0, 20.0
_TEST = (
    "This address is told of regressions, alarms, recoveries, missing verdicts, missed schedules and budgets. "
    "한국어도 됩니다."
)
_LEASE = timedelta(minutes=3)
"""How long a message stays that of the process that has begun to send it, and may have died since."""


@dataclass(frozen=True)
class Alerting:
    """Raises and delivers alerts."""

    settings: Settings
    ledger: Ledger
    clock: Clock

    def raise_of(self, report: Report) -> None:
        """Keep what a run made known, where people are told of its kind of run and suite. Called again it adds nothing,
        also where several processes report one run."""
        named = report.run.manifest.suite.get("alert")
        if not alerts_people(report.run) or (named is None and not self.settings.alerts):
            return
        kinds = kinds_of(named)
        raised = False
        while not raised:  # unless somebody else has told people something of the suite meanwhile
            known = self.ledger.last_told(report.run.suite)
            now, told = changes(known, report, kinds)
            raised = now == known or self.ledger.raise_alerts(
                report.run.suite, known, now, self._written(told, report), self.clock.now()
            )

    def raise_overdue(self, found: Sequence[Served]) -> None:
        """Keep which suites nobody serves any more, once for each time that this begins, and which are served again."""
        for one in found:
            kinds, suite = kinds_of(one.suite.alert), one.suite.suite
            known, is_late = self.ledger.last_told(suite), one.overdue is not None
            if known.overdue == is_late or (one.suite.alert is None and not self.settings.alerts):
                continue
            if is_late and AlertKind.MISSED not in kinds:
                continue
            from haetae.workbench.alerts.texts import alert_of_schedule  # most hours nothing has changed

            kind = AlertKind.MISSED if is_late else AlertKind.RECOVERY
            alert = alert_of_schedule(suite, kind, (one.overdue or one.until).isoformat(), one.text)
            told = [alert] if kind in kinds else []
            self.ledger.raise_alerts(suite, known, replace(known, overdue=is_late), told, self.clock.now())

    def test(self) -> Iterator[tuple[str, str | None]]:
        """Send a message to every address, one after the other: its name, and why it did not arrive."""
        from haetae.trackers.alerts import Messenger

        for address in self.settings.alerts:
            alert = Alert("test", AlertKind.RECOVERY, "test", None, "Haetae: a test", _TEST, _TEST)
            try:
                Messenger(address, self.settings.alerts_allow, lambda: _TEST_S).deliver(alert, alert.key)
            except TrackerError as exc:
                yield address.name, str(exc)
            else:
                yield address.name, None

    def _written(self, told: Sequence[Change], report: Report) -> Sequence[Alert]:
        if not told:
            return ()
        from haetae.workbench.alerts.texts import alert_of  # most nights nothing has changed

        secrets = tuple(address.url for address in self.settings.alerts)
        return [alert_of(change, report, secrets) for change in told]

    def run_ended(self, run: Run) -> list[str]:
        """Deliver what waits, where people are told of this run; a line for each message that did not arrive."""
        if not alerts_people(run):
            return []
        return self._deliver(_AFTER_RUN_S, patient=False)

    def sync(self, deadline_s: float) -> list[str]:
        """Deliver what waits, patiently, also what may have arrived; a line for each outcome."""
        return self._deliver(min(deadline_s, _PATIENT_S), patient=True)

    def waiting(self) -> int:
        """How many messages wait for an address."""
        return self.ledger.untold([address.name for address in self.settings.alerts])

    def _deliver(self, deadline_s: float, *, patient: bool) -> list[str]:
        addresses = {address.name: address for address in self.settings.alerts}
        box = AlertBox(self.ledger, self.clock, tuple(addresses), unsure=patient)
        if not addresses or not box.waiting:
            return []
        from haetae.engine.outbox import drain
        from haetae.trackers.alerts import Messenger  # with what starts processes

        end = self.clock.monotonic() + deadline_s - _TO_NOTE_S

        def left_s() -> float:
            return end - self.clock.monotonic()

        tell: dict[str, Callable[[], Messenger]] = {
            name: partial(Messenger, address, self.settings.alerts_allow, left_s) for name, address in addresses.items()
        }
        outcomes = drain(box, tell, self._with_link, self.clock, deadline_s=deadline_s)
        late = "kept" if patient else "kept, deliver later with: haetae sync"
        return [
            f"{o.tracker}: told ({o.run_id})" if o.error is None else f"{o.tracker}: not told yet ({o.error}); {late}"
            for o in outcomes
            if patient or o.error is not None
        ]

    def _with_link(self, key: str) -> Alert:
        """An alert as it is sent, with the way to its run in the dashboard."""
        alert = self.ledger.alert(key)
        if self.settings.link is None or alert.run_id is None:
            return alert
        link = f"{self.settings.link}/run?{urlencode({'suite': alert.suite, 'run': alert.run_id})}"
        body = f"[The run in the dashboard]({link})\n\n{alert.body}"
        return replace(alert, text=f"{link}\n\n{alert.text}", body=body)


class AlertBox:
    """The messages that wait for some addresses, as an outbox; until they are noted they are this process's."""

    def __init__(self, ledger: Ledger, clock: Clock, addresses: tuple[str, ...], *, unsure: bool) -> None:
        self._ledger = ledger
        now = clock.now()
        self.waiting = ledger.claim_alerts(addresses, now, now + _LEASE, unsure=unsure) if addresses else ()

    def pending(self, tracker: str | None = None) -> Sequence[Delivery]:
        return [delivery for delivery in self.waiting if tracker in (None, delivery.tracker)]

    def delivered(self, delivery_id: int, at: datetime, receipt: str | None = None) -> None:
        self._ledger.alert_delivered(delivery_id, at)

    def undelivered(self, delivery_id: int, error: str, at: datetime) -> None:
        from haetae.trackers.alerts import NO_ANSWER

        self._ledger.alert_undelivered(delivery_id, error, at, unsure=error.startswith(NO_ANSWER))
