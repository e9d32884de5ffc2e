"""The port of a language model behind an endpoint: what targets and judges ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from haetae.core.canonical import Json
from haetae.core.generation import Failure, Generation, Usage
from haetae.core.sample import Message


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector per text, all of one length."""

    vectors: tuple[tuple[float, ...], ...]
    usage: Usage | None = None
    cost_usd: float | None = None
    model: str | None = None


class LanguageModel(Protocol):
    """Answers chats and embeds texts. Every failure is a value; nothing is raised for a bad call.

    `fingerprint` is what fixes its answers: kind, base URL, model name, decoding parameters. Never a
    secret.
    """

    @property
    def fingerprint(self) -> Mapping[str, Json]: ...

    async def chat(
        self, messages: Sequence[Message], *, schema: Json = None, **overrides: Json
    ) -> Generation | Failure:
        """One answer. `schema` is a JSON schema that the answer should follow; it may not: parse it
        tolerantly. Its `title` names it on the wire. `overrides` replace decoding parameters for
        this call (`temperature=0`, `max_tokens=1`, `seed=3`).
        """
        ...

    async def embed(self, texts: Sequence[str]) -> Embeddings | Failure:
        """One vector per text."""
        ...

    async def aclose(self) -> None:
        """Give back the connections."""
        ...
