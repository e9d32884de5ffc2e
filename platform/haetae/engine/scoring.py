"""One metric on one generation: whatever happens, a Score comes out."""

from __future__ import annotations

import inspect
import math
import traceback
from collections.abc import Awaitable
from functools import partial

from msgspec import structs

from haetae.core import reasons
from haetae.core.amounts import MOST, is_amount, is_count
from haetae.core.canonical import Json, digest
from haetae.core.generation import Failure, Generation, Stage, Usage
from haetae.core.metric import Metric, MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.core.secrets import masked, redact
from haetae.engine.computing import computed, is_long
from haetae.engine.contained import as_exception, awaited, contained
from haetae.engine.functions import Late
from haetae.errors import ConfigError, HaetaeError

_MOST_CALLS = 1_000_000
"""Of one score."""


async def score(metric: Metric, sample: Sample, result: Generation | Failure) -> Score:
    """The score, or why there is none: no answer, a part that the sample lacks, a metric that raised.

    An error of this package passes through: it says that no further call can succeed. A ConfigError here
    is one sample's (a rubric that names metadata which it lacks): everything else was checked before.
    """
    if isinstance(result, Failure):
        if metric.facts.answer:
            return Score.unscored(reasons.NOT_GENERATED, result.reason)
        result = Generation("")
    if is_long(sample, result) and not inspect.iscoroutinefunction(metric.score):
        if lacking := _lacking(metric.facts, sample, result):
            return Score.unscored(lacking)
        return await _later(computed(metric.score, sample, result), metric.facts)
    found = score_of_little(metric, sample, result)
    return found if isinstance(found, Score) else await found


def score_of_little(metric: Metric, sample: Sample, answer: Generation) -> Score | Awaitable[Score]:
    """What `score` gives where there is not much to read: at once, unless the metric has to wait for something."""
    if lacking := _lacking(metric.facts, sample, answer):
        return Score.unscored(lacking)
    try:
        found = metric.score(sample, answer)
        if not isinstance(found, Score) and inspect.isawaitable(found):
            return _later(awaited(found), metric.facts)
        return _settled(found, metric.facts)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:
        return _raised(as_exception(exc))


async def _later(given: Awaitable[object], facts: MetricFacts) -> Score:
    try:
        found = await given
        if inspect.isawaitable(found):  # of a metric that computed in a thread
            found = await awaited(found)
        return _settled(found, facts)
    except Exception as exc:
        return _raised(exc)


def _raised(error: Exception) -> Score:
    """No score, for what a metric raised; an error of this package goes on."""
    if isinstance(error, ConfigError):
        return Score.unscored(reasons.METRIC_RAISED, redact(str(error)))
    if isinstance(error, HaetaeError):
        raise error
    if isinstance(error, Late):
        return Score.unscored(reasons.TIMEOUT, str(error))
    return Score.unscored(reasons.METRIC_RAISED, redact("".join(traceback.format_exception(error, limit=-4))))


def _settled(found: object, facts: MetricFacts) -> Score:
    """What a metric gave as a score that may be kept. Raises TypeError or ValueError for what no ledger could keep."""
    if not isinstance(found, Score):
        raise TypeError(f"a metric returns a Score, not {type(found).__name__}")
    if _is_plain(found, facts):
        return found
    with contained():
        found = _plain(found)
    return _checked(found, facts)


def _is_plain(found: Score, facts: MetricFacts) -> bool:
    """Whether a score is a number on the scale and nothing else, as that of nearly every metric that computes."""
    return (
        type(found.value) is float
        and math.isfinite(found.value)
        and (facts.low is None or found.value >= facts.low)
        and (facts.high is None or found.value <= facts.high)
        and (found.stats, found.explanation, found.usage, found.cost_usd, found.model, found.calls) == _NOTHING_ELSE
    )


_REFERENCE = frozenset({"reference"})
_NOTHING_ELSE = ((), None, None, None, None, 0)


def _plain(found: Score) -> Score:
    """The score in plain numbers and texts. Raises TypeError or ValueError for what no ledger could keep."""
    if not all(text is None or isinstance(text, str) for text in (found.reason, found.explanation, found.model)):
        raise TypeError("the reason, explanation and model of a Score are text")
    if found.usage is not None and not (isinstance(found.usage, Usage) and all(map(is_count, found.usage.as_json()))):
        raise TypeError(f"the usage of a Score is a Usage, whose counts are whole numbers from 0 to {MOST:,}")
    if type(found.calls) is not int or not 0 <= found.calls <= _MOST_CALLS:
        raise ValueError(f"the calls of a Score are a whole number from 0 to {_MOST_CALLS:,}")
    return structs.replace(
        found,
        value=None if found.value is None else float(found.value),
        stats=tuple(map(float, found.stats)),
        explanation=None if found.explanation is None else masked(found.explanation),
        cost_usd=None if found.cost_usd is None else float(found.cost_usd),
    )


def _lacking(facts: MetricFacts, sample: Sample, generation: Generation) -> str | None:
    if "reference" in facts.needs and not any(map(str.strip, sample.references)):
        return reasons.MISSING_REFERENCE
    if facts.needs <= _REFERENCE:
        return None
    if "contexts" in facts.needs and not any(map(str.strip, generation.passages(sample))):
        return reasons.MISSING_CONTEXT
    if "usage" in facts.needs and generation.usage is None:
        return reasons.NOT_MEASURED
    parts: tuple[Generation | Stage, ...] = (generation, *generation.stages)
    if "latency" in facts.needs and all(part.latency_s is None for part in parts):
        return reasons.NOT_MEASURED
    if "cost" in facts.needs and all(part.cost_usd is None for part in parts):
        return reasons.NO_PRICE
    return None


def _checked(found: Score, facts: MetricFacts) -> Score:
    """A value outside the declared range, or statistics that are not finite, are unscored, never clamped."""
    if found.cost_usd is not None and not is_amount(found.cost_usd):
        found = structs.replace(found, cost_usd=None)
    if found.value is None:
        return found
    checked = Score.of(found.value, facts.low, facts.high)
    if not all(map(math.isfinite, found.stats)):
        checked = Score.unscored(reasons.NOT_FINITE, "the metric's statistics are not finite")
    if checked.value is not None:
        return found
    return structs.replace(found, value=None, stats=(), reason=checked.reason, explanation=checked.explanation)


async def addressed(
    facts: MetricFacts, sample: Sample, generation_key: str, result: Generation | Failure, epoch: str
) -> str:
    """The key of a score; where there is much to hash a thread does it."""
    key = partial(score_key, facts, sample, generation_key, result, epoch)
    if isinstance(result, Generation) and is_long(sample, result):
        return await computed(key)  # type: ignore[no-any-return]  # what it returns
    return key()


def score_key(facts: MetricFacts, sample: Sample, generation_key: str, result: Generation | Failure, epoch: str) -> str:
    """The content address of a score: metric, version, judge or model, references and what was scored.

    What was scored is the answer's content, not the call that produced it, so equal answers share
    judgements; for measured metrics (latency, cost, tokens) it is the call itself.
    """
    asked = epoch if facts.asked is not None else ""
    if not facts.answer:
        return digest(facts.text, facts.version, facts.signature, facts.asked, sample.digest, asked)
    if isinstance(result, Failure):
        return digest("unscored", generation_key, facts.text)
    measured = facts.needs & {"usage", "latency", "cost"}
    scored = generation_key if measured else _content(result)
    return digest(facts.text, facts.version, facts.signature, facts.asked, sample.digest, scored, asked)


def _content(answer: Generation) -> Json:
    """All of an answer that is not about the call which produced it."""
    listed = answer.contexts is not None or answer.tool_calls is not None or answer.transcript is not None
    if not (listed or answer.recorded_scores or answer.stages):
        return {"output": answer.output}
    said = answer.as_json()
    for stage in said.get("stages", ()):
        stage.pop("latency_s", None)
        stage.pop("cost_usd", None)
    return {name: said[name] for name in _CONTENT if name in said}


_CONTENT = ("output", "contexts", "tool_calls", "recorded_scores", "stages", "transcript")
