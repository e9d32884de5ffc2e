"""A cron line in a time zone: on every day of ten years, on the days on which clocks change as well."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haetae.core.calendar import comes_due, cron_fault, due_between, zone_fault

ZONES = ("Asia/Seoul", "Europe/London", "America/New_York", "Australia/Lord_Howe")
BEGIN, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)
STARTS = st.integers(0, 5 * 366 * 24 * 60).map(lambda minutes: BEGIN + timedelta(minutes=minutes))


def local(zone: str, cron: str, after: str, count: int = 2) -> list[str]:
    """The next times as the zone's clock shows them, with its offset."""
    start = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    found = islice(comes_due(cron, zone, start), count)
    return [due.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes") for due in found]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("time", ["30 0", "0 1", "30 1", "45 1", "0 2", "15 2", "30 2", "59 2", "0 3", "30 12"])
def test_what_is_due_daily_comes_once_on_every_day_of_ten_years(zone: str, time: str) -> None:  # SCH-01, SCH-02
    there = ZoneInfo(zone)
    days = Counter(due.astimezone(there).date() for due in due_between(f"{time} * * *", zone, BEGIN, END))
    first, last = BEGIN.astimezone(there).date(), END.astimezone(there).date()
    between = [first + timedelta(days=n) for n in range(1, (last - first).days)]
    assert [day for day in between if days[day] != 1] == []


@pytest.mark.parametrize("zone", ZONES)
def test_what_is_due_every_hour_comes_in_every_hour_that_passes(zone: str) -> None:
    found = list(due_between("0 * * * *", zone, BEGIN, BEGIN + timedelta(days=800)))
    gaps = Counter(later - earlier for earlier, later in pairwise(found))
    half = timedelta(minutes=30)
    assert set(gaps) - {timedelta(hours=1)} <= ({half, 3 * half} if zone == "Australia/Lord_Howe" else set())
    assert gaps[timedelta(hours=1)] >= 800 * 24 - 20


@pytest.mark.parametrize("zone", [*ZONES, "Pacific/Chatham"])  # there the clock is set back from 03:45 to 02:45
@pytest.mark.parametrize(
    ("hours", "shown"),
    [("3", {3}), ("*/2", set(range(0, 24, 2))), ("1-3", {1, 2, 3}), ("23", {23}), ("*", set(range(24)))],
)
def test_a_line_that_follows_the_hours_comes_whenever_the_clock_shows_such_a_time(
    zone: str, hours: str, shown: set[int]
) -> None:
    there = ZoneInfo(zone)
    for start in (datetime(2027, month, day, tzinfo=UTC) for month in (3, 4, 9, 10, 11) for day in (1, 12, 24)):
        end = start + timedelta(days=13)
        quarters = [start + timedelta(minutes=15 * n) for n in range(1, 13 * 96 + 1)]
        expected = [at for at in quarters if (local := at.astimezone(there)).hour in shown and local.minute % 15 == 0]
        assert list(due_between(f"*/15 {hours} * * *", zone, start, end)) == expected


def test_a_time_that_the_clock_leaves_out_comes_at_the_first_minute_after() -> None:  # SCH-01
    assert local("America/New_York", "30 2 * * *", "2026-03-07T12:00") == [
        "2026-03-08T03:00-04:00",
        "2026-03-09T02:30-04:00",
    ]
    assert local("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00", 1) == ["2026-10-04T02:30+11:00"]


def test_two_times_that_the_clock_leaves_out_come_due_together_once() -> None:
    assert local("America/New_York", "10,40 2 * * *", "2026-03-07T12:00", 2) == [
        "2026-03-08T03:00-04:00",
        "2026-03-09T02:10-04:00",
    ]


def test_a_time_that_comes_twice_is_due_the_first_time() -> None:  # SCH-02
    assert local("Europe/London", "30 1 * * *", "2026-10-24T12:00") == [
        "2026-10-25T01:30+01:00",
        "2026-10-26T01:30+00:00",
    ]


def test_who_asks_within_the_hour_that_comes_twice_is_not_told_of_what_is_past() -> None:
    second = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 01:10 for the second time
    assert next(comes_due("30 1 * * *", "Europe/London", second)) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_seoul_is_served_at_seouls_time_whatever_the_server_shows() -> None:  # SCH-04
    assert next(comes_due("0 6 * * *", "Asia/Seoul", datetime(2026, 11, 27, 20, 59, tzinfo=UTC))) == datetime(
        2026, 11, 27, 21, 0, tzinfo=UTC
    )


def test_a_day_that_a_month_lacks_is_passed_over() -> None:  # SCH-05
    found = islice(comes_due("0 0 31 * *", "UTC", datetime(2026, 1, 1, tzinfo=UTC)), 4)
    assert [due.date() for due in found] == [date(2026, month, 31) for month in (1, 3, 5, 7)]
    assert next(comes_due("0 0 29 2 *", "UTC", datetime(2026, 1, 1, tzinfo=UTC))).date() == date(2028, 2, 29)


@given(
    start=STARTS,
    zone=st.sampled_from(ZONES),
    cron=st.sampled_from(["*/7 * * * *", "30 1,2 * * *", "0,30 0-3 * * 0", "15 2 1-7 * 0", "0 */5 * * *"]),
)
def test_times_are_in_order_each_once_and_after_what_was_asked(start: datetime, zone: str, cron: str) -> None:
    found = list(islice(comes_due(cron, zone, start), 30))
    assert all(earlier < later for earlier, later in pairwise([start, *found]))


@given(start=STARTS, zone=st.sampled_from(ZONES))
def test_nothing_between_two_times_is_forgotten_by_who_asks_in_between(start: datetime, zone: str) -> None:
    first, second = islice(comes_due("30 1,2 * * *", zone, start), 2)
    assert next(comes_due("30 1,2 * * *", zone, first)) == second


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York"])
def test_nothing_comes_due_after_the_end_of_the_calendar(zone: str) -> None:
    last = list(comes_due("0 6 * * *", zone, datetime(9999, 12, 25, tzinfo=UTC)))
    assert 4 <= len(last) <= 7
    assert list(comes_due("* * * * *", zone, datetime(9999, 12, 31, 23, 59, tzinfo=UTC))) == []


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        next(comes_due("0 6 * * *", "UTC", BEGIN.replace(tzinfo=None)))


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("61 * * * *", "the minute of '61 * * * *' is '61'; expected 0-59"),
        ("0 24 * * *", "the hour of '0 24 * * *' is '24'; expected 0-23"),
        ("0 6 0 * *", "the day of month of '0 6 0 * *' is '0'; expected 1-31"),
        ("0 6 * 13 *", "the month of '0 6 * 13 *' is '13'; expected 1-12"),
        ("0 6 * * 8", "the day of week of '0 6 * * 8' is '8'; expected 0-7"),
        ("0 6 * *", "expected five fields (minute, hour, day of month, month, day of week), got 4"),
        ("0 0 6 * * *", "got 6 in '0 0 6 * * *'"),
        ("@daily", "write '0 0 * * *'"),
        ("0 0 31 2 *", "'0 0 31 2 *' never comes due"),
        ("0 6 LW * *", "the day of month of '0 6 LW * *' is 'LW'; expected 1-31, L"),
        ("0 6 * * 1L", "the day of week of '0 6 * * 1L' is '1L'; expected 0-7"),
        ("", "got 0 in ''"),
        ("0 6 * * MON#2,FRI", "the day of week of '0 6 * * MON#2,FRI' is 'MON#2,FRI', which Prefect does not read so"),
        ("0 6 15 * 5#2", "is '15', which Prefect does not read so; expected * where the day of week is 5#2"),
        ("0 6 1 * 1#1", "expected * where the day of week is 1#1"),
        ("0 6 1,*/10 * *", "expected the 1st and 2nd, or the 30th and 31st, but both only with the 29th"),
        ("0 6 11,* * 1", "expected * alone, or a list without it"),
        ("5-5 6 * * *", "the minute of '5-5 6 * * *' is '5-5', which Prefect does not read so; expected 5 in place"),
        ("0 6 * * 4/3", "expected a range or * before the step, in place of 4/3"),
        ("0 23/2 * * *", "expected a range or * before the step, in place of 23/2"),
    ],
)
def test_a_line_that_is_none_is_told_by_its_field(cron: str, said: str) -> None:  # SCH-12
    assert said in str(cron_fault(cron))


PREFECTS = ["0 6 * * MON#1,3#3", "0 6 */2 * 1", "0 6 1,11,21 * *", "0 6 1,31 1,12 *", "5/10 0/6 * * 1-5/2"]
"""Near what Prefect cannot read, and read by it."""


@pytest.mark.parametrize(
    "cron", ["0 6 * * *", "*/5 9-17 * * MON-FRI", "0 0 L * *", "30 2 1,15 1-6 *", "0 0 * * 7", *PREFECTS]
)
def test_a_line_that_is_one_has_no_fault(cron: str) -> None:
    assert cron_fault(cron) is None


def test_a_zone_that_is_none_is_told_with_the_nearest() -> None:  # SCH-12
    assert zone_fault("Asia/Seoul") is None
    assert zone_fault("Asia/Seul") == "there is no time zone 'Asia/Seul'; did you mean 'Asia/Seoul'?"
    assert "Asia/Seoul or UTC" in str(zone_fault("Nirgendwo"))


@pytest.mark.parametrize(
    ("name", "meant"),
    [("KST", "Asia/Seoul"), ("pst", "America/Los_Angeles"), ("seoul", "Asia/Seoul"), ("New_York", "America/New_York")],
)
def test_what_people_call_a_zone_is_answered_with_its_name(name: str, meant: str) -> None:  # SCH-12
    assert zone_fault(name) == f"there is no time zone {name!r}; did you mean {meant!r}?"


@pytest.mark.parametrize("name", ["localtime", "Factory"])
def test_a_clock_that_each_machine_has_its_own_of_is_no_zone(name: str) -> None:
    assert zone_fault(name) == f"{name!r} is another clock on every machine; name the zone, as Asia/Seoul or UTC are"
