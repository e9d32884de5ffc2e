"""Model × Prompt: the target of most suites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from haetae.core.canonical import Json
from haetae.core.generation import Failure, Generation
from haetae.core.model import LanguageModel
from haetae.core.sample import Sample, message_from_json, showing
from haetae.core.template import Prompt, check_variables
from haetae.errors import ConfigError, Problem

_OFFERED = frozenset({"input", "contexts", "metadata", "messages"})
_REQUIRED = frozenset({"input", "messages"})


class Prompted:
    """Asks a model with a prompt; without a prompt the sample's own input is the chat.

    The sample's pictures go with the last user turn of the prompt, or stay in the turns of the input.
    """

    free = False
    reusable = True
    stages = ()

    def __init__(self, model: LanguageModel, prompt: Prompt | None) -> None:
        if prompt is not None:
            check_variables(prompt, _OFFERED, _REQUIRED)
        self._model = model
        self._prompt = prompt

    @property
    def deterministic(self) -> bool:
        """The model's."""
        return self._model.deterministic

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """Model and prompt, by content."""
        prompt = None if self._prompt is None else {"name": self._prompt.name, "digest": self._prompt.digest}
        return {"kind": "model", "model": dict(self._model.fingerprint), "prompt": prompt}

    def can_ask(self, size: int) -> bool:
        """Whether a request can be made of every sample of at most `size` bytes of JSON, whatever it holds."""
        return self._prompt is None or self._prompt.fits(size)

    def request(self, sample: Sample) -> Json:
        """The rendered chat; of pictures the path and the hash. Raises ConfigError where it has no place for them."""
        if self._prompt is None:
            return [message.as_json() for message in sample.messages]
        messages = self._prompt.render(_values(sample), sample.id)
        try:
            return [message.as_json() for message in showing(sample.images, messages)]
        except ValueError as exc:
            raise ConfigError(Problem(f"sample {sample.id!r}: {exc}", file=self._prompt.name)) from exc

    async def generate(self, sample: Sample, request: Json, repeat: int) -> Generation | Failure:
        """One answer; repeats differ by the seed where the model has one."""
        folder = next((image.folder for image in sample.images), None)
        messages = [message_from_json(turn, folder) for turn in request]
        seed = self._model.fingerprint.get("parameters", {}).get("seed") if repeat else None
        overrides = {"seed": seed + repeat} if isinstance(seed, int) else {}
        return await self._model.chat(messages, **overrides)

    async def aclose(self) -> None:
        """Close the model."""
        await self._model.aclose()


def _values(sample: Sample) -> dict[str, Any]:
    return {
        "input": sample.text,
        "contexts": list(sample.contexts or ()),
        "metadata": dict(sample.metadata),
        "messages": [message.as_json() for message in sample.messages],
    }
