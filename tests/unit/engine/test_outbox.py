"""The outbox is drained: each tracker is told once, and none of them can hold a run up."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from haetae.core.ledger import Delivery
from haetae.engine.outbox import Delivered, drain
from haetae.errors import MissingExtra, StoreError, TrackerError


class StoppedClock:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


@dataclass
class Outbox:
    """Three runs wait for each of the trackers named."""

    trackers: tuple[str, ...]
    open: dict[int, Delivery] = field(default_factory=dict)
    receipts: dict[int, str | None] = field(default_factory=dict)
    touched_by: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        for tracker in self.trackers:
            for number in range(3):
                each = Delivery(len(self.open), tracker, f"bot.{number}", f"{tracker}:bot.{number}", 0, None)
                self.open[each.id] = each

    def pending(self, tracker: str | None = None) -> list[Delivery]:
        self.touched_by.add(threading.get_ident())
        return [each for each in self.open.values() if tracker in (None, each.tracker)]

    def delivered(self, delivery_id: int, at: datetime, receipt: str | None = None) -> None:
        self.touched_by.add(threading.get_ident())
        del self.open[delivery_id]
        self.receipts[delivery_id] = receipt

    def undelivered(self, delivery_id: int, error: str, at: datetime) -> None:
        self.touched_by.add(threading.get_ident())
        each = self.open[delivery_id]
        self.open[delivery_id] = Delivery(each.id, each.tracker, each.run_id, each.key, each.tries + 1, error)


@dataclass
class Told:
    """A tracker that remembers, and fails where it is said to."""

    name: str = "told"
    fails: dict[str, BaseException] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)

    def deliver(self, record: str, key: str) -> str:
        if key in self.fails:
            raise self.fails[key]
        self.keys.append(key)
        return f"at {record}"


def go(outbox, trackers, record_of=lambda run_id: run_id, deadline_s=30.0):
    return drain(outbox, trackers, record_of, StoppedClock(), deadline_s=deadline_s)


def test_everything_pending_is_delivered_in_order_with_its_receipt():
    outbox, told = Outbox(("mlflow",)), Told()
    assert go(outbox, {"mlflow": lambda: told}) == [Delivered("mlflow", f"bot.{n}", f"at bot.{n}") for n in range(3)]
    assert told.keys == ["mlflow:bot.0", "mlflow:bot.1", "mlflow:bot.2"]
    assert list(outbox.receipts.values()) == ["at bot.0", "at bot.1", "at bot.2"]
    assert outbox.open == {}


def test_a_second_drain_finds_nothing_to_tell_and_opens_no_tracker():
    outbox = Outbox(("mlflow",))
    go(outbox, {"mlflow": Told})

    def never():
        raise AssertionError("opened for nothing")

    assert go(outbox, {"mlflow": never}) == []


def test_a_failed_delivery_stays_with_its_error_and_the_others_go_on(caplog):
    outbox = Outbox(("mlflow",))
    told = Told(fails={"mlflow:bot.1": TrackerError("500 from the proxy")})
    out = go(outbox, {"mlflow": lambda: told})
    assert [one.error for one in out] == [None, "500 from the proxy", None]
    (kept,) = outbox.open.values()
    assert (kept.run_id, kept.tries, kept.last_error) == ("bot.1", 1, "500 from the proxy")
    assert len(caplog.messages) == 1
    assert go(outbox, {"mlflow": Told})[0].receipt == "at bot.1"


def test_one_tracker_down_does_not_keep_another_from_being_told(caplog):  # TRK-01
    outbox = Outbox(("mlflow", "wandb"))

    def refused():
        raise TrackerError("connection refused")

    out = go(outbox, {"mlflow": refused, "wandb": Told})
    assert {one.tracker for one in out if one.error} == {"mlflow"}
    assert len([one for one in out if one.receipt]) == 3
    assert [line.split()[0] for line in caplog.messages] == ["mlflow"]


def test_no_record_is_read_for_a_tracker_that_does_not_open():
    def refused():
        raise TrackerError("connection refused")

    def never(run_id):
        raise AssertionError("read for nothing")

    assert len(go(Outbox(("mlflow",)), {"mlflow": refused}, never)) == 3


@pytest.mark.parametrize("where", ["open", "deliver"])
def test_a_tracker_that_hangs_is_left_behind(where, caplog):  # TRK-02, TRK-04
    released = threading.Event()

    class Hanging:
        name = "mlflow"

        def __init__(self):
            if where == "open":
                released.wait()

        def deliver(self, record, key):
            released.wait()
            return "too late"

    outbox = Outbox(("mlflow",))
    out = go(outbox, {"mlflow": Hanging}, deadline_s=0.05)
    released.set()
    assert [one.error for one in out] == ["no answer within 0.05 s"] * 3
    assert [each.tries for each in outbox.open.values()] == [1, 1, 1]
    assert outbox.receipts == {}
    assert len(caplog.messages) == 1


def test_a_tracker_left_behind_is_given_nothing_more():
    released, gone = threading.Event(), threading.Event()
    told = []

    class Slow:
        name = "mlflow"

        def deliver(self, record, key):
            told.append(key)
            released.wait()
            mine = threading.current_thread()
            threading.Thread(target=lambda: (mine.join(), gone.set()), daemon=True).start()
            return "late"

    go(Outbox(("mlflow",)), {"mlflow": Slow}, deadline_s=0.05)
    released.set()
    assert gone.wait(30)  # its thread ended
    assert told == ["mlflow:bot.0"]


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), SystemExit(3), RuntimeError(), MemoryError("no room")])
def test_whatever_a_tracker_raises_is_an_error_in_the_outbox(fault):  # TRK-09
    outbox = Outbox(("wandb",))
    out = go(outbox, {"wandb": lambda: Told(fails={f"wandb:bot.{n}": fault for n in range(3)})})
    assert {one.error for one in out} == {str(fault) or type(fault).__name__}


def test_a_missing_package_leaves_the_pip_command_in_the_outbox():  # TRK-08
    def missing():
        raise MissingExtra("mlflow", "mlflow")

    out = go(Outbox(("mlflow",)), {"mlflow": missing})
    assert "pip install -e '.[mlflow]'" in out[0].error


def test_a_secret_in_an_error_is_masked(caplog):  # TRK-10
    def refused():
        raise TrackerError("http://admin:hunter22@127.0.0.1:5000 refused token=abcdef123456")

    outbox = Outbox(("mlflow",))
    out = go(outbox, {"mlflow": refused})
    said = str(out) + str(outbox.open) + caplog.text
    assert "hunter22" not in said
    assert "abcdef123456" not in said


def test_the_ledger_is_touched_by_the_calling_thread_only():
    outbox = Outbox(("mlflow", "wandb"))
    go(outbox, {"mlflow": Told, "wandb": Told})
    assert outbox.touched_by == {threading.get_ident()}


def test_an_error_of_the_ledger_is_not_the_trackers_and_passes():
    def broken(run_id):
        raise StoreError("the ledger is gone")

    with pytest.raises(StoreError):
        go(Outbox(("mlflow",)), {"mlflow": Told}, broken)


def test_a_hanging_or_raising_tracker_does_not_keep_the_interpreter_from_ending():  # TRK-09
    code = """
import threading, time
from datetime import UTC, datetime
from haetae.core.clock import SystemClock
from haetae.core.ledger import Delivery
from haetae.engine.outbox import drain

class Outbox:
    noted = []
    def pending(self, tracker): return [Delivery(1, tracker, "bot.1", "k", 0, None)]
    def delivered(self, *a): raise AssertionError
    def undelivered(self, number, error, at): self.noted.append(error)

class Stuck:
    name = "stuck"
    def deliver(self, record, key):
        while True:
            threading.Event().wait(3600)

class Raises:
    name = "raises"
    def deliver(self, record, key):
        raise SystemExit("at the very end")

drain(Outbox(), {"stuck": Stuck, "raises": Raises}, str, SystemClock(), deadline_s=0.5)
print(sorted(Outbox.noted))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout.strip() == "['at the very end', 'no answer within 0.5 s']"
