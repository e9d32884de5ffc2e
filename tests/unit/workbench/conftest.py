"""Runs in a real ledger, made from scores alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from haetae.core.generation import Failure, Generation
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, Run, RunStatus, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.store.sql import SqlLedger, open_ledger

START = datetime(2026, 1, 1, tzinfo=UTC)
GRADER = {"model": "grader", "parameters": {"temperature": 0}}


def a_manifest(**changes: Any) -> Manifest:
    model = {"base_url": "http://h/v1", "model": "m", "parameters": {"temperature": 0}}
    target = {"kind": "model", "model": model, "prompt": {"name": "ask", "digest": "p" * 64}}
    parts: dict[str, Any] = {
        "suite": {"suite": "bot", "slices": ["language"], "target": {"model": "llm", "prompt": "ask"}, "metrics": {}},
        "dataset": {"name": "d", "version": "sha256:" + "d" * 64, "count": 200},
        "target": target,
        "metrics": {"good": MetricFacts("good", "1"), "polite": MetricFacts("judge", "1", judge=GRADER)},
        "references": {"ask": "ask@1", "llm": "llm@1"},
    }
    return Manifest(**{**parts, **changes})


@pytest.fixture
def manifest() -> Callable[..., Manifest]:
    return a_manifest


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    made = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield made
    made.close()


@pytest.fixture
def a_run(ledger: SqlLedger) -> Callable[..., Run]:
    """a_run(good=[...], polite=[...]): a finished run with these scores; a text is a reason for none."""
    count = 0

    def make(
        manifest: Manifest | None = None,
        *,
        finish: RunStatus | None = RunStatus.FINISHED,
        outputs: Sequence[str] | None = None,
        model: str | None = "m-1",
        judge: str | None = "grader-1",
        **scores: Sequence[float | str],
    ) -> Run:
        nonlocal count
        count += 1
        manifest = manifest or a_manifest()
        total = len(next(iter(scores.values())))
        at = START + timedelta(days=count)
        run = ledger.start("bot", manifest, total, at, 7, {})
        samples = [
            Sample(f"s{n:04}", f"q{n}", ("r",), metadata={"language": "ko" if n % 2 else "en"}) for n in range(total)
        ]
        generations, rows = [], []
        for n, sample in enumerate(samples):
            output = outputs[n] if outputs else f"output {n} of {run.id}"
            result = Generation(output, model=model) if output else Failure("timeout", "slow")
            generations.append(GenerationRow(sample.id, 0, f"{run.id}-{n}", sample.digest, result))
            for metric, values in scores.items():
                value = values[n]
                asked = judge if manifest.metrics[metric].judge is not None else None
                score = Score.unscored(value) if isinstance(value, str) else Score(float(value), model=asked)
                rows.append(ScoreRow(sample.id, 0, metric, f"{run.id}-{n}-{metric}", score))
        ledger.record(run.id, samples, generations, rows, at)
        return ledger.finish(run.id, finish, at, None) if finish else ledger.run(run.id)

    return make


@pytest.fixture
def facts() -> Mapping[str, MetricFacts]:
    return {
        "faithful": MetricFacts("faithful", "1"),
        "bleu": MetricFacts("bleu", "1", low=0, high=100),
        "cost": MetricFacts("cost", "1", high=None, higher_is_better=False),
    }
