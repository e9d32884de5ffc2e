"""Rows that go into one statement come back as they were, whatever they have alike."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec import structs

from haetae.core.generation import Failure, Generation, Usage
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.store.sql import open_ledger

AT = datetime(2026, 3, 1, tzinfo=UTC)
MANIFEST = Manifest({"suite": "rows"}, {}, {}, {"exact": MetricFacts("exact", "1")})
PLAIN = Generation("same", attempts=0)


def _answer(kind: str, number: int) -> Generation | Failure:
    if kind == "mixed" and number % 7 == 0:
        return Failure("timeout", f"no answer to {number}", attempts=2)
    if kind == "mixed" and number % 5 == 0:
        return structs.replace(PLAIN, output=f"o{number}", usage=Usage(number, 0, 1, 0), cost_usd=number / 7, model="m")
    return PLAIN


@pytest.mark.parametrize("kind", ["alike", "mixed"])
@pytest.mark.parametrize("count", [1, 64, 65, 1_100])
def test_rows_come_back_as_they_were(tmp_path: Path, kind: str, count: int) -> None:
    samples = [Sample(f"s{n}", f"question {n % 3}", metadata={"n": n} if kind == "mixed" else {}) for n in range(count)]
    answers = [GenerationRow(s.id, 0, f"k{n}", s.digest, _answer(kind, n)) for n, s in enumerate(samples)]
    values = [0.25 if kind == "alike" else (n % 4) / 4 for n in range(count)]
    scores = [ScoreRow(s.id, 0, "exact", "the same", Score(v)) for s, v in zip(samples, values, strict=True)]
    with open_ledger(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        run = ledger.start("rows", MANIFEST, count, AT, 0, {})
        for _ in range(2):  # the second time nothing changes
            ledger.record(run.id, samples, answers, scores, AT)
        found = ledger.results(run.id)
    assert [one.sample for one in found] == samples
    assert [one.generation for one in found] == answers
    assert [one.scores["exact"] for one in found] == scores
