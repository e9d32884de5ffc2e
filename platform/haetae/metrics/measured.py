"""What was measured while generating, or judged by another tool: latency, tokens, cost, recorded scores."""

from __future__ import annotations

from haetae.core import reasons
from haetae.core.expected import Expected
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.choices import bounds, canonical, flag, one_of
from haetae.metrics.judges.reply import number
from haetae.metrics.stages.of_pipeline import stage_name, stage_of


class Latency:
    """Seconds that the successful call took, or one `stage` of a pipeline, lower is better.

    A stage that did not run for a sample (a guard had decided before) is unscored, not 0.
    """

    def __init__(self, stage: str | None = None) -> None:
        self._stage = None if stage is None else stage_name("latency_s", "stage", stage)
        self.facts = _facts(canonical("latency_s", stage=(stage, None)), "latency", stage)

    def score(self, sample: Sample, generation: Generation) -> Score:
        part = generation if self._stage is None else stage_of(generation, self._stage)
        if isinstance(part, Score):
            return part
        return _measured(part.latency_s, reasons.NOT_MEASURED, "the latency was not measured")


class Tokens:
    """Tokens of the call, lower is better: `total`, `input` (cached included) or `output` (reasoning included)."""

    def __init__(self, count: str = "total") -> None:
        self._count = one_of("tokens", "count", count, ("total", "input", "output"))
        self.facts = _facts(canonical("tokens", count=(count, "total")), "usage")

    def score(self, sample: Sample, generation: Generation) -> Score:
        usage = generation.usage
        if usage is None:
            return Score.unscored(reasons.NOT_MEASURED, "the endpoint reported no usage")
        read, written = usage.input + usage.cached_input, usage.output + usage.reasoning
        return Score(float({"total": usage.total, "input": read, "output": written}[self._count]))


class Cost:
    """US dollars that the call cost, or one `stage` of a pipeline, lower is better.

    Unscored where the price is unknown, never 0; also where the stage did not run.
    """

    def __init__(self, stage: str | None = None) -> None:
        self._stage = None if stage is None else stage_name("cost_usd", "stage", stage)
        self.facts = _facts(canonical("cost_usd", stage=(stage, None)), "cost", stage)

    def score(self, sample: Sample, generation: Generation) -> Score:
        part = generation if self._stage is None else stage_of(generation, self._stage)
        if isinstance(part, Score):
            return part
        return _measured(part.cost_usd, reasons.NO_PRICE, "the price is unknown")


class Recorded:
    """A score that came with a recorded output: what another tool judged, under the name it has there.

    `scale` is its range [low, high]. A record without the score is unscored with `not_measured`, one
    outside the scale with `out_of_range`.
    """

    def __init__(self, name: str, *, scale: tuple[float, float] | list[float], higher_is_better: bool = True) -> None:
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(f"recorded: {name!r} is not the name of a recorded score")
        self._name = name
        self._low, self._high = bounds("recorded", scale)
        self.facts = MetricFacts(
            text=canonical("recorded", name, scale=(list(scale), None), higher_is_better=(higher_is_better, True)),
            version="1",
            low=self._low,
            high=self._high,
            higher_is_better=flag("recorded", "higher_is_better", higher_is_better),
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        value = number(generation.recorded_scores.get(self._name))
        if value is None:
            there = ", ".join(sorted(generation.recorded_scores)) or "none"
            return Score.unscored(reasons.NOT_MEASURED, f"no number is recorded as {self._name!r}; there are {there}")
        return Score.of(value, self._low, self._high)


def _facts(text: str, need: str, stage: str | None = None) -> MetricFacts:
    return MetricFacts(
        text=text,
        version="1",
        high=None,
        higher_is_better=False,
        needs=frozenset({need}),
        expected=Expected({"stage": stage}),
        deterministic=need != "latency",
    )


def _measured(value: float | None, reason: str, explanation: str) -> Score:
    return Score.unscored(reason, explanation) if value is None else Score.of(value, 0.0, None)
