"""The guard that the guide shows is one, and so is the suite that goes with it."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from haetae.catalog.guard_file import load_guard
from haetae.metrics.stages.guard import Guard, GuardReach

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "docs" / "suites.md").read_text("utf-8").partition("\n## A guard\n")[2].partition("\n## ")[0]
SHOWN, METRICS = re.findall(r"^```yaml\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)


def test_the_cascade_that_is_shown_has_a_stage_of_four_kinds(tmp_path):
    (tmp_path / "guards.yaml").write_text(SHOWN, "utf-8")
    spec = load_guard(tmp_path / "guards.yaml", tmp_path).spec
    kinds = [stage.kind for stage in spec.stages]
    assert kinds == ["rules", "function", "similarity", "judge"]
    assert set(kinds) | {"nemo"} == set(re.findall(r"^\| `(\w+)` \|", SECTION, re.MULTILINE))


def test_the_metrics_that_are_shown_can_be_made():
    for line in yaml.safe_load(METRICS)["metrics"].values():
        if isinstance(line, str):
            kind, _, stage = line.partition("/")
            assert (kind, GuardReach(stage).facts.text) == ("guard_reach", f"guard_reach({stage})")
        else:
            assert Guard(line.pop("guard"), **line).facts.corpus
