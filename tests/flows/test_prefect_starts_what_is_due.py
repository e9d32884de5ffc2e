"""Prefect's own cron starts a flow once for every time that is due here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from haetae.core.calendar import due_between

pytestmark = pytest.mark.real
BEGIN, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)


def started(cron: str, zone: str) -> Iterator[datetime]:
    """The times at which Prefect would start, over ten years; it looks a thousand ahead at most."""
    from prefect.server.schemas.schedules import CronSchedule

    schedule, after = CronSchedule(cron=cron, timezone=zone), BEGIN
    while part := sorted(schedule._get_dates_generator(n=900, start=after, end=END)):
        yield from (moment.astimezone(UTC) for moment in part)
        after = part[-1].astimezone(UTC) + timedelta(seconds=1)


@pytest.mark.parametrize("zone", ["Asia/Seoul", "Europe/London", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("time", ["30 1", "15 2", "0 3"])
def test_every_time_is_started_once_and_within_the_hour(zone: str, time: str) -> None:  # SCH-01, SCH-02, SCH-03
    """Where a clock leaves a time out Prefect keeps the distance to it, on one side of the gap or on the other."""
    cron = f"{time} * * *"
    due = list(due_between(cron, zone, BEGIN - timedelta(seconds=1), END))
    late = [start - moment for start, moment in zip(started(cron, zone), due, strict=True)]
    assert max(map(abs, late)) <= timedelta(hours=1)
    assert sum(gap != timedelta(0) for gap in late) in (0, 10)
