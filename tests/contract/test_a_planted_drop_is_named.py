"""Five points planted in one metric and one slice of a suite: the gate names that metric and that slice, no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from haetae import Report, Verdict, Workbench
from haetae.catalog.scores.gathering import collect
from haetae.core.tool_score import ToolScore
from haetae.settings import load_settings
from haetae.workbench.scores.gate import gate_scores
from haetae.workbench.scores.rules import ScoreRules

METRICS = ("faithful", "relevant", "polite", "complete", "right")
LANGUAGES = ("ko", "en", "ja", "de")
SAMPLES = 1600
SUITE = f"""\
suite: support
dataset: samples.jsonl
target: {{ outputs: outputs.jsonl }}
metrics: {{ {", ".join(f"{name}: {{ recorded: {name}, scale: [0, 1] }}" for name in METRICS)} }}
slices: [language]
gate:
  metrics: {{ {", ".join(f"{name}: {{ max_drop: 0.03, by: language }}" for name in METRICS)} }}
"""

Scores = dict[str, list[float]]


def noise(seed: int) -> Scores:
    """Scores of one run: a skill per sample that all runs share, and each run's own noise; `right` is 0 or 1."""
    skill = np.random.default_rng(1).uniform(0.35, 0.85, (len(METRICS), SAMPLES))
    rng = np.random.default_rng(seed)
    drawn = np.clip(skill + rng.normal(0, 0.1, skill.shape), 0, 1)
    drawn[-1] = rng.random(SAMPLES) < 0.5 + (skill[-1] > 0.5) * 0.45
    return dict(zip(METRICS, drawn.round(6).tolist(), strict=True))


def planted(scores: Scores) -> Scores:
    """The same with five points taken from `faithful` wherever the language is Korean."""
    return scores | {"faithful": [max(0.0, score - 0.05 * (n % 4 == 0)) for n, score in enumerate(scores["faithful"])]}


@dataclass(frozen=True)
class Shop:
    folder: Path
    bench: Workbench

    def gate(self, scores: Scores) -> Report:
        rows = [
            {"id": f"s{n:04}", "output": "…", "scores": {name: column[n] for name, column in scores.items()}}
            for n in range(SAMPLES)
        ]
        (self.folder / "outputs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return self.bench.gate(self.folder / "suite.yaml")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    (folder / "suite.yaml").write_text(SUITE)
    samples = (
        {"id": f"s{n:04}", "input": f"question {n}", "metadata": {"language": LANGUAGES[n % 4]}} for n in range(SAMPLES)
    )
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in samples))
    with Workbench(load_settings({"HAETAE_HOME": str(tmp_path / "home")})) as bench:
        yield Shop(folder, bench)


def test_a_drop_of_five_points_in_one_slice_of_one_of_five_metrics_is_named(shop: Shop) -> None:
    before, after = noise(2), planted(noise(3))
    first = shop.gate(before)
    assert first.verdict is Verdict.NO_VERDICT
    shop.bench.promote(first.run.id)
    report = shop.gate(after)
    assert report.verdict is Verdict.REGRESSION
    said = report.comparison
    assert said is not None
    assert len(said.differences) == len(METRICS) * (1 + len(LANGUAGES))
    (found,) = (d for d in said.differences if d.verdict is Verdict.REGRESSION)
    assert (found.metric, found.slice, found.n) == ("faithful", "language=ko", SAMPLES // 4)
    assert found.low is not None
    assert found.high is not None
    assert found.low < -0.05 < found.high < 0
    assert said.reason.startswith("faithful in language=ko fell by ")
    assert said.reason.endswith("this is not noise. Tolerance: 3 points.")
    assert {mover.metric for mover in said.movers} == {"faithful"}
    assert "✗  faithful language=ko" in report.text


def test_nothing_planted_is_nothing_found(shop: Shop) -> None:
    shop.bench.promote(shop.gate(noise(2)).run.id)
    report = shop.gate(noise(3))
    assert report.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)
    assert "this is not noise" not in report.text


def test_the_gate_on_score_files_says_the_same_of_the_same_scores(shop: Shop) -> None:
    before, after = noise(2), planted(noise(3))
    shop.bench.promote(shop.gate(before).run.id)
    said = shop.gate(after).comparison
    assert said is not None
    files = [
        collect(
            (
                ToolScore(f"s{n:04}", name, score, tags={"language": LANGUAGES[n % 4]})
                for name, column in scores.items()
                for n, score in enumerate(column)
            ),
            file,
        )
        for file, scores in (("a.jsonl", before), ("b.jsonl", after))
    ]
    found = gate_scores(*files, ScoreRules(margin=0.03)).comparison
    assert found.verdict is Verdict.REGRESSION
    assert found.differences == said.differences
    assert (found.reason, found.movers) == (said.reason, said.movers)
