"""haetae monitor and haetae judge: what they print, what they write, and how they exit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Haetae = Callable[..., Any]

HEAVY = ("sqlalchemy", "sqlmodel", "pydantic", "pandas", "aiohttp", "scipy.stats")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write rows, and return the path."""

    def rows_to(name: str, rows: list[Any]) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return path

    return rows_to


def _history(levels: list[float], samples: int = 100) -> list[Any]:
    """Nights of which so many samples are right, the same ones but for two in each."""
    rows = []
    for night, level in enumerate(levels):
        for n in range(samples):
            right = (n < level * samples) != ((n + 7 * night) % samples in (3, 50))
            rows.append({"suite": "shop", "run": f"night-{night}", "id": f"s{n}", "metric": "ok", "score": int(right)})
    return rows


def _scores(scores: list[bool], **more: Any) -> list[Any]:
    return [{"id": f"s{n}", "metric": "right", "score": int(score), **more} for n, score in enumerate(scores)]


# monitor


def test_a_quiet_history_exits_with_0_and_an_alarm_of_its_newest_run_with_1(
    haetae: Haetae, write: Callable[..., Path], tmp_path: Path
) -> None:
    said = haetae("monitor", "--history", write("quiet.jsonl", _history([0.9] * 8)))
    assert said.code == 0
    assert "✓ No alarm." in said.out
    out = tmp_path / "out" / "alarms.json"
    path = write("fallen.jsonl", _history([0.9] * 8 + [0.7]))
    said = haetae("monitor", "--history", path, "--false-alarms-per-month", 1, "--json", out)
    assert said.code == 1
    assert "✗ ok of shop fell by 18.2 points since night-8 (new)" in said.out
    (alarm,) = json.loads(out.read_text())["alarms"]
    assert alarm.keys() >= {"suite", "metric", "detected_at_run", "changed_at_run", "delta", "slices"}
    assert (alarm["detected_at_run"], alarm["changed_at_run"]) == ("night-8", "night-8")
    said = haetae("monitor", "--history", write("past.jsonl", _history([0.9] * 8 + [0.7] * 2)))
    assert (said.code, "(still down)" in said.out) == (1, True)
    said = haetae("monitor", "--history", write("mended.jsonl", _history([0.9] * 8 + [0.7] * 2 + [0.9] * 3)))
    assert (said.code, "(recovered since night-10)" in said.out) == (0, True)


@pytest.mark.parametrize(
    ("rows", "code", "told"),
    [
        (_history([0.9]), 3, "shop: one run alone; two are the least to watch"),
        ([{"suite": "shop", "id": "a", "metric": "ok", "score": 1}], 2, "h.jsonl:1: run: missing"),
        ([], 2, "h.jsonl: holds no score"),
    ],
)
def test_what_cannot_be_watched_is_told(
    haetae: Haetae, write: Callable[..., Path], rows: list[Any], code: int, told: str
) -> None:
    said = haetae("monitor", "--history", write("h.jsonl", rows))
    assert said.code == code
    assert told in said.out + said.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--history", "none.jsonl"], "none.jsonl: cannot be read"),
        (["--history", "h.jsonl", "--suite", "shop"], "--suite goes with the ledger"),
        (["--lower-is-better", "cost"], "--lower-is-better goes with --history"),
        (["--false-alarms-per-month", "0"], "0.0 is not in the range"),
        (["--suite", "nobody"], "no suite 'nobody' has a run in this ledger; there are none"),
    ],
)
def test_wrong_input_of_the_monitor_exits_with_2(haetae: Haetae, arguments: list[str], told: str) -> None:
    said = haetae("monitor", *arguments)
    assert said.code == 2
    assert told in said.err


def test_a_document_never_takes_the_place_of_the_history(haetae: Haetae, write: Callable[..., Path]) -> None:
    path = write("h.json", _history([0.9] * 3))
    before = path.read_bytes()
    assert haetae("monitor", "--history", path, "--json", path).code == 2
    assert path.read_bytes() == before


def test_the_ledgers_scheduled_runs_are_watched(shop: Any) -> None:
    said = shop.call("monitor")
    assert said.code == 3
    assert "Watched: nothing; 1 false alarm a month for all of it." in said.out
    assert "no run yet" in said.out
    for right in (60, 60, 20):
        shop.write(right=right)
        shop.call("run", shop.suite, "--fresh", "--quiet", "--no-track")
    said = shop.call("monitor", "--suite", "shop", "--json")
    assert said.code == 1
    (alarm,) = said.json["alarms"]
    assert (alarm["metric"], alarm["detected_at_run"], alarm["newest"]) == ("right", "shop.3", True)
    assert alarm["delta"] == pytest.approx(-2 / 3)
    assert said.json["nights"] == {"shop": 3}


# judge


def test_files_give_an_estimate_with_its_interval(haetae: Haetae, write: Callable[..., Path], tmp_path: Path) -> None:
    judge = write("j.jsonl", _scores([n % 5 != 0 for n in range(200)]))
    human = write("h.jsonl", _scores([n % 7 != 0 for n in range(60)]))
    out = tmp_path / "c.json"
    said = haetae("judge", "correct", "--judge", judge, "--human", human, "--json", out)
    assert said.code == 0
    assert "jeffreys, 60 labels of 200 samples); the judge alone says 0.8" in said.out
    document = json.loads(out.read_text())
    low, high = document["ci"]
    assert low < document["estimate"] < high
    assert (document["method"], document["labels"]) == ("jeffreys", 60)
    said = haetae("judge", "agreement", "--judge", judge, "--human", human, "--json")
    (found,) = said.json["agreement"]
    assert found["between"] == ["judge", "human"]
    assert found["kappa"]["low"] < found["kappa"]["value"] < found["kappa"]["high"]


def test_labels_that_are_all_the_same_leave_agreement_undefined(haetae: Haetae, write: Callable[..., Path]) -> None:
    judge, human = (write(name, _scores([True] * 40)) for name in ("j.jsonl", "h.jsonl"))
    said = haetae("judge", "agreement", "--judge", judge, "--human", human)
    assert said.code == 0
    assert said.out.count("undefined: every label is 1") == 2


def test_scores_off_the_declared_scale_are_refused(haetae: Haetae, write: Callable[..., Path]) -> None:
    judge = write("j.jsonl", [{"id": f"s{n}", "metric": "tone", "score": 1 + n % 5} for n in range(100)])
    human = write("h.jsonl", [{"id": f"s{n}", "metric": "tone", "score": 1 + n % 5} for n in range(50)])
    files = ("--judge", judge, "--human", human)
    said = haetae("judge", "correct", *files)
    assert said.code == 2
    assert "h.jsonl:2: score: 2 is outside the scale of tone, 0 to 1" in said.err
    assert haetae("judge", "correct", *files, "--scale", 1, 5).code == 0
    assert haetae("judge", "correct", *files, "--scale-of", "tone=1:5").code == 0
    assert haetae("judge", "correct", *files, "--scale", 5, 1).code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "name a RUN whose answers are labelled, or both --judge and --human"),
        (["--judge", "j.jsonl"], "both --judge and --human"),
        (["shop.1", "--judge", "j.jsonl"], "not both"),
        (["--metric", "x", "--judge", "j.jsonl", "--human", "h.jsonl"], "--metric goes with a RUN"),
        (["--judge", "none.jsonl", "--human", "h.jsonl"], "none.jsonl"),
    ],
)
@pytest.mark.parametrize("command", ["correct", "agreement"])
def test_wrong_input_of_the_judge_exits_with_2(haetae: Haetae, command: str, arguments: list[str], told: str) -> None:
    said = haetae("judge", command, *arguments)
    assert said.code == 2
    assert told in said.err


def test_a_runs_labels_are_kept_once_and_used(shop: Any, write: Callable[..., Path]) -> None:
    shop.write(right=50)
    shop.call("run", shop.suite, "--quiet", "--no-track")
    said = shop.call("judge", "correct", "shop.1", "--metric", "right")
    assert said.code == 3
    assert "right: no estimate: nobody labelled it" in said.out
    assert shop.call("judge", "agreement", "shop.1", "--metric", "right").code == 3
    labels = write("labels.jsonl", _scores([n % 4 != 0 for n in range(40)]))
    said = shop.call("judge", "label", "shop.1", labels)
    assert (said.code, said.out) == (0, "40 labels kept with shop.1\n")
    said = shop.call("judge", "correct", "shop.1", "--metric", "right", "--json")
    assert said.code == 0
    assert (said.json["labels"], said.json["samples"], said.json["method"]) == (40, 60, "jeffreys")
    said = shop.call("judge", "agreement", "shop.1", "--metric", "right")
    assert said.code == 0
    assert "right: judge and human (nominal, n = 40): kappa " in said.out


def test_labels_that_do_not_fit_a_run_name_their_line_and_keep_nothing(shop: Any, write: Callable[..., Path]) -> None:
    shop.call("run", shop.suite, "--quiet", "--no-track")
    labels = write("labels.jsonl", [*_scores([True] * 5), {"id": "s99", "metric": "right", "score": 1}])
    said = shop.call("judge", "label", "shop.1", labels)
    assert said.code == 2
    assert "labels.jsonl:6: id: the run has no sample 's99'" in said.err
    assert shop.call("judge", "correct", "shop.1", "--metric", "right").code == 3
    said = shop.call("judge", "label", "shop.7", labels)
    assert said.code == 2
    assert "no run 'shop.7'" in said.err


def test_a_run_without_a_judge_says_which_metrics_it_has(shop: Any) -> None:
    shop.call("run", shop.suite, "--quiet", "--no-track")
    said = shop.call("judge", "correct", "shop.1")
    assert said.code == 2
    assert "shop.1 has no judged metric; it has chrf, right" in said.err


def test_the_help_says_that_labels_must_be_drawn_at_random(haetae: Haetae) -> None:
    assert "must be a random subset" in " ".join(haetae("judge", "correct", "-h").out.split())
    assert "drawn at random" in " ".join(haetae("judge", "label", "-h").out.split())


# what they load


def test_plain_files_are_read_without_sql_and_other_heavy_libraries(write: Callable[..., Path]) -> None:
    judge = write("j.jsonl", _scores([n % 5 != 0 for n in range(100)]))
    human = write("h.jsonl", _scores([n % 7 != 0 for n in range(50)]))
    history = write("n.jsonl", _history([0.9] * 3))
    for command in (
        ["monitor", "--history", history],
        ["judge", "correct", "--judge", judge, "--human", human],
        ["judge", "agreement", "--judge", judge, "--human", human],
    ):
        code = (
            "import sys\nfrom haetae.cli.main import main\n"
            f"sys.argv = {['haetae', *map(str, command)]!r}\n"
            "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0, end.code\n"
            f"print([name for name in {HEAVY!r} if name in sys.modules])"
        )
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert said.stdout.splitlines()[-1] == "[]"
