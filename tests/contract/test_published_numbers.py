"""Numbers that others have published, from the outputs of real systems, through the whole workbench.

WMT22 ja-en: BLEU and chrF in the task's automatic-scores.tsv. AlpacaEval 2: win rates and standard errors on
its leader board, and the paired difference of two prompts of one model computed from the same judgements.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from scipy import stats

from haetae.core.verdict import Verdict
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench
from haetae.workbench.report import Report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


@pytest.fixture
def bench(folder: Path) -> Workbench:
    with Workbench(load_settings({"HAETAE_HOME": str(folder / "home")})) as bench:
        yield bench  # type: ignore[misc]  # pytest makes a fixture of the generator


def _run(bench: Workbench, folder: Path, suite: str, outputs: str) -> Report:
    path = folder / "suite.yaml"
    path.write_text(suite.replace("OUTPUTS", outputs), encoding="utf-8")
    report = bench.run(path)
    assert all(account.scored == account.total for account in report.accounting)
    return report


TRANSLATION = """\
suite: wmt22-ja-en
dataset: samples.jsonl
target: { outputs: OUTPUTS }
metrics: { bleu: bleu, chrf: chrf }
gate:
  metrics:
    bleu: { max_drop: 0.01 }
    chrf: { max_drop: 0.01 }
"""


def test_bleu_and_chrf_of_three_systems_are_those_that_the_task_published(
    bench: Workbench, folder: Path, reference_data: Path
) -> None:
    for file in (reference_data / "wmt22-ja-en").glob("*.jsonl"):
        shutil.copy(file, folder)
    published = json.loads((reference_data / "wmt22-ja-en" / "published.json").read_text())["systems"]
    reports = {}
    for system in ("NT5", "JDExploreAcademy", "Online-A"):
        report = reports[system] = _run(bench, folder, TRANSLATION, f"outputs.{system}.jsonl")
        for estimate in report.estimates:
            assert estimate.value == pytest.approx(published[system][estimate.metric], rel=0, abs=1e-9)
            assert estimate.low is not None
            assert estimate.high is not None
            assert estimate.low < estimate.value < estimate.high
        if system == "NT5":
            assert report.verdict is Verdict.NO_VERDICT
            bench.promote(report.run.id)
    said = reports["Online-A"].comparison
    assert said is not None
    assert said.verdict is Verdict.REGRESSION
    assert reports["Online-A"].exit_code == 1
    bleu = next(d for d in said.differences if d.metric == "bleu")
    assert bleu.delta == pytest.approx(22.77135031181244 - 26.62946364708077, abs=1e-9)
    assert bleu.low is not None
    assert bleu.high is not None
    assert bleu.low < bleu.delta < bleu.high < -1  # all of it below the tolerated point
    assert bleu.n == 2008
    assert said.moved == ("outputs",)
    again = bench.compare("wmt22-ja-en.3", "wmt22-ja-en.1")
    assert again.differences[0].delta == bleu.delta


PREFERENCE = """\
suite: alpaca-eval
dataset: samples.jsonl
target: { outputs: OUTPUTS }
metrics:
  win: { recorded: win_probability, scale: [0, 1] }
gate:
  metrics:
    win: { max_drop: 0 }
"""


def test_two_prompts_of_one_model_are_told_apart_by_pairing(
    bench: Workbench, folder: Path, reference_data: Path
) -> None:
    source = reference_data / "alpaca-eval"
    samples = [json.loads(line) for line in (source / "samples.jsonl").read_text().splitlines()]
    plain = [{"id": row["id"], "input": row["input"], "reference": row["reference_output"]} for row in samples]
    _write(folder / "samples.jsonl", plain)
    for name in ("gpt-3.5-turbo-1106", "gpt-3.5-turbo-1106_concise"):
        judged = {}
        for line in (source / f"judgements.{name}.jsonl").read_text().splitlines():
            row = json.loads(line)
            judged[row["id"]] = row["win_probability"]
        rows = [json.loads(line) for line in (source / f"outputs.{name}.jsonl").read_text().splitlines()]
        _write(folder / f"{name}.jsonl", [{**row, "win_probability": judged[row["id"]]} for row in rows])
    normal = _run(bench, folder, PREFERENCE, "gpt-3.5-turbo-1106.jsonl")
    bench.promote(normal.run.id)
    concise = _run(bench, folder, PREFERENCE, "gpt-3.5-turbo-1106_concise.jsonl")
    half_width = stats.t.ppf(0.975, 804)
    for report, rate, error in ((normal, 9.178, 0.890), (concise, 7.416, 0.837)):
        (win,) = report.estimates
        assert win.value is not None
        assert win.low is not None
        assert win.high is not None
        assert 100 * win.value == pytest.approx(rate, abs=0.0005)
        # the leader board divides by n, a sample's deviation by n - 1: below the third digit
        assert 100 * (win.high - win.low) / (2 * half_width) == pytest.approx(error, abs=0.001)
        assert win.n == 805
    said = concise.comparison
    assert said is not None
    (win_difference,) = said.differences
    assert win_difference.delta is not None
    assert win_difference.low is not None
    assert win_difference.high is not None
    assert said.verdict is Verdict.REGRESSION
    assert 100 * win_difference.delta == pytest.approx(-1.762, abs=0.001)
    standard_error = 100 * (win_difference.high - win_difference.low) / (2 * half_width)
    assert standard_error == pytest.approx(0.664, abs=0.001)
    assert win_difference.p_drop is not None
    assert 2 * win_difference.p_drop == pytest.approx(0.008, abs=0.004)  # by random sign flips


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
