"""Our models in the shape that ragas 0.4 asks for: its prompts, our transport, our reasons.

ragas is kept from its network: telemetry is declined before the import and no cache is used. A reply is
read by ragas' own form; a verdict or rating off its scale counts as unreadable.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeVar

os.environ["RAGAS_DO_NOT_TRACK"] = "true"  # read when ragas is imported; "1" would not be heard

from pydantic import BaseModel, ValidationError
from ragas.embeddings.base import BaseRagasEmbedding
from ragas.llms.base import InstructorBaseRagasLLM

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.model import LanguageModel
from haetae.core.sample import Message
from haetae.errors import JudgeError
from haetae.metrics.judges.asking import Interview, UnansweredError

DECODING: dict[str, Json] = {"temperature": 0.0, "max_tokens": 4096}
_SCALES = {"rating": (0, 1, 2), "verdict": (0, 1), "attributed": (0, 1), "noncommittal": (0, 1)}
_CLAIMS = {"StatementGeneratorOutput": "statements", "ContextRecallOutput": "classifications"}
"""The forms in which ragas is told the statements of a text, and the list that holds them."""

Reply = TypeVar("Reply", bound=BaseModel)


class Chat(InstructorBaseRagasLLM):
    """Asks our model for ragas. `failed` keeps the first failure: some metrics of ragas swallow it.

    `divides` says that the metric divides by the number of statements: none is then `no_claims`.
    """

    def __init__(self, model: LanguageModel, interview: Interview, *, divides: bool) -> None:
        self._model, self._interview, self._divides = model, interview, divides
        self.failed: UnansweredError | JudgeError | None = None

    def generate(self, prompt: str, response_model: type[Reply]) -> Reply:
        raise NotImplementedError("ragas is asked asynchronously")

    async def agenerate(self, prompt: str, response_model: type[Reply]) -> Reply:
        def read(found: Mapping[str, Json]) -> Reply:
            try:
                reply = response_model.model_validate(found)
            except ValidationError as exc:
                raise ValueError("; ".join(str(error["msg"]) for error in exc.errors())) from exc
            _check_scales(reply.model_dump())
            return reply

        schema = response_model.model_json_schema()
        try:
            reply = await self._interview.ask(self._model, (Message("user", prompt),), schema, read, **DECODING)
            claims = _CLAIMS.get(response_model.__name__)
            if self._divides and claims is not None and not getattr(reply, claims):
                raise UnansweredError(reasons.NO_CLAIMS, "the judge found no statement of fact")
        except (UnansweredError, JudgeError) as failed:
            self.failed = self.failed or failed
            raise
        return reply


class Vectors(BaseRagasEmbedding):
    """Embeds texts with our model for ragas."""

    def __init__(self, model: LanguageModel, interview: Interview) -> None:
        super().__init__()
        self._model, self._interview = model, interview

    def embed_text(self, text: str, **_: Any) -> list[float]:
        raise NotImplementedError("ragas is asked asynchronously")

    async def aembed_text(self, text: str, **_: Any) -> list[float]:
        return (await self.aembed_texts([text]))[0]

    async def aembed_texts(self, texts: list[str], **_: Any) -> list[list[float]]:
        return [list(vector) for vector in await self._interview.embed(self._model, texts)]


def _check_scales(found: Json) -> None:
    """Raises ValueError for a verdict or rating off its scale, however deep it stands."""
    if isinstance(found, list):
        for inner in found:
            _check_scales(inner)
    elif isinstance(found, dict):
        for name, value in found.items():
            if name in _SCALES and value not in _SCALES[name]:
                raise ValueError(f"{name} is {value!r}, not one of {', '.join(map(str, _SCALES[name]))}")
            _check_scales(value)
