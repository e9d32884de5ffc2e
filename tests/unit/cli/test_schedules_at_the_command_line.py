"""schedule preview and schedule run."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from haetae.core.turn import TakenTurn
from haetae.workbench.bench import Workbench

SCHEDULE = 'schedule: { cron: "0 6 * * *", timezone: Asia/Seoul }\n'


def test_the_next_times_are_listed_by_both_clocks(haetae: Any, shop: Any) -> None:  # SCH-04, SCH-05
    shop.write(60)
    shop.suite.write_text(shop.suite.read_text() + SCHEDULE)
    said = haetae("schedule", "preview", "--count", "2", "--after", "2026-11-27 12:00:00")
    assert said.code == 0
    assert said.out.splitlines() == [
        "shop  2026-11-28 06:00 Asia/Seoul (2026-11-27 21:00 UTC)",
        "shop  2026-11-29 06:00 Asia/Seoul (2026-11-28 21:00 UTC)",
    ]
    found = haetae("schedule", "preview", str(shop.suite), "--count", "1", "--after", "2026-11-27 12:00:00", "--json")
    assert found.json == [{"suite": "shop", "at": "2026-11-27T21:00:00+00:00", "timezone": "Asia/Seoul"}]


def test_a_preview_ends_with_the_calendar(haetae: Any, shop: Any) -> None:
    shop.write(60)
    shop.suite.write_text(shop.suite.read_text() + SCHEDULE)
    said = haetae("schedule", "preview", "--count", "9", "--after", "9999-12-29 00:00:00")
    assert said.code == 0
    assert said.out.splitlines()[-1].startswith("shop  9999-12-31 06:00 Asia/Seoul")
    said = haetae("schedule", "preview", "--after", "9999-12-31 23:00:00")
    assert said.out == "nothing comes due between 9999-12-31 23:00 UTC and the end of the year 9999\n"
    assert haetae("schedule", "preview", "--after", "9999-12-31 23:00:00", "--json").json == []


def test_a_wrong_schedule_is_told_at_its_line(haetae: Any, shop: Any) -> None:  # SCH-12
    shop.write(60)
    shop.suite.write_text(shop.suite.read_text() + 'schedule: { cron: "61 * * * *", timezone: Asia/Seul }\n')
    for command in (("schedule", "preview"), ("check", str(shop.suite)), ("schedule", "run")):
        said = haetae(*command)
        assert said.code == 2
        assert "suite.yaml:9:" in said.err
        assert "the minute of '61 * * * *' is '61'" in said.err
        assert "did you mean 'Asia/Seoul'?" in said.err


def test_what_is_due_is_run_and_the_worst_verdict_is_the_exit_code(haetae: Any, shop: Any) -> None:
    shop.write(60)
    shop.suite.write_text(shop.suite.read_text() + 'schedule: { cron: "* * * * *" }\n')
    first = haetae("schedule", "run", "--quiet")
    assert first.code == 3  # it has no baseline yet
    assert "shop.1" in first.out


def test_beside_a_scheduled_run_none_is_started_by_hand(haetae: Any, shop: Any) -> None:  # SCH-15
    shop.write(60)
    with Workbench() as bench:
        assert bench.ledger.take_turn("shop", datetime.now(UTC)).came is TakenTurn.TAKEN
        for command in ("run", "gate"):
            said = haetae(command, str(shop.suite), "--quiet")
            assert said.code == 3
            assert f"shop is being run by its schedule, by process {os.getpid()} on" in said.err
            assert "wait for that to end" in said.err
        bench.ledger.end_turn("shop", served=True)
    assert haetae("run", str(shop.suite), "--quiet").out.startswith("shop.1")


def test_what_is_unchanged_is_not_run_and_has_the_exit_code_of_its_run(haetae: Any, shop: Any) -> None:
    shop.write(60)
    every_minute = shop.suite.read_text() + 'schedule: { cron: "* * * * *" }\n'
    shop.suite.write_text(every_minute)
    assert haetae("run", str(shop.suite), "--quiet").code == 3  # it has no baseline yet
    haetae("promote", "shop.1")
    shop.write(30)
    assert haetae("run", str(shop.suite), "--quiet").code == 1
    said = haetae("schedule", "run", "--quiet", "--json")
    assert said.code == 1
    (document,) = said.json
    assert (document["run"], document["unchanged_since"], document["verdict"]) == (None, "shop.2", "regression")
    assert document["why"].startswith("unchanged since shop.2: the same answers and scores would come out")
    assert len(haetae("list", "runs", "--json").json) == 2


def test_nothing_due_is_no_failure(haetae: Any, shop: Any) -> None:
    shop.write(60)
    shop.suite.write_text(shop.suite.read_text() + 'schedule: { cron: "0 0 29 2 *" }\n')
    said = haetae("schedule", "run", "--quiet")
    assert said.code == 0
    assert said.out.startswith("shop: nothing is due; due next at 20")


def test_a_suite_that_is_wrong_takes_no_turn_from_the_next(haetae: Any, shop: Any) -> None:
    shop.write(60)
    every_minute = shop.suite.read_text() + 'schedule: { cron: "* * * * *" }\n'
    shop.suite.write_text(every_minute)
    other = shop.folder / "a.yaml"
    other.write_text(every_minute.replace("suite: shop", "suite: a").replace("samples.jsonl", "gone.jsonl"))
    said = haetae("schedule", "run", "--quiet", "--json")
    assert said.code == 2
    assert "haetae: a: " in said.err
    assert "gone.jsonl" in said.err
    assert [document["suite"] for document in said.json] == ["shop"]


def test_a_file_that_is_no_yaml_takes_no_turn_from_the_others(haetae: Any, shop: Any) -> None:
    shop.write(60)
    shop.suite.write_text(shop.suite.read_text() + 'schedule: { cron: "* * * * *" }\n')
    (shop.folder / "z.yaml").write_text("suite: draft\ndataset: [\n")
    said = haetae("schedule", "run", "--quiet", "--json")
    assert said.code == 2
    assert "z.yaml" in said.err
    assert [document["suite"] for document in said.json] == ["shop"]
    assert haetae("schedule", "preview").code == 2


def test_a_folder_without_schedules_is_told_so(haetae: Any, shop: Any) -> None:
    said = haetae("schedule", "preview")
    assert said.code == 2
    assert "no suite with a schedule in ." in said.err
