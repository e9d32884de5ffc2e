"""Moving names of a suite: of our registry, by alias; no number, no digest, no file, nothing of MLflow's."""

from __future__ import annotations

from typing import Any

import pytest

from haetae.core.suite import Suite
from haetae.workbench.aliases import Alias, aliases_of


def suite(target: dict[str, Any], metrics: dict[str, Any] | None = None, **more: Any) -> Suite:
    found = {"suite": "s", "dataset": "d.jsonl", "target": target, "metrics": metrics or {"m": "exact_match"}, **more}
    return Suite.model_validate(found)


def test_target_judge_embeddings_and_metrics_are_looked_through_in_order_and_each_is_named_once() -> None:
    found = suite(
        {"model": "bot@production", "prompt": "answer@candidate"},
        {
            "polite": {"judge": "polite.md", "model": "referee@staging"},
            "jury": {"jury": "polite.md", "models": ["referee@staging", "second@production", "third@2"]},
            "best": {"g_eval": "g", "prompt": "rubric@live"},
        },
        judge="referee@production",
        embeddings="vectors@production",
    )
    assert aliases_of(found) == [
        Alias("model", "bot", "production"),
        Alias("prompt", "answer", "candidate"),
        Alias("model", "referee", "production"),
        Alias("model", "vectors", "production"),
        Alias("model", "referee", "staging"),
        Alias("model", "second", "production"),
        Alias("prompt", "rubric", "live"),
    ]


def test_names_of_any_script_move() -> None:
    assert aliases_of(suite({"model": "상담봇@운영"})) == [Alias("model", "상담봇", "운영")]


@pytest.mark.parametrize(
    "target",
    [
        {"model": "bot@3"},
        {"model": "bot@sha256:0123456789abcdef"},
        {"model": "bot"},
        {"model": "mlflow:bot@production"},
        {"model": "bot@2", "prompt": "prompts/answer@home.md"},
        {"function": "app:answer"},
        {"outputs": "out@put.jsonl"},
    ],
)
def test_what_stays_or_belongs_to_others_is_not_among_them(target: dict[str, Any]) -> None:
    assert aliases_of(suite(target)) == []
