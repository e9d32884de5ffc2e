"""The ledger under contract, on every database it may live on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from haetae.core.generation import Failure, Generation
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, Run, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.core.shard import cut
from haetae.store.sql import SqlLedger, open_ledger


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.real)])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without a ledger."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite:///{tmp_path}/new folder/ledger.db"


@pytest.fixture
def reopen(ledger_url: str) -> Iterator[Callable[[], SqlLedger]]:
    """Opens one more ledger on the same database; all are closed at the end."""
    opened: list[SqlLedger] = []

    def open_another() -> SqlLedger:
        opened.append(open_ledger(ledger_url))
        return opened[-1]

    yield open_another
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(reopen: Callable[[], SqlLedger]) -> SqlLedger:
    return reopen()


@dataclass(frozen=True)
class Given:
    """Makers of the values that a ledger keeps, at fixed times."""

    at: datetime = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    def later(self, minutes: int) -> datetime:
        return self.at + timedelta(minutes=minutes)

    def manifest(self, *metrics: str, **suite: object) -> Manifest:
        facts = {name: MetricFacts(text=name, version="1", corpus=name == "bleu") for name in metrics or ("exact",)}
        return Manifest(
            suite={"suite": "support", **suite}, dataset={"name": "d"}, target={"model": "m"}, metrics=facts
        )

    def sample(self, name: str = "a", **parts: Any) -> Sample:
        return Sample(**{"id": name, "input": f"question {name}", "references": (f"answer {name}",), **parts})

    def answer(self, sample: Sample, output: str = "an answer", repeat: int = 0, **parts: Any) -> GenerationRow:
        key, reused = f"g-{ascii(sample.id)[1:-1]}-{repeat}", parts.pop("reused", False)
        return GenerationRow(sample.id, repeat, key, sample.digest, Generation(output, **parts), reused)

    def failure(self, sample: Sample, reason: str, repeat: int = 0, attempts: int = 1) -> GenerationRow:
        result = Failure(reason, "it went wrong", attempts)
        return GenerationRow(sample.id, repeat, f"g-{ascii(sample.id)[1:-1]}-{repeat}", sample.digest, result)

    def score(self, sample: Sample, score: Score | float, metric: str = "exact", repeat: int = 0) -> ScoreRow:
        value = score if isinstance(score, Score) else Score(score)
        return ScoreRow(sample.id, repeat, metric, f"s-{ascii(sample.id)[1:-1]}-{metric}-{repeat}", value)

    def start(self, ledger: SqlLedger, manifest: Manifest | None = None, total: int = 3, suite: str = "support") -> Run:
        return ledger.start(suite, manifest or self.manifest(), total, self.at, seed=7, tags={"by": "test"})

    def share(self, ledger: SqlLedger, total: int, parts: int, tags: Mapping[str, str] = MappingProxyType({})) -> Run:
        """A run of so many samples in so many shards."""
        return ledger.share("support", self.manifest(), total, self.at, 7, tags, cut(total, parts))


@pytest.fixture
def given() -> Given:
    return Given()
