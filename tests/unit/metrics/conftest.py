"""Shared helpers of the metric tests: a scripted language model, and short ways to a sample and an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from haetae.core.generation import Failure, Generation, Usage
from haetae.core.model import Embeddings
from haetae.core.sample import Message, Sample
from haetae.core.score import Score


@dataclass
class ScriptedModel:
    """Answers chats from a script, the last entry again and again; embeds by looking texts up.

    An entry is a text, an object (sent as JSON), a ready Generation or Failure, or a function of the
    chat. `by_title` scripts the replies for schemas of one title.
    """

    deterministic = False

    script: Sequence[Any] = ()
    by_title: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    vectors: Callable[[str], Sequence[float]] | Failure = lambda text: (float(len(text)), 1.0)
    chats: list[tuple[tuple[Message, ...], Any, dict[str, Any]]] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    name: str = "judge-1"

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return {"kind": "scripted", "name": self.name}

    async def chat(self, messages: Sequence[Message], *, schema: Any = None, **overrides: Any) -> Generation | Failure:
        self.chats.append((tuple(messages), schema, overrides))
        title = schema["title"] if schema else "plain"
        script = self.by_title.get(title, self.script)
        turn = self.asked.get(title, 0)
        self.asked[title] = turn + 1
        entry = script[min(turn, len(script) - 1)]
        if callable(entry):
            entry = entry(messages)
        if isinstance(entry, Generation | Failure):
            return entry
        text = entry if isinstance(entry, str) else json.dumps(entry, ensure_ascii=False)
        return Generation(text, usage=Usage(input=10, output=2), cost_usd=0.001, model="judge-1-2026")

    async def embed(self, texts: Sequence[str]) -> Embeddings | Failure:
        if isinstance(self.vectors, Failure):
            return self.vectors
        return Embeddings(tuple(tuple(self.vectors(text)) for text in texts), Usage(input=5), 0.0001, "emb-1")

    async def aclose(self) -> None:
        return None


@pytest.fixture
def scripted() -> type[ScriptedModel]:
    return ScriptedModel


@pytest.fixture
def score_of() -> Callable[..., Score]:
    """score_of(metric, output, *references): the score, awaited where the metric asks a model."""

    def score(metric: Any, output: str | Generation, *references: str, **sample: Any) -> Score:
        case = Sample(sample.pop("id", "s1"), sample.pop("input", "question"), references, **sample)
        found = metric.score(case, Generation(output) if isinstance(output, str) else output)
        if isinstance(found, Score):
            return found

        async def wait() -> Score:
            return await found

        return asyncio.run(wait())

    return score
