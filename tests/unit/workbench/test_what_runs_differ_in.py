"""Every kind of change between two runs is named and attributed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from haetae.core.metric import MetricFacts
from haetae.core.run import Manifest
from haetae.workbench.comparable import changes

Make = Callable[..., Manifest]
GATED = frozenset({"good", "polite"})


def _target(**changed: Any) -> dict[str, Any]:
    model = {"base_url": "http://h/v1", "model": "m", "parameters": {"temperature": 0}, **changed.pop("model", {})}
    prompt = changed.pop("prompt", {"name": "ask", "digest": "p" * 64})
    return {"kind": "model", "model": model, "prompt": prompt, **changed}


def _metrics(**changed: Any) -> dict[str, MetricFacts]:
    judge = {"model": "grader", "parameters": {"temperature": 0}}
    return {"good": MetricFacts("good", "1"), "polite": MetricFacts("judge", "1", judge=judge), **changed}


@pytest.mark.parametrize(
    ("changed", "what", "said", "forbids"),
    [
        ({"dataset": {"name": "d", "version": "sha256:" + "e" * 64, "count": 200}}, "dataset", "dataset.version", True),
        (
            {"dataset": {"name": "d", "version": "sha256:" + "d" * 64, "count": 9}},
            "dataset",
            "dataset.count: 200 → 9",
            True,
        ),
        ({"target": _target(model={"model": "m2"})}, "model", "target.model.model: m → m2", False),
        (
            {"target": _target(model={"parameters": {"temperature": 1}})},
            "decoding",
            "parameters.temperature: 0 → 1",
            True,
        ),
        ({"target": _target(prompt={"name": "ask", "digest": "a" * 64})}, "prompt", "digest: pppp", False),
        ({"target": _target(prompt=None)}, "prompt", "→ none", False),
        ({"target": _target(code="c" * 64)}, "code", "target.code: none → cccccccccccc", False),
        ({"target": _target(digest="c" * 64)}, "outputs", "target.digest: none → cccccccccccc", False),
        ({"references": {"ask": "ask@2", "llm": "llm@1"}}, "prompt", "target.prompt: ask@1 → ask@2", False),
        ({"metrics": _metrics(good=MetricFacts("good", "2"))}, "metric", "metrics.good.version: 1 → 2", True),
        ({"metrics": {"good": MetricFacts("good", "1")}}, "metric", "missing in the candidate", True),
        (
            {
                "metrics": _metrics(
                    polite=MetricFacts("judge", "1", judge={"model": "other", "parameters": {"temperature": 0}})
                )
            },
            "judge",
            "metrics.polite.judge.model: grader → other",
            True,
        ),
    ],
)
def test_each_change_is_named_and_attributed(
    changed: dict[str, Any], what: str, said: str, forbids: bool, manifest: Make
) -> None:
    found = changes(manifest(), manifest(**changed), GATED)
    assert {change.what for change in found} == {what}
    assert any(said in str(change) for change in found) or said.startswith("digest")
    assert any(change.forbids for change in found) == forbids


def test_a_stage_of_a_guard_that_changed_is_named(manifest: Make) -> None:
    def guard(words: str) -> dict[str, Any]:
        stages = {"words": {"kind": "rules", "rules": words * 64}, "judge": {"kind": "judge"}}
        return {"kind": "guard", "default": "pass", "order": list(stages), "stages": stages}

    (found,) = changes(manifest(target=guard("a")), manifest(target=guard("b")), GATED)
    assert (found.what, found.forbids) == ("guard", False)
    assert str(found) == "target.stages.words.rules: aaaaaaaaaaaa → bbbbbbbbbbbb"


def test_what_the_baseline_lacks_is_named_from_its_side(manifest: Make) -> None:
    (found,) = changes(manifest(metrics={"good": MetricFacts("good", "1")}), manifest(), GATED)
    assert "missing in the baseline" in str(found)


def test_a_judges_prompt_is_the_judges_change(manifest: Make) -> None:  # JDG-10
    facts = manifest().metrics["polite"]
    edited = replace(facts, signature={"prompt": "b" * 64})
    (found,) = changes(manifest(), manifest(metrics={**manifest().metrics, "polite": edited}), GATED)
    assert (found.what, found.forbids) == ("judge", True)


def test_metrics_that_are_not_gated_do_not_matter(manifest: Make) -> None:
    edited = {**manifest().metrics, "polite": MetricFacts("judge", "9")}
    assert changes(manifest(), manifest(metrics=edited), frozenset({"good"})) == []


def test_the_same_is_the_same_and_long_values_are_cut(manifest: Make) -> None:
    assert changes(manifest(), manifest(), GATED) == []
    (found,) = changes(manifest(), manifest(target=_target(model={"model": "x" * 500})), GATED)
    assert len(str(found)) < 200
