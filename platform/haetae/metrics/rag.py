"""Metrics of answers that rest on retrieved passages, judged by a language model.

Published definitions, mended where they lose or invent scores: a verdict that the judge left out makes
the answer unscored instead of raising it, an answer without claims is unscored, and two judges must
both rate. Prompts are files in prompts/, fit for Korean and English.
"""

from __future__ import annotations

import numpy as np

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.metrics.asking import Fence, Interview, UnansweredError, shipped_prompt, under_rules
from haetae.metrics.choices import canonical, whole
from haetae.metrics.rag_forms import (
    RELEVANCE,
    STATEMENTS,
    VERDICTS,
    questions_schema,
    read_questions,
    read_rating,
    read_statements,
    read_verdicts,
)
from haetae.metrics.text import EMPTY_OUTPUT, contexts, nfc, settle

_DECODING: dict[str, Json] = {"temperature": 0.0, "max_tokens": 4096}


class _Judged:
    """What the three have in common: the prompts, the model that is asked, and the bill."""

    def __init__(self, kind: str, model: LanguageModel, needs: frozenset[str], *prompts: str, **more: Json) -> None:
        self._model = model
        self._prompts = [shipped_prompt(name) for name in prompts]
        self.facts = MetricFacts(
            text=more.pop("text", kind),
            version="1",
            needs=needs,
            signature={
                "prompts": {prompt.name: prompt.digest for prompt in (shipped_prompt("rules.md"), *self._prompts)},
                **_DECODING,
                **more,
            },
            judge=dict(model.fingerprint),
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        interview = Interview()
        try:
            return interview.bill(await self._score(interview, Fence.of(sample, generation.output), sample, generation))
        except UnansweredError as unanswered:
            return interview.bill(unanswered.score)

    async def _score(self, interview: Interview, fence: Fence, sample: Sample, generation: Generation) -> Score:
        raise NotImplementedError


class Faithfulness(_Judged):
    """The share of the answer's statements that its contexts support, in [0, 1]. Two calls.

    The judge breaks the answer into statements, then gives each a verdict by number. Unscored with
    `no_claims` where the answer states nothing, with `judge_parse_failure` where a verdict is missing.
    Source: Es et al., "RAGAS: automated evaluation of retrieval augmented generation" (2024).
    """

    def __init__(self, *, model: LanguageModel) -> None:
        super().__init__("faithfulness", model, frozenset({"contexts"}), "statements.md", "verdicts.md")

    async def _score(self, interview: Interview, fence: Fence, sample: Sample, generation: Generation) -> Score:
        passages = contexts(sample, generation)
        if not passages:
            return _no_context()
        if not generation.output.strip():
            return Score.unscored(reasons.NO_CLAIMS, EMPTY_OUTPUT)
        claims, verdicts = self._prompts
        values: dict[str, Json] = {
            "question": fence("question", sample.text),
            "answer": fence("answer", generation.output),
        }
        turns = under_rules(fence, claims.render(values, sample.id))
        statements = await interview.ask(self._model, turns, STATEMENTS, read_statements, **_DECODING)
        if not statements:
            return Score.unscored(reasons.NO_CLAIMS, "the judge found no statement of fact in the answer")
        numbered = "\n".join(f"{place}. {statement}" for place, statement in enumerate(statements, 1))
        values = {
            "contexts": [fence("context", passage) for passage in passages],
            "statements": fence("statements", numbered),
            "count": len(statements),
        }
        turns = under_rules(fence, verdicts.render(values, sample.id))
        supported = await interview.ask(
            self._model, turns, VERDICTS, lambda found: read_verdicts(found, len(statements)), **_DECODING
        )
        marks = "\n".join(
            f"{'supported' if good else 'not supported'}: {statement}"
            for good, statement in zip(supported, statements, strict=True)
        )
        return Score(sum(supported) / len(supported), explanation=marks)


class AnswerRelevancy(_Judged):
    """How near the questions that the answer would reply to are to the question asked, in [0, 1].

    One call writes `strictness` questions from the answer alone, one embeds them with the question;
    the score is the mean cosine, one below 0 counting as 0. A noncommittal answer scores 0. As good as
    the embedding model is in the languages at hand: Korean needs a multilingual one, so `embeddings`
    has no default. Source: Es et al. (2024).
    """

    def __init__(self, *, model: LanguageModel, embeddings: LanguageModel, strictness: int = 3) -> None:
        self._count = whole("answer_relevancy", "strictness", strictness, 1, 10)
        self._embeddings = embeddings
        super().__init__(
            "answer_relevancy",
            model,
            frozenset(),
            "questions.md",
            text=canonical("answer_relevancy", strictness=(strictness, 3)),
            similarity="cosine, at least 0",
            embeddings=dict(embeddings.fingerprint),
        )

    async def _score(self, interview: Interview, fence: Fence, sample: Sample, generation: Generation) -> Score:
        if not generation.output.strip():
            return Score(0.0, explanation=EMPTY_OUTPUT)
        values = {"answer": fence("answer", generation.output), "count": self._count}
        turns = under_rules(fence, self._prompts[0].render(values, sample.id))
        noncommittal, questions = await interview.ask(
            self._model,
            turns,
            questions_schema(self._count),
            lambda found: read_questions(found, self._count),
            **_DECODING,
        )
        if noncommittal:
            return Score(0.0, explanation="the judge calls the answer noncommittal")
        vectors = await interview.embed(self._embeddings, [nfc(sample.text), *questions])
        return Score.of(_similarity(vectors), 0.0, 1.0, "\n".join(questions))


class ContextRelevancy(_Judged):
    """How much of what the question needs its contexts hold, in [0, 1]. Two calls.

    Two differently worded judges rate 0, 1 or 2; the score is half their mean. Source: the context
    relevance of ragas 0.4 and of Nvidia's RAG metrics before it; here the scale does not contradict
    itself, both judges must rate, and a context that repeats the question is judged like any other.
    """

    def __init__(self, *, model: LanguageModel) -> None:
        super().__init__("context_relevancy", model, frozenset({"contexts"}), "relevance-1.md", "relevance-2.md")

    async def _score(self, interview: Interview, fence: Fence, sample: Sample, generation: Generation) -> Score:
        passages = contexts(sample, generation)
        if not passages:
            return _no_context()
        values = {
            "question": fence("question", sample.text),
            "contexts": [fence("context", passage) for passage in passages],
        }
        ratings, reasoning = [], []
        for prompt in self._prompts:
            turns = under_rules(fence, prompt.render(values, sample.id))
            rating, reason = await interview.ask(self._model, turns, RELEVANCE, read_rating, **_DECODING)
            ratings.append(rating)
            reasoning.append(f"{rating}: {reason}")
        return Score(sum(ratings) / (2 * len(ratings)), explanation="\n".join(reasoning))


def _no_context() -> Score:
    return Score.unscored(reasons.MISSING_CONTEXT, "every context is blank")


def _similarity(vectors: tuple[tuple[float, ...], ...]) -> float:
    """The mean of the cosines of the first vector with the others, each at least 0; NaN for a zero vector."""
    asked, *written = np.asarray(vectors, dtype=np.float64)
    rows = np.asarray(written)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = rows @ asked / (np.linalg.norm(rows, axis=1) * np.linalg.norm(asked))
    return settle(float(np.maximum(cosines, 0.0).mean()), 0.0, 1.0)
