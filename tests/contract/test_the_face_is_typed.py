"""Who imports from `haetae` has types: a checker knows what every name is, and finds what is used wrongly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import haetae

pytest.importorskip("mypy")  # of the extra `lint`, which CI installs
HOME = Path(__file__).parents[2]

RIGHT = """\
from pathlib import Path
from typing import assert_type

import haetae
from haetae import Generation, Metric, MetricFacts, Report, Run, Sample, Score, Workbench, load_settings, metric


@metric(high=1.0)
def polite(output: str, *, ending: str = "요") -> float:
    return float(output.endswith(ending))


@haetae.metric
async def later(output: str, reference: str) -> Score | None:
    return None


class Short:
    facts = MetricFacts("short", "1")

    def score(self, sample: Sample, generation: Generation) -> Score:
        return Score(float(len(generation.output) < 9))


metrics: list[Metric] = [polite(ending="니다"), later(), Short()]
with Workbench(load_settings({}, Path("."))) as bench:
    report = bench.run("suite.yaml")
    assert_type(report, Report)
    assert_type(report.run, Run)
    assert_type(bench.promote(report.run.id), Run)
    assert_type(report.verdict, haetae.Verdict | None)
"""
WRONG = """\
import haetae


@haetae.metric
def says(output: str) -> str:
    return output


haetae.Workbench().run(3)
haetae.Score("0.5")
haetae.nothing_of_the_kind()
"""


def _mypy(file: Path) -> list[str]:
    """What is said of the file. Of the package, which those who install it are told nothing of, an extra that is not
    there would make it say more."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(file)]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [line for line in done.stdout.splitlines() if f"{file.name}:" in line]


def test_what_people_write_is_checked_without_a_complaint(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(RIGHT, "utf-8")
    assert _mypy(tmp_path / "right.py") == []


def test_what_is_used_wrongly_is_found_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG, "utf-8")
    found = [line for line in _mypy(tmp_path / "wrong.py") if ": error: " in line]
    assert {int(line.split(":")[1]) for line in found} == {4, 9, 10, 11}


def test_no_name_of_the_face_is_anything() -> None:
    """A name that type checkers do not see would be Any, which fits everywhere."""
    seen = (HOME / "platform" / "haetae" / "__init__.py").read_text("utf-8").partition("if TYPE_CHECKING:")[2]
    imported = seen.partition("\n__version__")[0]
    assert [name for name in haetae.__all__ if name not in imported] == []
