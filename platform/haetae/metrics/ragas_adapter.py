"""Three metrics of ragas 0.4 over our own models: its prompts and formulas, our transport and reasons.

ragas is kept from its network: telemetry is declined before the import, no cache is used, and text
metrics alone are offered. What it hides is shown: a call that failed or rated off the scale makes the
score unscored, where ragas would average the rest, and NaN is unscored with the reason behind it. What
it computes is its own: a verdict that the judge left out still raises its faithfulness.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, TypeVar

os.environ["RAGAS_DO_NOT_TRACK"] = "true"  # read when ragas is imported; "1" would not be heard

from pydantic import BaseModel, ValidationError
from ragas.embeddings.base import BaseRagasEmbedding
from ragas.llms.base import InstructorBaseRagasLLM
from ragas.metrics.collections import AnswerRelevancy, ContextRelevance, Faithfulness

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.sample import Message, Sample
from haetae.core.score import Score
from haetae.errors import ConfigError, JudgeError
from haetae.metrics.asking import Interview, UnansweredError
from haetae.metrics.choices import canonical, one_of
from haetae.metrics.text import contexts, settle

KINDS = ("faithfulness", "answer_relevancy", "context_relevance")
_DECODING: dict[str, Json] = {"temperature": 0.0, "max_tokens": 4096}

Reply = TypeVar("Reply", bound=BaseModel)


class Ragas:
    """A metric of ragas: `faithfulness`, `answer_relevancy` (needs `embeddings`) or `context_relevance`.

    In [0, 1]. `timeout_s` bounds all calls of one score. English prompts: the definitions of this
    package (`faithfulness`, …) are the choice for Korean.
    """

    def __init__(
        self,
        metric: str,
        *,
        model: LanguageModel,
        embeddings: LanguageModel | None = None,
        timeout_s: float = 180.0,
    ) -> None:
        self._kind = one_of("ragas", "metric", metric, KINDS)
        if self._kind == "answer_relevancy" and embeddings is None:
            raise ConfigError("ragas: answer_relevancy needs embeddings: name a registered model")
        if not isinstance(timeout_s, int | float) or isinstance(timeout_s, bool) or not 0 < timeout_s < math.inf:
            raise ConfigError(f"ragas: timeout_s {timeout_s!r} is not a number of seconds above 0")
        self._model, self._embeddings, self._timeout_s = model, embeddings, timeout_s
        self.facts = MetricFacts(
            text=canonical("ragas", self._kind),
            version="1",
            needs=frozenset() if self._kind == "answer_relevancy" else frozenset({"contexts"}),
            signature={"ragas": version("ragas"), **_DECODING}
            | ({"embeddings": dict(embeddings.fingerprint)} if embeddings is not None else {}),
            judge=dict(model.fingerprint),
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        interview = Interview()
        llm = _Chat(self._model, interview)
        try:
            async with asyncio.timeout(self._timeout_s):
                value = await self._value(llm, interview, sample, generation)
        except UnansweredError as unanswered:
            return interview.bill(unanswered.score)
        except TimeoutError:
            late = f"no score within {self._timeout_s:g} s"
            return interview.bill(Score.unscored(reasons.JUDGE_FAILED, late))
        except ValueError as exc:  # how ragas refuses an empty question, answer or context
            return interview.bill(Score.unscored(reasons.METRIC_RAISED, f"ragas: {exc}"))
        if isinstance(llm.failed, JudgeError):
            raise llm.failed
        if llm.failed is not None:
            return interview.bill(llm.failed.score)
        if math.isnan(value):
            no_claims = self._kind == "faithfulness" and interview.calls == 1  # it never came to the verdicts
            reason = reasons.NO_CLAIMS if no_claims else reasons.JUDGE_UNPARSEABLE
            return interview.bill(Score.unscored(reason, "ragas returned NaN"))
        return interview.bill(Score.of(settle(value, 0.0, 1.0), 0.0, 1.0))

    async def _value(self, llm: _Chat, interview: Interview, sample: Sample, generation: Generation) -> float:
        question, passages = sample.text, list(contexts(sample, generation))
        if self._kind == "faithfulness":
            result = await Faithfulness(llm=llm).ascore(question, generation.output, passages)
        elif self._kind == "context_relevance":
            result = await ContextRelevance(llm=llm, max_retries=1).ascore(question, passages)
        else:
            assert self._embeddings is not None  # noqa: S101  # the constructor has seen to it
            vectors = _Vectors(self._embeddings, interview)
            result = await AnswerRelevancy(llm=llm, embeddings=vectors).ascore(question, generation.output)
        return float(result.value)


class _Chat(InstructorBaseRagasLLM):
    """Asks our model for ragas. `failed` keeps the first failure: some metrics of ragas swallow it."""

    def __init__(self, model: LanguageModel, interview: Interview) -> None:
        self._model, self._interview = model, interview
        self.failed: UnansweredError | JudgeError | None = None

    def generate(self, prompt: str, response_model: type[Reply]) -> Reply:
        raise NotImplementedError("ragas is asked asynchronously")

    async def agenerate(self, prompt: str, response_model: type[Reply]) -> Reply:
        def read(found: Mapping[str, Json]) -> Reply:
            try:
                reply = response_model.model_validate(found)
            except ValidationError as exc:
                raise ValueError("; ".join(str(error["msg"]) for error in exc.errors())) from exc
            if getattr(reply, "rating", 0) not in (0, 1, 2):
                raise ValueError(f"rating is {found['rating']!r}, not 0, 1 or 2")
            return reply

        schema = response_model.model_json_schema()
        try:
            return await self._interview.ask(self._model, (Message("user", prompt),), schema, read, **_DECODING)
        except (UnansweredError, JudgeError) as failed:
            self.failed = self.failed or failed
            raise


class _Vectors(BaseRagasEmbedding):
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
