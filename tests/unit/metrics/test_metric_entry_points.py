"""Every metric that a suite can name: it loads, its signature can be read, and its facts are a metric's."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from haetae.core.canonical import dumps
from haetae.core.code_folder import CodeFolder
from haetae.core.metric import CorpusMetric, Metric, facts_from_json
from haetae.core.model import LanguageModel
from haetae.core.outputs import Outputs
from haetae.core.template import Prompt

POINTS = [point for point in entry_points(group="haetae.metrics") if point.value.startswith("haetae.metrics.")]
FIRST: dict[str, Any] = {
    "recorded": "win",
    "ragas": "faithfulness",
    "judge": Prompt.of("p", "{{ output }}"),
    "jury": Prompt.of("p", "{{ output }}"),
    "pairwise": Prompt.of("p", "{{ answers }}"),
    "best_of": Prompt.of("p", "{{ answers }}"),
    "g_eval": "It is polite.",
    "guard": "recall",
    "retrieval": "nDCG@10",
    "regex": "a+",
    "json_schema": {"type": "object"},
    "trajectory": "exact",
    "dialogue": Prompt.of("p", "{{ output }}"),
}
NAMED: dict[str, Any] = {"scale": [0, 1], "stage": "ivf", "exact": "flat", "against": (Outputs("other.jsonl", {}),)}


def test_the_first_release_has_its_metrics() -> None:
    assert {point.name for point in POINTS} >= {
        *("exact_match", "token_f1", "rouge", "bleu", "chrf", "ter", "judge", "recorded"),
        *("faithfulness", "answer_relevancy", "context_relevancy", "ragas", "latency_s", "tokens", "cost_usd"),
    }


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_a_metric_is_made_from_its_annotated_signature(
    point: EntryPoint, scripted: Callable[..., Any], tmp_path: Path
) -> None:
    if point.name in ("ragas", "evaluate") and find_spec(point.name) is None:
        pytest.skip(f"{point.name} is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ragas' dependencies warn at import
        factory = point.load()
    arguments: dict[str, Any] = {}
    for name, parameter in inspect.signature(factory, eval_str=True).parameters.items():
        assert parameter.annotation is not parameter.empty
        if parameter.annotation is LanguageModel:
            arguments[name] = scripted()
        elif parameter.annotation == tuple[LanguageModel, ...]:
            arguments[name] = (scripted(name="a"), scripted(name="b"))
        elif parameter.annotation is CodeFolder:
            arguments[name] = _evaluate_module(tmp_path)
        elif parameter.default is parameter.empty:
            arguments[name] = NAMED[name] if name in NAMED else FIRST[point.name]
    metric = factory(**arguments)
    assert isinstance(metric, Metric)
    assert metric.facts.text.startswith(point.name)
    assert metric.facts.corpus == isinstance(metric, CorpusMetric)
    assert facts_from_json(metric.facts.as_json()) == metric.facts
    assert dumps(metric.facts.as_json())


def _evaluate_module(folder: Path) -> CodeFolder:
    """The smallest module of Hugging Face evaluate: it counts its rows."""
    code = """\
import datasets
import evaluate

class Counted(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("string")})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions):
        return {"counted": len(predictions)}
"""
    (folder / "counted").mkdir()
    (folder / "counted" / "counted.py").write_text(code, "utf-8")
    return CodeFolder("counted", folder / "counted")
