"""A model, a target and a metric around those that work: each call makes a span.

Attributes follow OpenTelemetry's semantic conventions for generative AI; what these do not name is `haetae.*`.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from haetae.core.canonical import Json
from haetae.core.generation import Failure, Generation
from haetae.core.metric import Metric, MetricFacts
from haetae.core.model import Embeddings, LanguageModel, Likelihood
from haetae.core.sample import Message, Sample
from haetae.core.score import Score
from haetae.core.spans import Attribute, Span, Spans
from haetae.core.target import Target

_PARAMETERS = ("temperature", "top_p", "max_tokens", "seed")


class SpannedModel:
    """A span for each call of a model, its attempts and waits included."""

    def __init__(self, inner: LanguageModel, spans: Spans) -> None:
        self._inner = inner
        self._spans = spans
        self._attributes = _of_model(inner.fingerprint)
        self._name = str(self._attributes["gen_ai.request.model"])

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """The inner model's: to be watched changes no answer."""
        return self._inner.fingerprint

    @property
    def deterministic(self) -> bool:
        """The inner model's."""
        return self._inner.deterministic

    async def chat(
        self, messages: Sequence[Message], *, schema: Json = None, **overrides: Json
    ) -> Generation | Failure:
        """See `LanguageModel.chat`."""
        with self._span("chat") as span:
            answer = await self._inner.chat(messages, schema=schema, **overrides)
            _tell(span, answer)
            return answer

    async def embed(self, texts: Sequence[str]) -> Embeddings | Failure:
        """See `LanguageModel.embed`."""
        with self._span("embeddings") as span:
            answer = await self._inner.embed(texts)
            _tell(span, answer)
            return answer

    async def likelihood(self, text: str, *, prompt: str = "") -> Likelihood | Failure:
        """See `LanguageModel.likelihood`."""
        with self._span("text_completion") as span:
            answer = await self._inner.likelihood(text, prompt=prompt)
            _tell(span, answer)
            return answer

    async def aclose(self) -> None:
        """Close the inner model."""
        await self._inner.aclose()

    def _span(self, operation: str) -> AbstractContextManager[Span]:
        attributes = {"gen_ai.operation.name": operation, **self._attributes}
        return self._spans.span(f"{operation} {self._name}", attributes, calls=True)


class SpannedTarget:
    """A span for each generation. Where a model is asked, its calls are spans inside, and tell what they cost."""

    def __init__(self, inner: Target, spans: Spans) -> None:
        self._inner = inner
        self._spans = spans
        self._kind = str(inner.fingerprint.get("kind", "target"))

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """The inner target's."""
        return self._inner.fingerprint

    @property
    def free(self) -> bool:
        """The inner target's."""
        return self._inner.free

    @property
    def reusable(self) -> bool:
        """The inner target's."""
        return self._inner.reusable

    @property
    def deterministic(self) -> bool:
        """The inner target's."""
        return self._inner.deterministic

    @property
    def stages(self) -> Collection[str] | None:
        """The inner target's."""
        return self._inner.stages

    def request(self, sample: Sample) -> Json:
        """See `Target.request`."""
        return self._inner.request(sample)

    async def generate(self, sample: Sample, request: Json, repeat: int) -> Generation | Failure:
        """See `Target.generate`."""
        told: dict[str, Attribute] = {
            "haetae.sample.id": sample.id,
            "haetae.repeat": repeat,
            "haetae.target.kind": self._kind,
        }
        with self._spans.span("generate", told) as span:
            answer = await self._inner.generate(sample, request, repeat)
            if self._kind != "model":
                _tell(span, answer)
            elif isinstance(answer, Failure):
                span.failed(answer.reason)
            return answer

    async def aclose(self) -> None:
        """Close the inner target."""
        await self._inner.aclose()


class SpannedMetric:
    """A span for each judgement of a metric that asks a model."""

    def __init__(self, name: str, inner: Metric, spans: Spans) -> None:
        self._name = name
        self._inner = inner
        self._spans = spans

    @property
    def facts(self) -> MetricFacts:
        """The inner metric's."""
        return self._inner.facts

    async def score(self, sample: Sample, generation: Generation) -> Score:
        """See `Metric.score`."""
        told = {"gen_ai.evaluation.name": self._name, "haetae.sample.id": sample.id}
        with self._spans.span(f"judge {self._name}", told) as span:
            given = self._inner.score(sample, generation)
            found = await given if inspect.isawaitable(given) else given
            if found.value is None:
                span.failed(found.reason or "unscored")
            else:
                span.tell({"gen_ai.evaluation.score.value": found.value})
            return found


def spanned_metrics(metrics: Mapping[str, Metric], spans: Spans) -> dict[str, Metric]:
    """The metrics, those that ask a model with spans."""
    return {
        name: metric if metric.facts.asked is None else SpannedMetric(name, metric, spans)
        for name, metric in metrics.items()
    }


def _of_model(fingerprint: Mapping[str, Json]) -> dict[str, Attribute]:
    """What each call of a model has in common; a placeholder in its address stays one."""
    address = str(fingerprint.get("base_url", ""))
    found: dict[str, Attribute] = {
        "gen_ai.provider.name": "openai" if address else "local",
        "gen_ai.request.model": str(fingerprint.get("model") or fingerprint.get("name") or "model"),
    }
    if address and "$" not in address:
        parts = urlsplit(address)
        found["server.address"] = parts.hostname or address
        found["server.port"] = parts.port or (443 if parts.scheme == "https" else 80)
    parameters = fingerprint.get("parameters") or {}
    chosen = {name: parameters[name] for name in _PARAMETERS if isinstance(parameters.get(name), int | float)}
    return found | {f"gen_ai.request.{name}": value for name, value in chosen.items()}


def _tell(span: Span, answer: Generation | Embeddings | Likelihood | Failure) -> None:
    told: dict[str, Attribute] = {}
    if answer.usage is not None:
        told["gen_ai.usage.input_tokens"] = answer.usage.input + answer.usage.cached_input
        told["gen_ai.usage.output_tokens"] = answer.usage.output + answer.usage.reasoning
        if answer.usage.cached_input:
            told["gen_ai.usage.cache_read.input_tokens"] = answer.usage.cached_input
    if answer.cost_usd is not None:
        told["haetae.cost_usd"] = answer.cost_usd
    if isinstance(answer, Generation | Failure):
        told["haetae.attempts"] = answer.attempts
    if isinstance(answer, Generation) and answer.finish_reason:
        told["gen_ai.response.finish_reasons"] = (answer.finish_reason,)
    if not isinstance(answer, Failure) and answer.model:
        told["gen_ai.response.model"] = answer.model
    span.tell(told)
    if isinstance(answer, Failure):
        span.failed(answer.reason)
