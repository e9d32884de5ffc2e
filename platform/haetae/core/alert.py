"""An Alert: one change of a suite that people are told of, and what they know of the suite since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from haetae.core.canonical import Json


class AlertKind(StrEnum):
    """What has changed."""

    REGRESSION = "regression"
    RECOVERY = "recovery"
    NO_VERDICT = "no_verdict"
    MISSED = "missed"
    BUDGET = "budget"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Alert:
    """One message. `text` is plain, for chats; `body` the same in Markdown, with the report whole, for mail.

    `key` is of the change: raised again it is no second message. `run_id` is None where no run was made.
    """

    key: str
    kind: AlertKind
    suite: str
    run_id: str | None
    title: str
    text: str
    body: str


@dataclass(frozen=True, slots=True)
class LastTold:
    """What people were last told of a suite.

    `run` is the number of the newest run that it rests on. `fallen` are the columns (`faithful`,
    `faithful [language=ko]`) whose regression was told and has not ended, `alarmed` the metrics of which the watch over
    scheduled runs raised an alarm that stands; `silent` says that there was no verdict, `stopped` that the budget ended
    the last run, `overdue` that nobody served the schedule.
    """

    run: int = 0
    fallen: tuple[str, ...] = ()
    silent: bool = False
    stopped: bool = False
    overdue: bool = False
    alarmed: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether nothing stands of which people would want to hear the end."""
        return self == LastTold(self.run)

    def knows(self, column: str) -> bool:
        """Whether the regression of a column was told: a slice is part of its metric."""
        return column in self.fallen or column.partition(" [")[0] in self.fallen

    def with_fallen(self, columns: Sequence[str]) -> LastTold:
        return replace(self, fallen=(*self.fallen, *(column for column in columns if column not in self.fallen)))

    def as_json(self) -> Json:
        return {
            "run": self.run,
            "fallen": list(self.fallen),
            "silent": self.silent,
            "stopped": self.stopped,
            "overdue": self.overdue,
            "alarmed": list(self.alarmed),
        }


def last_told_from_json(value: Json) -> LastTold:
    """Read back what `LastTold.as_json` wrote."""
    return LastTold(**{**value, "fallen": tuple(value["fallen"]), "alarmed": tuple(value.get("alarmed", ()))})


@dataclass(frozen=True, slots=True)
class AddressTold:
    """How far an address (`address 1 (slack)`: its place in the list and its schema) was told of an alert.

    It is `unsure` where the message was sent and no answer came: it may have arrived.
    """

    address: str
    tries: int
    delivered_at: datetime | None = None
    last_error: str | None = None
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class RaisedAlert:
    """An alert of the ledger, and who was told of it; nobody yet where `told` is empty."""

    alert: Alert
    raised_at: datetime
    told: tuple[AddressTold, ...]
