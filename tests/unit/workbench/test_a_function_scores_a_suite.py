"""A suite names a function of its project as a metric: found, checked, run, and known again by its code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from haetae.errors import ConfigError
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench

CHECKS = '''\
import asyncio

import haetae

@haetae.metric(high=1.0)
def polite(output: str, *, ending: str = "요") -> float:
    """1 where the answer ends politely."""
    return float(output.rstrip(".!? ").endswith(ending))

@haetae.metric
def near(output: str, reference: str, *, step: int) -> bool | None:
    return None if not output.isdigit() else abs(int(output) - int(reference)) <= step

def plain(output: str) -> float:
    return 1.0

@haetae.metric
async def never(output: str) -> float:
    return await asyncio.Event().wait()
'''


class Shop:
    """A project whose answers are recorded and whose metrics are its own."""

    def __init__(self, folder: Path, module: str) -> None:
        self.folder, self.module = folder, module
        (folder / "pyproject.toml").touch()
        (folder / f"{module}.py").write_text(CHECKS, "utf-8")
        outputs = ["좋아요.", "좋습니다.", "3", "9"]
        rows = [{"id": f"s{n}", "input": "q", "reference": "4"} for n in range(4)]
        answers = [{"id": f"s{n}", "output": output} for n, output in enumerate(outputs)]
        for name, content in (("rows", rows), ("answers", answers)):
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content), "utf-8")

    def run(self, metrics: str) -> dict[str, Any]:
        """The scores of each metric, by sample: a value or the reason for none."""
        suite = f"suite: shop\ndataset: rows.jsonl\ntarget: {{ outputs: answers.jsonl }}\nmetrics:\n  m: {metrics}\n"
        (self.folder / "suite.yaml").write_text(suite.replace("MODULE", self.module), "utf-8")
        with Workbench(load_settings({"HAETAE_HOME": str(self.folder / "home")})) as bench:
            report = bench.run(self.folder / "suite.yaml")
            self.facts = report.run.manifest.metrics["m"]
            rows = bench.ledger.results(report.run.id, limit=9)
            scores = {row.sample.id: row.scores["m"].score for row in rows}
        return {name: score.reason or score.value for name, score in scores.items()}

    def refusal(self, metrics: str) -> str:
        with pytest.raises(ConfigError) as caught:
            self.run(metrics)
        return str(caught.value)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Shop:
    monkeypatch.setattr("sys.path", list(sys.path))
    return Shop(tmp_path, f"checks_{abs(hash(request.node.nodeid))}")


def test_a_function_is_named_with_its_parameters(shop: Shop) -> None:
    assert shop.run("{ function: MODULE:polite }") == {"s0": 1.0, "s1": 0.0, "s2": 0.0, "s3": 0.0}
    assert shop.facts.text == f"function({shop.module}:polite)"
    assert shop.run("{ function: MODULE:polite, ending: 니다 }") == {"s0": 0.0, "s1": 1.0, "s2": 0.0, "s3": 0.0}
    assert shop.facts.text == f"function({shop.module}:polite, ending=니다)"


def test_a_call_has_the_deadline_of_the_suite(shop: Shop) -> None:
    limits = "{ function: MODULE:never }\nlimits: { timeout_s: 0.05 }"
    assert shop.run(limits) == dict.fromkeys(("s0", "s1", "s2", "s3"), "timeout")


def test_the_canonical_text_names_the_same_metric(shop: Shop) -> None:
    short = shop.run("function/MODULE:polite")
    assert (short["s0"], shop.facts.text) == (1.0, f"function({shop.module}:polite)")


def test_an_answer_that_the_function_cannot_score_is_unscored(shop: Shop) -> None:
    scores = shop.run("{ function: MODULE:near, step: 1 }")
    assert scores == {"s0": "not_measured", "s1": "not_measured", "s2": 1.0, "s3": 0.0}
    assert shop.facts.needs == {"reference"}


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ("{ function: MODULE:near }", "metrics.m: MODULE:near needs step"),
        ("{ function: MODULE:near, step: 1.5 }", "metrics.m.step: expected a whole number, got the number 1.5"),
        ("{ function: MODULE:polite, endung: 요 }", "unknown parameter of MODULE:polite; did you mean ending?"),
        ("{ function: MODULE:plain }", "metrics.m.function: MODULE:plain is not decorated with @haetae.metric"),
        ("{ function: MODULE:none }", "metrics.m.function: MODULE:none: AttributeError"),
        ("{ function: nowhere_at_all:x }", "metrics.m.function: nowhere_at_all:x: ModuleNotFoundError"),
        ("{ function: polite }", "metrics.m.function: polite is written module:function"),
        ("{ function: 3 }", "metrics.m.function: expected module:function, got the number 3"),
        ("function", "metrics.m: expected module:function, got nothing"),
    ],
)
def test_what_is_no_metric_of_the_project_is_refused_at_its_field(shop: Shop, metrics: str, said: str) -> None:
    assert said.replace("MODULE", shop.module) in shop.refusal(metrics)


def test_one_wrong_function_is_blamed_and_not_the_one_that_was_named(shop: Shop) -> None:
    wrong = "@haetae.metric\ndef nohint(output: str, threshold) -> float:\n    return 1.0\n"
    (shop.folder / f"{shop.module}.py").write_text(f"{CHECKS}\n{wrong}", "utf-8")
    line = CHECKS.count("\n") + 2
    said = shop.refusal("{ function: MODULE:polite }")
    assert said.startswith(f"{shop.module}.py:{line}: {shop.module}:nohint: threshold is nothing that a sample has; ")
    assert said.endswith(f"; {shop.module} cannot be imported before that is mended")
    assert "ConfigError" not in said


@pytest.mark.parametrize("function", ["os:system", "MODULE:haetae.metric", "builtins:eval", "subprocess:run"])
def test_what_is_no_decorated_function_is_never_called(shop: Shop, function: str) -> None:  # SEC-21
    said = shop.refusal(f"{{ function: {function} }}")
    assert "belongs to Python itself" in said or "is not decorated with @haetae.metric" in said


def test_a_metric_in_a_package_is_named_by_its_entry_point(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    from haetae.catalog import metric_kinds

    point = EntryPoint("polite", f"{shop.module}:polite", "haetae.metrics")
    monkeypatch.setattr(metric_kinds, "known_metrics", lambda: {"polite": (point,)})
    sys.path.insert(0, str(shop.folder))
    assert shop.run("{ polite: null, ending: 니다 }")["s1"] == 1.0
    assert shop.facts.text == f"function({shop.module}:polite, ending=니다)"
    assert "polite takes no value of its own" in shop.refusal("{ polite: 니다 }")
