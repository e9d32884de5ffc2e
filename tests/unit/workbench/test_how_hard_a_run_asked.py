"""The course of a run's limits in its report: silent as long as no endpoint pushed back."""

from __future__ import annotations

from haetae.core.run import LimitChange
from haetae.workbench.course import course_json, course_lines

HERE, THERE = "http://here/v1", "http://there/v1"
GROWN = [LimitChange(0.0, HERE, 32, "start"), LimitChange(0.4, HERE, 64, "it bears more")]
WAIT = "rate limited, asked to wait 1 s; then at most 480 calls a minute"


def test_a_run_that_nobody_slowed_says_nothing() -> None:
    assert course_lines([], "s.1") == []
    assert course_lines(GROWN, "s.1") == []


def test_what_lowered_a_limit_is_told_by_endpoint() -> None:
    course = [*GROWN, LimitChange(0.5, THERE, 32, "start"), LimitChange(1.25, HERE, 32, WAIT)]
    lines = [f"{HERE}: asked 32 to 64 calls at once", f"  0:01.2  down to 32 calls at once: {WAIT}"]
    assert course_lines(course, "s.1") == lines


def test_a_limit_that_stays_is_one_number() -> None:
    course = [LimitChange(0.0, HERE, 32, "start"), LimitChange(61.5, HERE, 32, WAIT)]
    lines = [f"{HERE}: asked 32 calls at once", f"  1:01.5  still 32 calls at once: {WAIT}"]
    assert course_lines(course, "s.1") == lines


def test_a_run_that_was_gone_on_with_says_where_times_begin_anew_and_repeats_no_start() -> None:
    again = [LimitChange(0.0, HERE, 16, "start"), LimitChange(2.0, HERE, 8, WAIT), LimitChange(3.0, HERE, 9, "freed")]
    assert course_lines([*GROWN, LimitChange(0.0, HERE, 32, "start")], "s.1") == []
    assert course_lines([*GROWN, *again], "s.1")[1:] == [
        f"  after going on, 0:02.0  down to 8 calls at once: {WAIT}",
        "  after going on, 0:03.0  up to 9 calls at once: freed",
    ]


def test_the_report_shows_the_first_changes_and_says_where_all_are() -> None:
    course = [*GROWN, *(LimitChange(float(n), HERE, 32, WAIT) for n in range(1, 31))]
    lines = course_lines(course, "s.1")
    assert len(lines) == 1 + 6 + 1
    assert lines[-1] == "  and 24 changes more: haetae show s.1 --json"
    assert len(course_json(course)) == 32
    assert course_json(course)[1] == {"at_s": 0.4, "endpoint": HERE, "limit": 64, "why": "it bears more"}
