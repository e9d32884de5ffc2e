"""The pace of an endpoint is one for all processes, on every database that a ledger may live on."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from haetae.errors import StoreError
from haetae.store.address import parse_url
from haetae.store.pacing import FilePacing, SharedPacing, open_pacing
from haetae.store.sql import SqlLedger

_RESERVING = """
import json, sys, time
from haetae.store.address import parse_url
from haetae.store.pacing import open_pacing

pacing = open_pacing(parse_url(sys.argv[1]))
pacing.held("shared")
print("ready", flush=True)
sys.stdin.readline()
started, ends = time.monotonic(), []
for _ in range(int(sys.argv[2])):
    turn = pacing.reserve("shared", 0.5, 0.25)
    ends.append(time.monotonic() + turn.in_s)
print(json.dumps(ends), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def pacing(ledger_url: str) -> Iterator[Callable[[], SharedPacing]]:
    """Opens the pacing as one more process would."""
    opened: list[SharedPacing] = []
    path = parse_url(ledger_url).database or ""
    if ledger_url.startswith("sqlite"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)

    def open_another() -> SharedPacing:
        opened.append(open_pacing(parse_url(ledger_url)))
        return opened[-1]

    yield open_another
    for pace in opened:
        pace.close()


def test_time_on_a_lane_is_given_away_once(pacing: Callable[[], SharedPacing]) -> None:
    one, other = pacing(), pacing()
    turns = [(one, other)[n % 2].reserve("e", 10.0, 4.0).in_s for n in range(4)]
    assert turns[0] == 0.0
    assert turns[1:] == pytest.approx([10.0, 20.0, 30.0], abs=2.0)
    assert one.reserve("another", 10.0, 4.0).in_s == 0.0


def test_the_busier_lane_decides(pacing: Callable[[], SharedPacing]) -> None:
    pace = pacing()
    pace.reserve("e", 1.0, 50.0)
    assert pace.reserve("e", 1.0, 0.0).in_s == pytest.approx(50.0, abs=2.0)


@pytest.mark.parametrize(("requests_s", "tokens_s"), [(4_000.0, 0.0), (0.5, 9_000.0)])
def test_time_hours_ahead_is_given_away_once_as_well(
    requests_s: float, tokens_s: float, pacing: Callable[[], SharedPacing]
) -> None:
    one, other = pacing(), pacing()
    turns = [(one, other)[n % 2].reserve("e", requests_s, tokens_s).in_s for n in range(4)]
    longest = max(requests_s, tokens_s)
    assert turns == pytest.approx([0.0, longest, 2 * longest, 3 * longest], abs=2.0)


def test_what_was_told_to_one_all_know(pacing: Callable[[], SharedPacing]) -> None:
    one, other = pacing(), pacing()
    assert other.held("e") == 0.0
    one.hold("e", 120.0)
    one.hold("e", 5.0)  # a shorter wait does not end a longer one
    assert other.held("e") == pytest.approx(120.0, abs=2.0)
    assert other.reserve("e", 1.0, 0.0).held_s == pytest.approx(120.0, abs=2.0)
    assert other.held("another") == 0.0


def test_a_wait_of_a_day_is_not_passed_on_whole(pacing: Callable[[], SharedPacing]) -> None:
    pace = pacing()
    pace.hold("e", 86_400.0)
    assert pace.held("e") == pytest.approx(600.0, abs=2.0)


def test_many_threads_share_one_connection(pacing: Callable[[], SharedPacing]) -> None:
    pace = pacing()
    with ThreadPoolExecutor(8) as pool:
        turns = sorted(pool.map(lambda _: pace.reserve("e", 100.0, 0.0).in_s, range(16)))
    assert turns == pytest.approx([100.0 * n for n in range(16)], abs=5.0)


def test_processes_share_the_pace_and_a_killed_one_holds_up_nobody(
    ledger_url: str, pacing: Callable[[], SharedPacing]
) -> None:
    command = [sys.executable, "-c", _RESERVING, ledger_url, "20"]
    workers = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True) for _ in range(2)]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdin is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            worker.stdin.write("go\n")  # type: ignore[union-attr]  # it is a pipe
            worker.stdin.flush()  # type: ignore[union-attr]
        moments = sorted(
            moment
            for worker in workers
            for moment in json.loads(worker.stdout.readline())  # type: ignore[union-attr]
        )
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    gaps = [after - before for before, after in pairwise(moments)]
    assert len(moments) == 40
    assert moments[-1] - moments[0] == pytest.approx(39 * 0.5, abs=1.0)
    assert sum(gap < 0.3 for gap in gaps) <= 4  # clocks are read a moment after the database has answered
    left_s = moments[-1] + 0.5 - time.monotonic()
    assert pacing().reserve("shared", 0.5, 0.25).in_s == pytest.approx(left_s, abs=1.5)


def test_a_ledger_opens_nothing_before_a_pace_is_asked_for(
    ledger: SqlLedger, ledger_url: str, request: pytest.FixtureRequest
) -> None:
    if not ledger_url.startswith("sqlite"):
        import psycopg

        with psycopg.connect(ledger_url) as server:
            found = server.execute("SELECT to_regclass('endpoint_pace')").fetchone()
            assert found == (None,)
            assert ledger.pacing.held("e") == 0.0
            kind = server.execute("SELECT relpersistence FROM pg_class WHERE relname = 'endpoint_pace'").fetchone()
            assert kind == ("u",)  # unlogged
        return
    file = Path(f"{ledger.place}.pace")
    assert ledger.pacing.held is not None
    assert not file.exists()
    assert ledger.pacing.held("e") == 0.0
    assert file.exists()


def _of_another_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as old:
        old.execute("CREATE TABLE endpoint_pace (endpoint TEXT PRIMARY KEY, slots INTEGER)")


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(bytes(range(256)) * 64),
        lambda file: file.write_bytes(file.read_bytes()[:100] + b"\xff" * 5_000),
        lambda file: file.write_bytes(b"SQLite format 3\0"),
        lambda file: (file.unlink(), _of_another_version(file)),
    ],
    ids=["random bytes", "damaged pages", "cut off", "another version"],
)
def test_a_damaged_pace_is_begun_anew(damage: Callable[[Path], object], tmp_path: Path) -> None:
    file = tmp_path / "ledger.db.pace"
    before = FilePacing(tmp_path / "ledger.db")
    before.reserve("e", 100.0, 0.0)
    before.close()
    damage(file)
    one, other = FilePacing(tmp_path / "ledger.db"), FilePacing(tmp_path / "ledger.db")
    turns = [pace.reserve("e", 100.0, 0.0).in_s for pace in (one, other)]
    assert turns == pytest.approx([0.0, 100.0], abs=2.0)
    one.close()
    other.close()


@pytest.mark.parametrize("kind", ["a symbolic link", "no file"])
def test_what_is_no_file_is_left_alone_and_named(kind: str, tmp_path: Path) -> None:
    file, others = tmp_path / "ledger.db.pace", tmp_path / "of-somebody-else"
    others.write_text("precious")
    if kind == "no file":
        file.mkdir()
    else:
        file.symlink_to(others)
    pace = FilePacing(tmp_path / "ledger.db")
    with pytest.raises(StoreError, match=f"ledger.db.pace is {kind}: move it away"):
        pace.reserve("e", 1.0, 0.0)
    assert others.read_text() == "precious"


def test_a_process_killed_while_it_reserves_leaves_a_pace_that_goes_on(
    ledger_url: str, pacing: Callable[[], SharedPacing]
) -> None:
    command = [sys.executable, "-c", _RESERVING, ledger_url, "1000000"]
    worker = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        worker.stdin.write("go\n")  # type: ignore[union-attr]  # it is a pipe
        worker.stdin.flush()  # type: ignore[union-attr]
        pace = pacing()
        while pace.reserve("shared", 0.5, 0.25).in_s < 20:
            assert worker.poll() is None
    finally:
        worker.kill()
        worker.communicate()
    first = pace.reserve("shared", 0.5, 0.25).in_s
    assert first >= 20
    assert pacing().reserve("shared", 0.5, 0.25).in_s == pytest.approx(first + 0.5, abs=1.5)


def test_a_clock_that_starts_again_holds_up_nobody(tmp_path: Path) -> None:  # END-17
    seconds = [90_000.0]
    pace = FilePacing(tmp_path / "ledger.db", lambda: seconds[0])
    pace.reserve("e", 30.0, 0.0)
    pace.hold("e", 300.0)
    seconds[0] = 5.0  # the machine was started anew
    turn = pace.reserve("e", 1.0, 0.0)
    assert (turn.in_s, turn.held_s, pace.held("e")) == (0.0, 0.0, 0.0)
    pace.close()
