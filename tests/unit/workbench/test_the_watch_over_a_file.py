"""The watch over the runs of a plain file of scores."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from haetae.errors import ConfigError
from haetae.workbench.scores.watch import watch_file

Write = Callable[..., Path]


@pytest.fixture
def history(tmp_path: Path) -> Write:
    """A file of nights of 200 samples; `level` gives the share that is right in a night and language."""

    def write(
        level: Callable[[int, str], float], nights: int = 12, metric: str = "right", more: Sequence[Any] = ()
    ) -> Path:
        random, rows = Random(3), []  # noqa: S311  # a test's noise, not a secret
        for night in range(nights):
            for n in range(200):
                language = "ko" if n % 4 == 0 else "en"
                right = float(n // 4 < 50 * level(night, language))
                score = 1 - right if random.random() < 0.02 else right
                row = {"suite": "shop", "run": f"night {night}", "id": f"s{n}", "metric": metric, "score": score}
                rows.append({**row, "tags": {"language": language}})
        path = tmp_path / "h.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *more]), "utf-8")
        return path

    return write


def test_quiet_nights_raise_no_alarm(history: Write) -> None:
    said = watch_file(history(lambda night, language: 0.9), 1.0)
    assert (said.alarms, said.exit_code, said.nights) == ((), 0, {"shop": 12})
    assert "No alarm" in said.text


def test_a_drop_names_its_night_and_its_slice(history: Write) -> None:
    said = watch_file(history(lambda night, language: 0.5 if night >= 9 and language == "ko" else 0.9, 10), 1.0)
    (found,) = said.as_json()["alarms"]
    assert (found["suite"], found["metric"]) == ("shop", "right")
    assert (found["detected_at_run"], found["changed_at_run"]) == ("night 9", "night 9")
    assert found["delta"] == pytest.approx(-0.1, abs=0.03)  # 0.4 of a quarter
    assert found["slices"] == ["language=ko"]
    assert said.exit_code == 1
    assert "right of shop fell by 9" in said.text
    assert " points since night 9" in said.text
    assert "since night 9, mostly in language=ko" in said.text


def test_a_drop_that_is_the_same_everywhere_lies_in_no_slice_of_it(history: Write) -> None:
    said = watch_file(history(lambda night, language: 0.5 if night >= 9 else 0.9, 10), 1.0)
    assert said.as_json()["alarms"][0]["slices"]
    assert "mostly" not in said.text


def test_an_alarm_of_an_earlier_night_still_stands(history: Write) -> None:
    said = watch_file(history(lambda night, language: 0.7 if night >= 6 else 0.9), 1.0)
    assert [found.alarm.changed_at for found in said.alarms] == ["night 6"]
    assert (said.alarms[0].newest, said.alarms[0].stands, said.exit_code) == (False, True, 1)
    said = watch_file(history(lambda night, language: 0.7 if 6 <= night < 9 else 0.9), 1.0)
    assert [found.alarm.recovered_at for found in said.alarms] == ["night 9"]
    assert said.exit_code == 0


def test_what_is_better_lower_falls_when_it_rises(history: Write) -> None:
    path = history(lambda night, language: 0.9 if night >= 11 else 0.7, metric="errors")
    assert watch_file(path, 1.0).alarms == ()
    (found,) = watch_file(path, 1.0, ["errors"]).alarms
    assert found.alarm.delta > 0
    assert found.sentence.startswith("errors of shop rose by 2")
    assert " points since night 11" in found.sentence
    with pytest.raises(ConfigError, match=r"no metric 'erors' in .*; did you mean errors\?"):
        watch_file(path, 1.0, ["erors"])


def test_a_smaller_budget_and_more_streams_ask_for_more_evidence(history: Write) -> None:
    def level(night: int, language: str) -> float:
        return 0.88 if night == 11 else 0.9

    assert watch_file(history(level), 20.0).alarms
    assert watch_file(history(level), 0.001).alarms == ()


def test_one_run_is_no_history(history: Write) -> None:
    said = watch_file(history(lambda night, language: 0.9, 1), 1.0)
    assert said.exit_code == 3
    assert said.notes == ("shop: one run alone; two are the least to watch",)


def test_a_metric_that_is_gone_from_the_newest_run_is_not_quiet(history: Write) -> None:  # GAT-12
    row = {"suite": "shop", "run": "last", "id": "s0", "metric": "renamed", "score": 1}
    said = watch_file(history(lambda night, language: 0.9, more=[row]), 1.0)
    assert said.blind == ("right of shop: not in the newest run, last; last in night 11",)
    assert said.exit_code == 3


def test_a_newest_run_that_could_not_be_judged_is_not_quiet(history: Write) -> None:  # JDG-16
    row = {"suite": "shop", "run": "last", "metric": "right"}
    rows = [{**row, "id": f"s{n}", "score": None if n < 11 else 1} for n in range(200)]
    said = watch_file(history(lambda night, language: 1.0, more=rows), 1.0)
    assert said.blind == ("right of shop: last has 189 of 200 scores",)
    assert said.exit_code == 3


def test_a_newest_run_of_few_or_other_samples_is_not_quiet(history: Write) -> None:
    """What it lacks counts as it was before, so nothing could fall."""
    row = {"suite": "shop", "run": "last", "metric": "right", "score": 1}
    for ids, there in ([f"s{n}" for n in range(10)], 10), ([f"new{n}" for n in range(200)], 0):
        said = watch_file(history(lambda night, language: 0.9, more=[{**row, "id": name} for name in ids]), 1.0)
        told = f"right of shop: last has scores of {there} of the 200 samples that night 0 began with"
        assert (said.blind, said.exit_code) == ((told,), 3)
        assert "No alarm" not in said.text


def test_samples_that_the_first_run_lacks_are_said_not_to_be_watched(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    rows = [
        {"suite": "shop", "run": f"night {night}", "id": f"s{n}", "metric": "right", "score": int(night < 9)}
        for night in range(10)
        for n in range(3 if night == 0 else 100)
        if night < 9 or n > 2
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert watch_file(path, 1.0).exit_code == 3
    more = [{**row, "id": f"s{n}", "run": "night 9", "score": 1} for row in rows[:1] for n in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *more]), "utf-8")
    told = "right of shop: night 0 has no score of 97 of the 100 samples of night 9: they are not watched"
    said = watch_file(path, 1.0)
    assert (said.blind, said.exit_code) == ((told,), 3)


def test_one_sample_alone_is_not_watched(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    rows = [{"suite": "s", "run": night, "id": "a", "metric": "right", "score": int(night < 9)} for night in range(10)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    said = watch_file(path, 1.0)
    assert said.blind == ("right of s: 0 has one sample; two are the least to watch",)
    assert said.exit_code == 3
