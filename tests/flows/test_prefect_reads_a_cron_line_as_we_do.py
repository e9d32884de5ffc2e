"""Every cron line that a suite may have starts it in Prefect at each time at which it is due."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from prefect.server.schemas.schedules import CronSchedule

from haetae.core.calendar import cron_fault, due_between

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


@st.composite
def fields(draw: st.DrawFn, low: int, high: int, names: tuple[str, ...] = (), more: tuple[str, ...] = ()) -> str:
    """`*`, or a list of numbers, names, ranges and steps."""
    number = st.integers(low, high).map(str)
    one = st.one_of(number, st.sampled_from(names)) if names else number
    span = st.lists(st.integers(low, high), min_size=2, max_size=2).map(lambda ends: f"{min(ends)}-{max(ends)}")
    step = st.tuples(st.one_of(st.just("*"), span, one), st.integers(1, 31)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    item = st.one_of(one, span, step, st.sampled_from(["*", *more]))
    return draw(st.one_of(st.just("*"), st.lists(item, min_size=1, max_size=3).map(",".join)))


def left_out(cron: str, begin: datetime, end: datetime) -> set[datetime]:
    """Times that are due and that Prefect does not know; it is asked for a thousand at most."""
    prefect = asyncio.run(CronSchedule(cron=cron, timezone="UTC").get_dates(1000, begin, end))
    return set(due_between(cron, "UTC", begin, end)) - {datetime.fromisoformat(at.isoformat()) for at in prefect}


@settings(max_examples=150, deadline=None)
@given(
    day=fields(1, 31, more=("L",)),
    month=fields(1, 12, tuple(MONTHS)),
    weekday=fields(0, 7, tuple(DAYS), tuple(f"{day}#{nth}" for day in ("MON", "5", "0") for nth in (1, 2, 5))),
    year=st.integers(2023, 2027),
)
@example(day="*/3", month="*", weekday="*", year=2024)
@example(day="1,31", month="*", weekday="*", year=2025)
@example(day="2,31", month="*", weekday="*", year=2023)
@example(day="2,30", month="*", weekday="*", year=2023)
@example(day="2,30,31", month="*", weekday="*", year=2023)
@example(day="2,30,31", month="*", weekday="*", year=2024)
@example(day="3,31", month="*", weekday="*", year=2023)
@example(day="15", month="*", weekday="5#2", year=2025)
@example(day="*", month="*", weekday="MON#2,FRI", year=2025)
@example(day="*", month="DEC/5", weekday="*", year=2025)
@example(day="*", month="*", weekday="SUN#1,3#5", year=2025)
@example(day="1-31", month="*", weekday="1", year=2025)
def test_no_day_that_is_due_is_left_out(day: str, month: str, weekday: str, year: int) -> None:
    cron = f"30 6 {day} {month} {weekday}"
    assume(cron_fault(cron) is None)
    assert left_out(cron, datetime(year, 1, 1, tzinfo=UTC), datetime(year + 2, 1, 1, tzinfo=UTC)) == set()


@settings(max_examples=150, deadline=None)
@given(minute=fields(0, 59), hour=fields(0, 23))
@example(minute="59/2", hour="6")
@example(minute="5", hour="23/2")
def test_no_minute_that_is_due_is_left_out(minute: str, hour: str) -> None:
    cron = f"{minute} {hour} * * *"
    assume(cron_fault(cron) is None)
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    every = list(due_between(cron, "UTC", begin, begin + timedelta(days=2)))
    assert left_out(cron, begin, min(begin + timedelta(days=2), every[min(len(every), 900) - 1])) == set()
