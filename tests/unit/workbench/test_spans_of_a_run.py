"""A run of the demo's server makes spans: the run, its generations, its judgements and the calls of both."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from haetae import Report, Workbench, load_settings
from haetae.core.generation import Failure, Generation, Usage
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.demo.server import DemoServer
from haetae.engine.spanned import SpannedMetric, SpannedModel, SpannedTarget, spanned_metrics


@dataclass
class Told:
    name: str
    attributes: dict[str, Any]
    calls: bool
    within: str | None
    failure: str | None = None

    def tell(self, attributes: Mapping[str, Any]) -> None:
        self.attributes.update(attributes)

    def failed(self, reason: str) -> None:
        self.failure = reason


@dataclass
class FakeSpans:
    """Remembers spans; those of one task lie in one another."""

    told: list[Told] = field(default_factory=list)
    open: list[Told] = field(default_factory=list)

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Any], *, calls: bool = False) -> Iterator[Told]:
        made = Told(name, dict(attributes), calls, self.open[-1].name if self.open else None)
        self.told.append(made)
        self.open.append(made)
        try:
            yield made
        except BaseException as exc:
            made.failed(type(exc).__name__)
            raise
        finally:
            self.open.remove(made)

    def close(self, deadline_s: float) -> str | None:
        return "1 of 9 spans were not taken by the collector"


class _Model:
    fingerprint: Mapping[str, Any] = {
        "base_url": "https://llm.example:8443/v1",
        "model": "big",
        "parameters": {"temperature": 0.5, "max_tokens": 9, "stop": ["x"]},
    }

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def chat(self, messages: Any, *, schema: Any = None, **overrides: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def embed(self, texts: Any) -> Any:
        return self.answer

    async def likelihood(self, text: str, *, prompt: str = "") -> Any:
        return self.answer

    async def aclose(self) -> None:
        self.answer = None


def test_a_call_of_a_model_tells_its_tokens_and_none_of_its_text() -> None:
    spans = FakeSpans()
    usage = Usage(input=10, cached_input=5, output=7, reasoning=3)
    answer = Generation(
        "a secret answer", usage=usage, cost_usd=0.25, model="big-2026", finish_reason="stop", attempts=2
    )
    model = SpannedModel(_Model(answer), spans)
    assert asyncio.run(model.chat([])) is answer
    assert model.fingerprint == _Model.fingerprint
    (span,) = spans.told
    assert (span.name, span.calls, span.failure) == ("chat big", True, None)
    assert span.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "big",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.response.model": "big-2026",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 15,
        "gen_ai.usage.cache_read.input_tokens": 5,
        "gen_ai.usage.output_tokens": 10,
        "haetae.attempts": 2,
        "haetae.cost_usd": 0.25,
        "server.address": "llm.example",
        "server.port": 8443,
    }


def test_a_call_that_fails_says_its_reason_in_a_word() -> None:
    spans = FakeSpans()
    failure = Failure("rate_limited", "HTTP 429: you asked: my question", attempts=5)
    asyncio.run(SpannedModel(_Model(failure), spans).chat([]))
    with pytest.raises(ZeroDivisionError):
        asyncio.run(SpannedModel(_Model(ZeroDivisionError("x")), spans).chat([]))
    assert [(span.failure, span.attributes.get("haetae.attempts")) for span in spans.told] == [
        ("rate_limited", 5),
        ("ZeroDivisionError", None),
    ]
    assert "my question" not in str(spans.told)


class _Target:
    free, reusable, deterministic, stages = True, True, True, ("search",)

    def __init__(self, kind: str, answer: Any) -> None:
        self.fingerprint = {"kind": kind}
        self.answer = answer

    def request(self, sample: Sample) -> Any:
        return "q"

    async def generate(self, sample: Sample, request: Any, repeat: int) -> Any:
        return self.answer

    async def aclose(self) -> None:
        return None


@pytest.mark.parametrize(("kind", "tokens"), [("model", None), ("function", 4)])
def test_tokens_are_told_once_where_they_were_spent(kind: str, tokens: int | None) -> None:
    spans = FakeSpans()
    target = SpannedTarget(_Target(kind, Generation("x", usage=Usage(input=4))), spans)
    asyncio.run(target.generate(Sample("s1", "q"), "q", 2))
    (span,) = spans.told
    assert (span.attributes["haetae.sample.id"], span.attributes["haetae.repeat"]) == ("s1", 2)
    assert span.attributes.get("gen_ai.usage.input_tokens") == tokens
    assert (target.free, target.reusable, target.deterministic, target.stages) == (True, True, True, ("search",))
    assert target.request(Sample("s", "q")) == "q"


@dataclass
class _Metric:
    found: Score
    judge: Mapping[str, Any] | None = None

    @property
    def facts(self) -> MetricFacts:
        return MetricFacts("m", "1", judge=self.judge)

    def score(self, sample: Sample, generation: Generation) -> Score:
        return self.found


def test_only_a_metric_that_asks_makes_spans() -> None:
    spans = FakeSpans()
    metrics = spanned_metrics({"em": _Metric(Score(1.0)), "polite": _Metric(Score(0.5), {"model": "j"})}, spans)
    assert isinstance(metrics["em"], _Metric)
    judged, unscored = metrics["polite"], SpannedMetric("polite", _Metric(Score.unscored("judge_failed")), spans)
    for metric in (judged, unscored):
        asyncio.run(metric.score(Sample("s1", "q"), Generation("x")))  # type: ignore[arg-type]  # they are asynchronous
    assert [(s.name, s.attributes.get("gen_ai.evaluation.score.value"), s.failure) for s in spans.told] == [
        ("judge polite", 0.5, None),
        ("judge polite", None, "judge_failed"),
    ]


def test_a_run_is_one_span_around_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spans = FakeSpans()
    monkeypatch.setattr("haetae.workbench.spanning.open_spans", lambda env: (spans, None))
    (tmp_path / "rows.jsonl").write_text(
        '{"id": "a", "input": "Port?", "reference": "Port 80.", "contexts": ["Port 80."]}\n'
    )
    (tmp_path / "ask.md").write_text("### Passages\n{{ contexts }}\n### Question\n{{ input }}")
    (tmp_path / "suite.yaml").write_text(
        "suite: small\ndataset: rows.jsonl\ntarget: { model: m@1, prompt: ask.md }\njudge: j@1\n"
        "metrics: { f1: token_f1, faithful: faithfulness }\nlimits: { in_flight: 1 }\n"
    )

    async def work() -> Report:
        async with DemoServer() as server:
            with Workbench(load_settings({"HAETAE_HOME": str(tmp_path / "home")})) as bench:
                for name, model in (("m", "extractive-answerer"), ("j", "lexical-judge")):
                    (tmp_path / f"{name}.yaml").write_text(f"base_url: {server.base_url}\nmodel: {model}\n")
                    bench.register("model", tmp_path / f"{name}.yaml")
                return await asyncio.to_thread(bench.run, tmp_path / "suite.yaml")

    report = asyncio.run(work())
    within = {(span.name, span.within) for span in spans.told}
    assert {
        ("run small", None),
        ("generate", "run small"),
        ("chat extractive-answerer", "generate"),
        ("judge faithful", "run small"),
        ("chat lexical-judge", "judge faithful"),
    } == within
    assert "1 of 9 spans were not taken by the collector" in report.notes
    assert "Port" not in str(spans.told)
