"""A language model in this process: the port around `causal.py`, which one worker thread runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from haetae.core import reasons
from haetae.core.canonical import Json, dumps
from haetae.core.clock import Clock
from haetae.core.generation import Failure, Generation, Usage
from haetae.core.local_spec import LocalDecoding, LocalSpec
from haetae.core.model import Embeddings, Likelihood
from haetae.core.sample import Message
from haetae.targets.worker import Worker

if TYPE_CHECKING:
    from haetae.targets.causal import Causal, Found

T = TypeVar("T")


@dataclass(slots=True)
class _Asked:
    prompt: str
    text: str
    answer: asyncio.Future[Likelihood | Failure]


def _likelihoods(asked: Sequence[tuple[str, str]], causal: Causal) -> list[Found]:
    return causal.likelihoods(asked)


class Local:
    """A model in a folder. It is loaded at the first call, in the thread that runs it: the event loop never waits.

    Likelihoods that are asked for while the thread is busy are scored together when it is free, in batches
    of like length. Chats are answered one by one. `window` and `stride` are the resolved ones. Closing it breaks
    off what is under way at the next batch or token.
    """

    def __init__(
        self, folder: Path, spec: LocalSpec, *, fingerprint: Mapping[str, Json], window: int, stride: int, clock: Clock
    ) -> None:
        self._folder = folder
        self._spec = spec
        self._fingerprint = fingerprint
        self._window, self._stride = window, stride
        self._clock = clock
        self._worker = Worker("haetae-local")
        self._causal: Causal | None = None
        self._waiting: list[_Asked] = []
        self._scoring: asyncio.Task[None] | None = None

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """What fixes the answers: the digest of the folder, precision, BOS, windows, batches, libraries, decoding."""
        return self._fingerprint

    @property
    def deterministic(self) -> bool:
        """Whether it takes the likeliest token each time."""
        return self._spec.parameters.temperature == 0

    async def chat(
        self, messages: Sequence[Message], *, schema: Json = None, **overrides: Json
    ) -> Generation | Failure:
        """See `LanguageModel.chat`. A schema is told in words, at the end of the last turn."""
        try:
            decoding = LocalDecoding.model_validate({**self._spec.parameters.model_dump(), **overrides})
        except ValidationError as exc:
            named = ", ".join(".".join(map(str, fault["loc"])) for fault in exc.errors())
            return Failure(reasons.REJECTED, f"a local model does not take {named} as given")
        if any(message.images for message in messages):
            return Failure(reasons.REJECTED, f"{self._folder.name} reads text only, and a turn holds a picture")
        turns = [{"role": message.role, "content": message.content} for message in messages]
        if schema is not None and turns:
            turns[-1]["content"] += f"\n\nReply with one JSON object that follows this JSON schema:\n{dumps(schema)}"
        started = self._clock.monotonic()
        found = await self._run(lambda causal: causal.reply(turns, decoding))
        if isinstance(found, Failure):
            return found
        usage, name = Usage(input=found.read, output=found.written), self._folder.name
        if not found.written:
            return Failure(reasons.TOO_LONG, f"the chat fills all {self._window} tokens of the context", usage=usage)
        if not found.ended:
            return Failure(reasons.TRUNCATED, "the answer reached the token limit (max_tokens)", usage=usage)
        if not found.text.strip():
            return Failure(reasons.EMPTY, "the model wrote an empty answer", usage=usage)
        took = self._clock.monotonic() - started
        return Generation(found.text, usage=usage, cost_usd=0.0, latency_s=took, model=name, finish_reason="stop")

    async def embed(self, texts: Sequence[str]) -> Embeddings | Failure:
        """See `LanguageModel.embed`: a causal model makes none."""
        return Failure(reasons.REJECTED, f"{self._folder.name} is a causal model and embeds no texts", fatal=True)

    async def likelihood(self, text: str, *, prompt: str = "") -> Likelihood | Failure:
        """See `LanguageModel.likelihood`. A token that holds the end of the prompt and the beginning of the
        text is the text's."""
        try:
            (prompt + text).encode()
        except UnicodeEncodeError:
            return Failure(reasons.REJECTED, "the text holds half a character (a lone surrogate), which no token is")
        loop = asyncio.get_running_loop()
        asked = _Asked(prompt, text, loop.create_future())
        if self._scoring is not None and self._scoring.get_loop() is not loop:  # that one ended while it scored
            self._scoring, self._waiting = None, []
        self._waiting.append(asked)
        if self._scoring is None:
            self._scoring = asyncio.create_task(self._score())
        return await asked.answer

    async def _score(self) -> None:
        """Score what waits, all of it at once, until nothing does."""
        await asyncio.sleep(0)  # those who ask at the same time are all heard first
        while self._waiting:
            group, self._waiting = self._waiting, []
            found = await self._run(partial(_likelihoods, [(asked.prompt, asked.text) for asked in group]))
            for n, asked in enumerate(group):
                if not asked.answer.done():  # whoever asked may have gone
                    asked.answer.set_result(found if isinstance(found, Failure) else self._told(found[n]))
        self._scoring = None

    def _told(self, found: Found) -> Likelihood:
        return Likelihood(found.logprobs, found.tokens, Usage(input=found.read), 0.0, self._folder.name)

    async def _run(self, work: Callable[[Causal], T]) -> T | Failure:
        """The result of work in the model's thread; what torch or transformers raise is a Failure."""

        def here() -> T:
            if self._causal is None:
                from haetae.targets.causal import Causal  # torch takes seconds to import

                self._causal = Causal(self._folder, self._spec, self._window, self._stride, self._worker.check)
            return work(self._causal)

        try:
            return await self._worker.run(here)
        except Exception as exc:
            why = f"the model in {self._folder.name} failed: {type(exc).__name__}: {exc}"[:600]
            return Failure(reasons.REJECTED, why, fatal=self._causal is None)

    async def aclose(self) -> None:
        """End the thread and let the model go."""
        await self._worker.aclose()
        self._causal = None
