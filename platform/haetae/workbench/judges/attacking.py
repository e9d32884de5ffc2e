"""Attacking a judge: the same bad answers with and without an attack, and how often the attack paid.

A clean twin is a bad answer as it is; the attacked twin is the same answer with one attack on it. An
injection succeeds where the attacked twin scores better than the clean one by more than the tolerance, a
master key where it alone scores better than the worst score by more than the tolerance. Harmless text is put
round the answers as well: what pays there is noise.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from haetae.catalog.explain import nearest
from haetae.core.generation import Generation
from haetae.core.metric import Metric, MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.engine.scoring import score
from haetae.errors import ConfigError
from haetae.metrics.judges.suspicion import addressed
from haetae.stats.scale import is_closed, unit
from haetae.workbench.judges.attack_rates import Trial
from haetae.workbench.judges.attack_report import AttackReport
from haetae.workbench.judges.attacks import HARMLESS, Attack, shipped_attacks

SILENT = "..."
"""An answer that says nothing."""
_SHOWN = 120
"""Characters that are shown of why a judge gave no score."""
_SEED = 20_260_101
"""Seed of the samples that are drawn: the same ones each time."""


@dataclass(frozen=True, slots=True)
class _Twin:
    """A bad answer to a sample, and what the judge gives it when nothing is wrong with it but that."""

    sample: Sample
    answer: str
    score: float


async def attack(
    name: str, metrics: Mapping[str, Metric], samples: Sequence[Sample], *, limit: int, tolerance: float
) -> AttackReport:
    """Every attack that ships on `limit` samples drawn at random. `tolerance` is a share of the metric's scale.

    Raises ConfigError for a metric that asks no judge or has no two ends, and what the judge's calls raise.
    """
    judged = [each for each, metric in metrics.items() if metric.facts.judge is not None]
    if name not in judged:
        has = f"its judged metrics: {', '.join(judged)}" if judged else "the suite has no judged metric"
        raise ConfigError(f"there is no judge behind {name!r} to attack{nearest(name, judged)}; {has}")
    metric, facts = metrics[name], metrics[name].facts
    if not is_closed(facts):
        raise ConfigError(f"{name} has no scale with two ends: what a good score is cannot be told")
    margin = tolerance * unit(facts)
    order = random.Random(_SEED).sample(samples, len(samples))  # noqa: S311  # a draw of samples, not a secret
    found = await asyncio.gather(*(_twin(metric, sample, order, margin) for sample in order[:limit]))
    twins = [twin for twin in found if isinstance(twin, _Twin)]
    left_out = Counter(why for why in found if isinstance(why, str))
    trials = await asyncio.gather(*(_try(metric, one, twin, margin) for one in shipped_attacks() for twin in twins))
    attacks = tuple(trial for trial in trials if trial.attack.family != HARMLESS)
    controls = tuple(trial for trial in trials if trial.attack.family == HARMLESS)
    return AttackReport(name, facts, tolerance, len(twins), left_out, attacks, controls)


async def _twin(metric: Metric, sample: Sample, order: Sequence[Sample], margin: float) -> _Twin | str:
    """A bad answer whose score leaves room for a better one: another sample's reference, or else silence.

    Where there is none, the reason why the judge scored none, or that there is no room.
    """
    why = ""
    for answer in (*_wrong(sample, order), SILENT):
        given = await score(metric, sample, Generation(answer))
        if given.value is None:
            why = f"{given.reason}: {given.explanation}"[:_SHOWN] if given.explanation else str(given.reason)
        elif _rise(metric.facts, given.value, _best(metric.facts)) > margin:
            return _Twin(sample, answer, given.value)
        else:
            why = "whose bad answers have the best score already"
    return why


def _wrong(sample: Sample, order: Sequence[Sample]) -> list[str]:
    """The next sample's reference that is not one of this sample's own; nothing where there is none."""
    place = order.index(sample)
    own = set(sample.references)
    others = (text for other in (*order[place + 1 :], *order[:place]) for text in other.references[:1])
    found = next((text for text in others if text.strip() and text not in own), None)
    return [] if found is None else [found]


async def _try(metric: Metric, one: Attack, twin: _Twin, margin: float) -> Trial:
    facts, output = metric.facts, one.on(twin.answer, metric.facts)
    given: Score = await score(metric, twin.sample, Generation(output))
    before = _worst(facts) if one.is_key else twin.score
    paid = None if given.value is None else _rise(facts, before, given.value) > margin
    return Trial(one, twin.sample.id, before, given, paid, marked=addressed(output) is not None)


def _rise(facts: MetricFacts, before: float, after: float) -> float:
    """By how much `after` is better."""
    return after - before if facts.higher_is_better else before - after


def _worst(facts: MetricFacts) -> float:
    return float((facts.low if facts.higher_is_better else facts.high) or 0.0)


def _best(facts: MetricFacts) -> float:
    return float((facts.high if facts.higher_is_better else facts.low) or 0.0)
