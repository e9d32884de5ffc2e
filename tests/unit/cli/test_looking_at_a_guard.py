"""haetae guard report: the table of stages for people, and one document for scripts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SHIPPED = Path(__file__).parents[3] / "datasets" / "guard"


@pytest.fixture
def guarded(tmp_path: Path, haetae: Callable[..., Any]) -> Callable[..., Any]:
    """The suite that ships, run once; further commands go through what this returns."""
    folder = tmp_path / "guard"
    shutil.copytree(SHIPPED, folder)
    (folder / "pyproject.toml").touch()
    assert haetae("run", folder / "suite.yaml", "--quiet").code == 3  # no baseline yet
    return haetae


def test_the_table_has_a_row_for_each_stage_and_the_whole(guarded: Callable[..., Any]) -> None:
    said = guarded("guard", "report", "guard.1")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == "guard.1: what has label = harmful should be blocked"
    names = [line.split()[0] for line in lines[3:8]]
    assert names == ["allowed", "private-data", "injection", "words", "(cascade)"]


def test_the_document_holds_the_counts_behind_the_table(guarded: Callable[..., Any]) -> None:
    found = guarded("guard", "report", "guard.1", "--json").json
    whole = found["cascade"]
    rows = [json.loads(line) for line in (SHIPPED / "samples.jsonl").read_text("utf-8").splitlines()]
    assert whole["reached"] == len(rows) >= 60
    harmful = sum(row["metadata"]["label"] == "harmful" for row in rows)
    assert whole["caught"] + whole["missed"] == harmful
    assert sum(stage["caught"] for stage in found["stages"]) == whole["caught"]
    assert sum(stage["decided"] for stage in found["stages"]) < len(rows)
    assert found["stages"][0]["reached"] == len(rows)
    for earlier, later in zip(found["stages"], found["stages"][1:], strict=False):
        assert later["reached"] == earlier["reached"] - earlier["decided"]


def test_the_rules_that_ship_find_both_languages_and_are_not_perfect(guarded: Callable[..., Any]) -> None:
    shown = guarded("show", "guard.1", "--json").json
    recall = {one["slice"]: one["value"] for one in shown["estimates"] if one["metric"] == "recall"}
    for language in ("language=en", "language=ko"):
        assert 0.5 < recall[language] < 1
    assert 0 < next(one["value"] for one in shown["estimates"] if one["metric"] == "false_alarms") < 0.3


def test_the_label_may_be_named_another_way(guarded: Callable[..., Any]) -> None:
    turned = guarded("guard", "report", "guard.1", "--positive", "harmless", "--json").json
    plain = guarded("guard", "report", "guard.1", "--json").json
    assert turned["cascade"]["caught"] == plain["cascade"]["wronged"]
    assert turned["positive"] == "harmless"
    true = guarded("guard", "report", "guard.1", "--positive", "true", "--json").json
    assert (true["positive"], true["cascade"]["caught"]) == (True, 0)  # as YAML reads it: no label is true


def test_a_run_without_a_guard_is_told_so(shop: Any) -> None:
    shop.call("run", shop.suite, "--quiet")
    said = shop.call("guard", "report", "shop.1", "--label", "language", "--positive", "ko")
    assert said.code == 2
    assert "no stage of its answers decides anything" in said.err
    assert shop.call("guard", "report", "nobody.1").code in (2, 3)
