"""haetae cache, cache prune and backup, as people and scripts call them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def home(shop: Any) -> Path:
    """Where the shop keeps its ledger, with three finished runs in it."""
    for _ in range(3):
        assert shop.call("run", str(shop.suite), "--quiet").code in (0, 3)
    return shop.folder.with_name("home")  # type: ignore[no-any-return]  # HAETAE_HOME of the fixture


def runs_of(shop: Any) -> list[str]:
    return [row["run"] for row in shop.call("list", "runs", "--json").json]


def test_the_cache_says_what_is_kept_and_how_large_it_is(shop: Any, home: Path) -> None:
    (home / "datasets").mkdir()
    (home / "datasets" / "d.jsonl").write_bytes(bytes(5000))
    (home / "wandb" / "offline-run").mkdir(parents=True)
    (home / "wandb" / "offline-run" / "run.wandb").write_bytes(bytes(700))
    said = shop.call("cache", "--json").json
    assert said["bytes"]["ledger"] == (home / "ledger.db").stat().st_size
    (home / "given").mkdir()
    (home / "given" / "rows.jsonl").write_bytes(bytes(60))
    (home / "ledger.db.pace").write_bytes(bytes(40))
    more = shop.call("cache", "--json").json["bytes"]
    assert (more["rows handed over by running programs"], more["pace of endpoints"]) == (60, 40)
    assert (said["bytes"]["registered datasets"], said["bytes"]["W&B's own store"]) == (5000, 700)
    held = said["holds"]
    assert (held["runs"], held["answers"], held["reusable_answers"]) == (3, 3 * held["samples"], 0)
    assert said["saved_by"] == []
    text = shop.call("cache").out
    assert [line.split()[:2] for line in text.splitlines()[:2]] == [[str(home)], ["in", "all"]]
    assert "registered datasets 5.0 kB" in " ".join(text.split())
    assert "3 runs" in text
    assert "nothing was reused so far" in text


def test_where_there_is_no_ledger_yet_none_is_made_by_looking(shop: Any) -> None:
    said = shop.call("cache")
    assert (said.code, "no ledger yet" in said.err) == (3, True)
    assert not shop.folder.with_name("home").exists()


def test_a_list_that_is_cut_says_how_to_see_more(shop: Any, home: Path) -> None:
    assert shop.call("list", "runs", "--limit", "2").out.endswith("and more: haetae list runs --limit 4\n")
    assert len(shop.call("list", "runs", "--limit", "2", "--json").json) == 2
    assert "and more" not in shop.call("list", "runs", "--limit", "3").out


def test_a_run_that_was_killed_is_not_shown_as_running(shop: Any, home: Path) -> None:
    with closing(sqlite3.connect(home / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE run SET status = 'running', finished_at = NULL WHERE id = 'shop.3'")
    assert "shop.3  killed (haetae resume shop.3)  " in shop.call("list", "runs").out
    assert [row["status"] for row in shop.call("list", "runs", "--json").json] == ["killed", "finished", "finished"]
    assert shop.call("show", "shop.3").out.startswith("shop.3  killed  ")
    assert "go on with it: haetae resume shop.3" in shop.call("show", "shop.3").out
    assert shop.call("show", "shop.3", "--json").json["status"] == "killed"


def test_a_prune_shows_what_it_would_do_and_does_it_when_told(shop: Any, home: Path) -> None:
    first, second, third = sorted(runs_of(shop))
    shown = shop.call("cache", "prune", "--keep-last", "1", "--dry-run")
    assert (shown.code, runs_of(shop)) == (0, [third, second, first])
    assert f"to delete (2):\n  {first}  finished" in shown.out
    unasked = shop.call("cache", "prune", "--keep-last", "1")
    assert (unasked.code, len(runs_of(shop))) == (2, 3)
    assert "nothing was deleted: add --yes" in unasked.err
    assert "Usage:" not in unasked.err
    done = shop.call("cache", "prune", "--keep-last", "1", "--yes")
    assert done.code == 0
    assert "deleted: 2 runs, " in done.out
    assert runs_of(shop) == [third]
    assert shop.call("show", first).code == 2
    assert shop.call("show", third).code == 0


def test_a_prune_says_what_it_keeps_and_why(shop: Any, home: Path) -> None:
    first, second, third = sorted(runs_of(shop))
    shop.call("promote", first)
    said = shop.call("cache", "prune", "--suite", "shop", "--yes", "--json").json
    assert said["runs"] == [second]
    assert said["kept"] == {first: "it is the baseline 'production'", third: "it is the last finished run of its suite"}
    assert said["deleted"]["run"] == 1
    again = shop.call("cache", "prune", "--run", first, "--run", third, "--yes")
    assert "no run to delete\nkept (2):" in again.out
    assert runs_of(shop) == [third, first]


def test_no_run_is_older_than_its_first_day(shop: Any, home: Path) -> None:
    assert shop.call("cache", "prune", "--older-than", "1d", "--yes", "--json").json["runs"] == []


def test_the_space_of_deleted_runs_is_given_back_when_asked(shop: Any, home: Path) -> None:
    before = (home / "ledger.db").stat().st_size
    said = shop.call("cache", "prune", "--keep-last", "1", "--compact", "--yes", "--json").json
    was, now = said["compacted_bytes"]
    assert (was, now) == (before, (home / "ledger.db").stat().st_size)
    assert now < before
    assert shop.call("cache", "--json").json["bytes_to_reuse"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say which runs: --older-than 90d"),
        (("--dry-run",), "say which runs: --older-than 90d"),
        (("--older-than", "3 months"), "is not an age; write days, weeks or hours"),
        (("--older-than", "0d"), "is not an age"),
        (("--keep-last", "-1"), "-1 is not in the range"),
        (("--run", "shop.1", "--suite", "shop"), "--run names runs one by one"),
        (("--suite", "other", "--yes"), "no run of suite 'other'; there are: shop"),
    ],
)
def test_a_prune_that_does_not_say_which_runs_deletes_none(
    shop: Any, home: Path, arguments: tuple[str, ...], said: str
) -> None:
    found = shop.call("cache", "prune", *arguments)
    assert (found.code, len(runs_of(shop))) == (2, 3)
    assert said in found.err


def test_a_backup_is_a_whole_ledger_beside_the_first_or_where_it_is_told(shop: Any, home: Path) -> None:
    said = shop.call("backup", "--json").json
    assert said["file"] == str(home / "ledger.db.bak")
    assert said["rows"]["run"] == 3
    there = home / "copies" / "monday.db"
    assert f"{there}: " in shop.call("backup", str(there)).out
    for copy in (home / "ledger.db.bak", there):
        with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)) as ledger:
            assert ledger.execute("SELECT count(*) FROM run").fetchone() == (3,)
    assert shop.call("cache", "--json").json["bytes"]["copies of the ledger"] == said["bytes"]


def test_a_ledger_is_never_backed_up_over_itself(shop: Any, home: Path) -> None:
    for name in ("ledger.db", "ledger.db-wal"):
        said = shop.call("backup", str(home / name))
        assert (said.code, "is the ledger itself" in said.err) == (2, True)
    assert len(runs_of(shop)) == 3
