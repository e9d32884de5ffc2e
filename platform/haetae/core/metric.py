"""The port of a metric, and the facts that gates, reports and comparisons need of it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from haetae.core.canonical import Json
from haetae.core.expected import Expected
from haetae.core.generation import Generation
from haetae.core.sample import Sample
from haetae.core.score import Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MetricFacts:
    """What is true of a metric whatever it scores.

    `text` is its canonical text: kind and non-default parameters (`rouge(L, tokenizer=korean)`).
    `version` changes when its numbers change. `low` and `high` are its range, None where it has no
    bound. `needs` names what it cannot do without: `reference`, `contexts`, `usage`, `price`.
    `corpus` says that its value over many samples comes from summed statistics.
    `signature` is what else fixes its numbers: tokenizer, smoothing, library version, judge model,
    judge prompt. `judge` is the fingerprint of the model that it asks, None when it asks none. `model`
    is that of a model whose probabilities it reads: no judge, as it has no opinion that people could
    share or correct. `answer` is False for a metric that looks at the sample alone, whatever the target
    answered. `calls` is how many calls one score takes at most, None where nobody counted: a forecast asks for
    it. `expected` is what it takes for granted of the dataset and the target: a check before the first call asks
    for it. `deterministic` says whether an answer that is scored again has the same score; where nothing is said, it
    has where no model is asked. None of the three is kept.
    """

    text: str
    version: str
    low: float | None = 0.0
    high: float | None = 1.0
    higher_is_better: bool = True
    needs: frozenset[str] = frozenset()
    corpus: bool = False
    signature: Mapping[str, Json] = field(default_factory=dict)
    judge: Mapping[str, Json] | None = None
    model: Mapping[str, Json] | None = None
    answer: bool = True
    calls: int | None = field(default=None, compare=False)
    expected: Expected = field(default=Expected(), compare=False)
    deterministic: bool | None = field(default=None, compare=False)

    @property
    def judges(self) -> Sequence[Mapping[str, Json]]:
        """The fingerprints of its judges: one, those of a jury, or none."""
        return () if self.judge is None else self.judge.get("jury", [self.judge])

    @property
    def asked(self) -> Mapping[str, Json] | None:
        """The fingerprint of the model that scoring calls, of either kind; None when it calls none."""
        return self.judge if self.model is None else self.model

    @property
    def is_deterministic(self) -> bool:
        """Whether scoring the same answer again gives the same score."""
        return self.asked is None if self.deterministic is None else self.deterministic

    def as_json(self) -> Json:
        rarely: dict[str, Json] = {} if self.model is None else {"model": dict(self.model)}
        if not self.answer:
            rarely["answer"] = False
        return {
            "text": self.text,
            "version": self.version,
            "low": self.low,
            "high": self.high,
            "higher_is_better": self.higher_is_better,
            "needs": sorted(self.needs),
            "corpus": self.corpus,
            "signature": dict(self.signature),
            "judge": None if self.judge is None else dict(self.judge),
            **rarely,
        }


def facts_from_json(value: Json) -> MetricFacts:
    """Read back what `MetricFacts.as_json` wrote."""
    return MetricFacts(**{**value, "needs": frozenset(value["needs"])})


@runtime_checkable
class Metric(Protocol):
    """Turns a sample and its generation into a score.

    `score` is plain for a metric that computes and `async` for one that asks a model. It is not
    called for a failed generation or for a sample that lacks what `facts.needs` names: the engine
    has already said `unscored`.
    """

    @property
    def facts(self) -> MetricFacts: ...

    def score(self, sample: Sample, generation: Generation) -> Score | Awaitable[Score]: ...


@runtime_checkable
class CorpusMetric(Metric, Protocol):
    """A metric whose value over many samples is not the mean of theirs: BLEU, chrF, TER, perplexity."""

    def corpus(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """The corpus value from summed per-sample statistics.

        `totals` has shape (..., k), k the length of `Score.stats`; the result has shape (...), so that
        a bootstrap computes all its resamples at once.
        """
        ...
