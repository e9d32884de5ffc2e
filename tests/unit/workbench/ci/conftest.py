"""What a gate said, made by hand: a regression in one slice, an open question, passes, a rise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from haetae.core.metric import MetricFacts
from haetae.core.verdict import Comparison, Difference, Mover, Verdict
from haetae.workbench.ci.said import Said

FACTS = {
    "faithful": MetricFacts("faithfulness", "1"),
    "polite": MetricFacts("judge", "1", low=1, high=5),
    "cost": MetricFacts("cost_usd", "1", high=None, higher_is_better=False),
}


def difference(metric: str, slice: str = "", verdict: Verdict = Verdict.PASS, **changed: Any) -> Difference:  # noqa: A002
    """A column; its numbers are those of a pass unless they are given."""
    parts: dict[str, Any] = {
        "n": 400,
        "baseline": 0.9,
        "candidate": 0.9,
        "delta": 0.0,
        "low": -0.01,
        "high": 0.01,
        "margin": 0.02,
        "p_drop": 0.5,
        "p_drop_adjusted": 0.9,
        "p_noninferior": 0.001,
    }
    return Difference(metric, slice, verdict=verdict, **{**parts, **changed})


FALLEN = {"candidate": 0.859, "delta": -0.041, "low": -0.063, "high": -0.019, "p_drop_adjusted": 0.0008}


def a_said(facts: Mapping[str, MetricFacts] = FACTS, **changed: Any) -> Said:
    """faithful fell, most in Korean; polite is open; cost passes."""
    comparison: dict[str, Any] = {
        "suite": "support",
        "candidate": "support.8",
        "baseline": ("support.1",),
        "verdict": Verdict.REGRESSION,
        "reason": "faithful fell by 4.1 points (95 % interval 1.9 to 6.3); this is not noise. Tolerance: 2 points.",
        "differences": (
            difference("faithful", verdict=Verdict.REGRESSION, **FALLEN),
            difference("faithful", "language=ko", verdict=Verdict.REGRESSION, **{**FALLEN, "n": 200}),
            difference("faithful", "language=en"),
            difference("polite", verdict=Verdict.INCONCLUSIVE, baseline=4.1, candidate=4.0, delta=-0.1, needed=900),
            difference("cost", baseline=0.004, candidate=0.004),
        ),
        "changed": ("prompt: ask@1 → ask@2",),
        "moved": ("prompt",),
        "movers": tuple(Mover(f"s{n}", "faithful", 1.0, n / 10) for n in range(7)),
    }
    said: dict[str, Any] = {
        "title": "support",
        "facts": facts,
        "again": "haetae gate suite.yaml",
        "file": "suite.yaml",
        "lines": {"faithful": 14, "polite": 15, "cost": 16},
        "unscored": ("faithful: 398 of 400 scored; timeout 2",),
        "cost": "400 calls, 51000 tokens, $0.2500; 100 answers reused, 2 retried",
    }
    said |= {name: changed.pop(name) for name in list(changed) if name in said}
    return Said(comparison=Comparison(**{**comparison, **changed}), **said)


@pytest.fixture
def said() -> Callable[..., Said]:
    """said(verdict=…, differences=…, title=…): what differs from the regression above."""
    return a_said


@pytest.fixture
def column() -> Callable[..., Difference]:
    return difference
