"""The outbox: trackers and people are told what the ledger holds, in their own time; none can hold a run up."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from haetae.core.clock import Clock
from haetae.core.ledger import Delivery
from haetae.core.secrets import redact
from haetae.errors import TrackerAway

log = logging.getLogger("haetae.outbox")


Told = TypeVar("Told")
Told_contra = TypeVar("Told_contra", contravariant=True)


class Taker(Protocol[Told_contra]):
    """Who is told: a tracker of runs, an address of alerts."""

    def deliver(self, record: Told_contra, key: str) -> str:
        """A receipt. Raises TrackerError when it cannot be taken now."""
        ...


class Outbox(Protocol):
    """The ledger's part that this needs."""

    def pending(self, tracker: str | None = None) -> Sequence[Delivery]: ...

    def delivered(self, delivery_id: int, at: datetime, receipt: str | None = None) -> None: ...

    def undelivered(self, delivery_id: int, error: str, at: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one delivery: a receipt, or the error with which it stays in the outbox."""

    tracker: str
    run_id: str
    receipt: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a tracker's thread says: first that the tracker is open, then one answer per record."""

    tracker: str
    receipt: str | None = None
    fault: BaseException | None = None
    opening: bool = False


_Inbox = queue.SimpleQueue[Any]  # of (record, key), and None at the end


def drain(
    ledger: Outbox,
    trackers: Mapping[str, Callable[[], Taker[Told]]],
    record_of: Callable[[str], Told],
    clock: Clock,
    *,
    deadline_s: float,
) -> list[Delivered]:
    """Deliver what is pending for these trackers, all of them at once, within `deadline_s` seconds.

    Each tracker is opened and told in a thread of its own that nothing waits for: one that hangs is
    left behind, and what it has not answered for stays in the outbox with the reason. A delivery
    whose answer came too late is repeated next time, which its key makes a no-op. The ledger is
    touched by the calling thread only, one record at a time for each tracker, and none for a tracker
    that does not open or does not answer any more. Never raises for a tracker's fault; errors of the ledger pass.
    """
    waiting = {name: deque(ledger.pending(name)) for name in trackers}
    inboxes: dict[str, _Inbox] = {name: queue.SimpleQueue() for name, line in waiting.items() if line}
    answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
    out: list[Delivered] = []
    end = clock.monotonic() + deadline_s
    for name, inbox in inboxes.items():
        work = (name, trackers[name], inbox, answers)
        threading.Thread(target=_tell, args=work, daemon=True, name=f"haetae-{name}").start()
    try:
        while any(waiting.values()):
            answer = answers.get(timeout=max(end - clock.monotonic(), 0))
            line = waiting[answer.tracker]
            if answer.fault is not None and (answer.opening or isinstance(answer.fault, TrackerAway)):
                out.extend(_note(ledger, clock, missed, answer) for missed in line)
                line.clear()
            elif not answer.opening:
                out.append(_note(ledger, clock, line.popleft(), answer))
            if line:
                inboxes[answer.tracker].put((record_of(line[0].run_id), line[0].key))
    except queue.Empty:
        for name, line in waiting.items():
            late = _Answer(name, fault=TimeoutError(f"no answer within {deadline_s:g} s"))
            out.extend(_note(ledger, clock, missed, late) for missed in line)
    finally:
        for inbox in inboxes.values():
            inbox.put(None)
    _warn(out)
    return out


def _tell(
    name: str, open_tracker: Callable[[], Taker[Any]], inbox: _Inbox, answers: queue.SimpleQueue[_Answer]
) -> None:
    """One tracker's thread. Its faults, whatever they are, are answers: a thread has nobody to raise to."""
    try:
        tracker = open_tracker()
    except BaseException as fault:
        answers.put(_Answer(name, fault=fault, opening=True))
        return
    answers.put(_Answer(name, opening=True))
    while (task := inbox.get()) is not None:
        try:
            answers.put(_Answer(name, receipt=tracker.deliver(*task)))
        except BaseException as fault:
            answers.put(_Answer(name, fault=fault))


def _note(ledger: Outbox, clock: Clock, delivery: Delivery, answer: _Answer) -> Delivered:
    if answer.fault is None:
        ledger.delivered(delivery.id, clock.now(), answer.receipt)
        return Delivered(delivery.tracker, delivery.run_id, receipt=answer.receipt)
    error = redact(str(answer.fault) or type(answer.fault).__name__)
    ledger.undelivered(delivery.id, error, clock.now())
    return Delivered(delivery.tracker, delivery.run_id, error=error)


def _warn(out: Sequence[Delivered]) -> None:
    """One warning per tracker, however many deliveries it missed."""
    for name in dict.fromkeys(one.tracker for one in out if one.error is not None):
        errors = [one.error for one in out if one.tracker == name and one.error is not None]
        log.warning("%s was not told of %d run(s), the outbox keeps them: %s", name, len(errors), errors[0])
