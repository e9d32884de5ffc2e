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


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How probable a model finds a text that is there already.

    `logprobs` are the natural-log probabilities of the tokens that were scored, in order: all of the
    text but a first token before which nothing stands (where the model has no BOS and no prompt was
    given). `tokens` counts those of the text, the unscored first one included.
    """

    logprobs: tuple[float, ...]
    tokens: int
    usage: Usage | None = None
    cost_usd: float | None = None
    model: str | None = None


class LanguageModel(Protocol):
    """Answers chats, embeds texts, says how probable a text is. Every failure is a value; no bad call raises.

    `fingerprint` is what fixes its answers: kind, base URL, model name, decoding parameters. Never a
    secret. `deterministic` says that nothing drifts behind it: asked again, it answers the same.
    """

    @property
    def fingerprint(self) -> Mapping[str, Json]: ...

    @property
    def deterministic(self) -> bool: ...

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

    async def likelihood(self, text: str, *, prompt: str = "") -> Likelihood | Failure:
        """The log probabilities of the text's tokens, given the prompt before it. An endpoint that cannot
        tell them, or tells what cannot be true, is a Failure."""
        ...

    async def aclose(self) -> None:
        """Give back the connections."""
        ...
