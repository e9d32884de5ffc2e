"""The corpus functions that a manifest names are made again without asking a model, whatever the order of keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from haetae.core.canonical import dumps, loads
from haetae.core.metric import MetricFacts
from haetae.core.run import Manifest
from haetae.workbench.corpora import corpora_of


@pytest.mark.parametrize(
    ("spec", "facts", "totals", "value"),
    [
        ("ter", MetricFacts("ter", "1", corpus=True), [1.0, 4.0], 25.0),
        (
            {"ter": True, "asian_support": True},  # the ledger sorts: asian_support first
            MetricFacts("ter(asian_support=true)", "1", corpus=True),
            [1.0, 4.0],
            25.0,
        ),
        (
            {"perplexity": "reference", "given": "prompt", "model": "llm@1", "unit": "byte"},
            MetricFacts("perplexity(of=reference, given=prompt, unit=byte)", "1", corpus=True, model={"digest": "a"}),
            [8 * np.log(2), 3, 2, 4],
            2.0,
        ),
        ("perplexity", MetricFacts("perplexity", "1", corpus=True, model={"digest": "a"}), [0.0, 3, 2, 4], 1.0),
    ],
    ids=["by name", "a parameter before the kind", "with a model", "with the suite's judge as its model"],
)
def test_a_corpus_function_is_made_again_from_what_the_ledger_keeps(
    spec: Any, facts: MetricFacts, totals: list[float], value: float, manifest: Callable[..., Manifest]
) -> None:
    suite = loads(dumps({"suite": "bot", "metrics": {"m": spec}}))
    found = corpora_of(manifest(suite=suite, metrics={"m": facts}))
    assert float(found["m"](np.array(totals))) == pytest.approx(value)
