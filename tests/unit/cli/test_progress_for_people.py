"""What a person sees of a run: a bar on a terminal, a few lines elsewhere, nothing when asked to be quiet."""

from __future__ import annotations

import re
from typing import Any

import pytest

from haetae.cli.progress import details, stopping, watching
from haetae.engine.watch import EndpointState, Progress


def _progress(done: int, elapsed_s: float, **more: Any) -> Progress:
    return Progress(done, 1000, 0, 0, 0, done, None, elapsed_s, **more)


def _lines(told: list[Progress], capsys: pytest.CaptureFixture[str]) -> list[str]:
    with watching(quiet=False) as watcher:
        assert watcher is not None
        for progress in told:
            watcher(progress)
    return [line.split()[0] for line in capsys.readouterr().err.splitlines()]


def test_everything_worth_knowing_is_said() -> None:
    endpoint = EndpointState("http://a/v1", 12, 16, 2.6, 3, "asked to wait")
    progress = Progress(5, 10, 1, 2, 3, 4, 0.5, 2.0, (endpoint,), retried=6, per_s=2.5, left_s=3723.0)
    assert details(progress) == (
        "2.5/s  12 of 16 calls, 3 wait 3 s (asked to wait)  1 failed  2 unscored  3 reused  6 retried  $0.500  "
        "0:02, 1:02:03 to go"
    )


def test_what_is_left_of_a_budget_is_said_by_its_limits() -> None:
    progress = _progress(10, 1.0, budget_left={"usd": 1.5, "calls": 90.0})
    assert "$1.500 of the budget left  90 calls left" in details(progress)


def test_a_small_sum_is_not_shown_as_nothing() -> None:
    assert "$0.00004  " in details(Progress(5, 10, 0, 0, 0, 4, 0.00004, 2.0))


def test_calls_that_a_rate_holds_back_are_not_shown_as_under_way() -> None:
    endpoint = EndpointState("http://a/v1", 4, 32, 0.4, 27, "60 requests a minute")
    assert "4 of 32 calls, 27 wait (60 requests a minute)" in details(_progress(10, 1.0, endpoints=(endpoint,)))


def test_endpoints_are_named_where_there_are_several() -> None:
    two = (EndpointState("http://한국\x1b[2J", 1, 2, 0.0), EndpointState("http://b", 3, 4, 0.0))
    assert "1 of 2 calls at http://한국\\x1b[2J  3 of 4 calls at http://b" in details(_progress(0, 1.0, endpoints=two))


def test_waiting_for_the_first_answer_is_seen() -> None:
    waiting = _progress(0, 12.0, endpoints=(EndpointState("http://a", 64, 64, 0.0),))
    assert details(waiting) == "0/s  64 of 64 calls  0:12"


def test_a_log_gets_a_line_for_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _lines([_progress(done, done / 50) for done in range(1, 1001)], capsys)
    assert lines == ["1/1,000", *(f"{done}/1,000" for done in range(100, 1000, 100)), "1,000/1,000"]


def test_a_fast_run_gets_at_most_a_line_a_second_and_the_last_one(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _lines([_progress(done, done / 400) for done in range(0, 1001, 20)], capsys)
    assert lines == ["0/1,000", "400/1,000", "800/1,000", "1,000/1,000"]


def test_a_slow_run_is_not_silent_for_longer_than_half_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _lines([_progress(second // 60, float(second)) for second in range(121)], capsys)
    assert lines == ["0/1,000", "0/1,000", "1/1,000", "1/1,000", "2/1,000"]


def test_quiet_is_quiet() -> None:
    with watching(quiet=True) as watcher:
        assert watcher is None


def test_a_narrow_terminal_shows_all_of_it_in_several_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setenv("TERM", "xterm")
    endpoint = EndpointState("http://a/v1", 12, 16, 2.6)
    with watching(quiet=False) as watcher:
        assert watcher is not None
        watcher(_progress(500, 20.0, endpoints=(endpoint,), per_s=25.0, left_s=20.0))
    drawn = capsys.readouterr().err
    assert "500/1,000" in drawn
    for word in ("25/s", "12 of 16", "to go"):
        assert word in drawn


def _drawn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *told: Progress) -> str:
    """What a terminal of 80 columns is sent, without its escape sequences."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    with watching(quiet=False) as watcher:
        assert watcher is not None
        for progress in told:
            watcher(progress)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)


def test_a_terminal_of_80_columns_shows_it_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint = EndpointState("http://a/v1", 31, 32, 0.0)
    told = Progress(671, 1000, 0, 0, 0, 700, 0.0429, 10.0, (endpoint,), per_s=69.0, left_s=5.0)
    assert "671/1,000 69/s  31 of 32 calls  $0.043  0:10, 0:05 to go" in _drawn(monkeypatch, capsys, told)


def test_nothing_is_said_of_a_total_before_it_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "/" not in _drawn(monkeypatch, capsys)


@pytest.mark.parametrize("on_a_terminal", [True, False])
def test_the_first_ctrl_c_is_answered_at_once_and_once(
    on_a_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: on_a_terminal)
    monkeypatch.setenv("COLUMNS", "100")
    ends = _progress(5, 0.1, endpoints=(EndpointState("http://a", 32, 32, 0.0),), stopping="interrupted")
    with watching(quiet=False) as watcher:
        assert watcher is not None
        for progress in (_progress(5, 0.0), ends, ends):
            watcher(progress)
    said = "stopping: 32 calls under way have 4 s to finish; Ctrl-C again breaks them off\n"
    assert capsys.readouterr().err.count(said) == 1


def test_a_run_that_ends_by_its_deadline_says_so() -> None:
    ends = _progress(5, 0.1, endpoints=(EndpointState("http://a", 1, 32, 0.0),), stopping="limits.run_deadline_s: …")
    assert stopping(ends) == "limits.run_deadline_s: …; stopping: 1 call under way has 4 s to finish"


def test_nobody_reading_standard_error_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*args: Any, **options: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("haetae.cli.progress.click.echo", gone)
    with watching(quiet=False) as watcher:
        assert watcher is not None
        watcher(_progress(1, 1.0))
