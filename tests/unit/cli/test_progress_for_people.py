"""What a person sees of a run: a bar on a terminal, a few lines elsewhere, nothing when asked to be quiet."""

from __future__ import annotations

from typing import Any

import pytest

from haetae.cli.progress import details, watching
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
    endpoint = EndpointState("http://a/v1", 12, 16, 2.6)
    progress = Progress(5, 10, 1, 2, 3, 4, 0.5, 2.0, (endpoint,), retried=6, per_s=2.5, left_s=3723.0)
    assert details(progress) == (
        "2.5/s, 12 of 16 in flight (asked to wait 3 s), 1 failed, 2 unscored, 3 reused, 6 retried, $0.5000, "
        "0:02 so far, 1:02:03 to go"
    )


def test_what_is_left_of_a_budget_is_said_by_its_limits() -> None:
    progress = _progress(10, 1.0, budget_left={"usd": 1.5, "calls": 90.0})
    assert "$1.5000 of the budget left, 90 calls left" in details(progress)


def test_endpoints_are_named_where_there_are_several() -> None:
    two = (EndpointState("http://한국\x1b[2J", 1, 2, 0.0), EndpointState("http://b", 3, 4, 0.0))
    assert "1 of 2 in flight at http://한국\\x1b[2J, 3 of 4 in flight at http://b" in details(
        _progress(0, 1.0, endpoints=two)
    )


def test_waiting_for_the_first_answer_is_seen() -> None:
    waiting = _progress(0, 12.0, endpoints=(EndpointState("http://a", 64, 64, 0.0),))
    assert details(waiting) == "0/s, 64 of 64 in flight, 0 failed, 0 unscored, 0:12 so far"


def test_a_log_gets_a_line_for_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _lines([_progress(done, done / 1000) for done in range(1, 1001)], capsys)
    assert lines == ["1/1000", *(f"{done}/1000" for done in range(100, 1001, 100))]


def test_a_slow_run_is_not_silent_for_longer_than_half_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _lines([_progress(second // 60, float(second)) for second in range(121)], capsys)
    assert lines == ["0/1000", "0/1000", "1/1000", "1/1000", "2/1000"]


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
    assert "500/1000" in drawn
    for word in ("25/s", "in flight", "unscored", "to go"):
        assert word in drawn


def test_nobody_reading_standard_error_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*args: Any, **options: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("haetae.cli.progress.click.echo", gone)
    with watching(quiet=False) as watcher:
        assert watcher is not None
        watcher(_progress(1, 1.0))
