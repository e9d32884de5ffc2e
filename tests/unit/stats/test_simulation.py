"""A small slice of the simulation that `make simulate` runs in full: it runs, and nothing is far off."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SIMULATE = Path(__file__).parents[2] / "bench" / "simulate.py"


@pytest.fixture(scope="module")
def printed():
    return subprocess.run([sys.executable, SIMULATE, "--quick"], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def rows(printed):
    cells = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in cells}


def numbers(rows, what):
    return [float(n) for n in re.findall(r"\d*\.?\d+", rows[what][-1])]


def test_false_alarms_are_rare(rows):
    # 27 cells of 40 repetitions: the mean of .05 has a standard error of .007.
    assert numbers(rows, "false alarm, nothing changed, 27 cells: mean")[0] <= 0.08
    assert numbers(rows, "false pass at the margin: mean")[0] <= 0.08


def test_power_is_that_of_theory(rows):
    # Nine cells of 40 repetitions: .8 has a standard error of .021.
    for n in (50, 200, 1000):
        power, limit = numbers(rows, f"power of the drop test and of the known-variance z-test, n = {n}")[:2]
        assert power == pytest.approx(limit, abs=0.09)


def test_looks_save_more_than_half_of_the_samples(rows):
    assert numbers(rows, "sequential: samples of 1,000 when nothing changed")[0] <= 420


def test_the_usual_rules_cry_wolf_and_haetae_does_not(rows):
    lower, haetae = (float(rows[rule][0].split(" / ")[2]) for rule in ("mean is lower", "Haetae"))
    assert lower >= 500
    assert haetae <= 180  # 20 repetitions of .05


def test_the_packages_that_were_not_run_are_named(printed):
    assert "Not run: evalproof, statgate and ppi-python (no --rivals given)." in printed
