"""A small slice of the simulation that `make simulate` runs in full: it runs, and nothing is far off."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


def said_by(script, *arguments):
    """What a script of the bench prints, and its tables' rows by their first cell."""
    command = [sys.executable, BENCH / script, *arguments]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    cells = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("|")]
    return printed, {row[0]: row[1:] for row in cells}


@pytest.fixture(scope="module")
def simulated():
    return said_by("simulate.py", "--quick")


@pytest.fixture(scope="module")
def rows(simulated):
    return simulated[1]


def numbers(rows, what):
    return [float(n) for n in re.findall(r"\d*\.?\d+", rows[what][-1])]


def test_false_alarms_are_rare(rows):
    # 27 cells of 20 repetitions: the mean of .05 has a standard error of .009.
    assert numbers(rows, "false alarm, nothing changed, 27 cells: mean")[0] <= 0.08
    assert numbers(rows, "false pass at the margin: mean")[0] <= 0.08


def test_power_is_that_of_theory(rows):
    # Nine cells of 20 repetitions, the z-test on the same data.
    for n in (50, 200, 1000):
        power, limit = numbers(rows, f"power of the drop test and of the known-variance z-test, n = {n}")[:2]
        assert power == pytest.approx(limit, abs=0.09)


def test_looks_save_more_than_half_of_the_samples(rows):
    what = "sequential: samples of 1,000 when nothing changed (beside those with a known variance)"
    assert numbers(rows, what)[0] <= 420


def test_the_usual_rules_cry_wolf_and_haetae_does_not(rows):
    lower, haetae = (float(rows[rule][0].split(" / ")[2]) for rule in ("mean is lower", "Haetae"))
    assert lower >= 500
    assert haetae <= 180  # 20 repetitions of .05


def test_the_packages_that_were_not_run_are_named(simulated):
    assert "Not run: evalproof, statgate and ppi-python (no --rivals given)." in simulated[0]


def test_on_real_outputs_a_quarter_of_the_samples_shows_a_large_drop_and_only_all_of_them_a_small_one(reference_data):
    _, rows = said_by("real_data.py", reference_data)
    assert rows["BLEU, a quarter"][-1] == rows["chrF, a quarter"][-1] == "4 of 4 regression"
    # The published win rates are 9.178 and 7.416.
    assert rows["win rate, all"][1].startswith("−1.76 (")
    assert [rows[f"win rate, {share}"][3] for share in ("all", "a half")] == ["regression", "inconclusive"]
