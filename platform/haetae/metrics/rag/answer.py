"""Metrics of the answer: does it rest on its contexts, and does it reply to the question?

Published definitions, mended where they lose or invent scores: a verdict that the judge left out makes
the answer unscored instead of raising it, an answer without claims is unscored, a statement listed
twice counts once, and a similarity is taken only in languages that the embedding model can compare.
Prompts are files in prompts/, fit for Korean and English.
"""

from __future__ import annotations

from haetae.core import reasons
from haetae.core.model import LanguageModel
from haetae.core.score import Score
from haetae.metrics.choices import canonical, whole
from haetae.metrics.rag.forms import questions_schema, read_questions
from haetae.metrics.rag.judged import Case, Judged, marked, no_context
from haetae.metrics.rag.nearness import Nearness
from haetae.metrics.text import EMPTY_OUTPUT, contexts, settle


class Faithfulness(Judged):
    """The share of the answer's statements that its contexts support, in [0, 1], higher is better. Two calls.

    The judge breaks the answer into statements, then gives each a verdict by number. Unscored with
    `no_claims` where the answer states nothing, with `judge_parse_failure` where a verdict is missing.
    Source: Es et al., "RAGAS: automated evaluation of retrieval augmented generation" (2024).
    """

    def __init__(self, *, model: LanguageModel) -> None:
        prompts = ("statements.md", "verdicts.md")
        needs = frozenset({"contexts"})
        super().__init__("faithfulness", version="3", model=model, needs=needs, prompts=prompts, calls=2)

    async def _score(self, case: Case) -> Score:
        passages = contexts(case.sample, case.generation)
        if not passages:
            return no_context()
        if not case.generation.output.strip():
            return Score.unscored(reasons.NO_CLAIMS, EMPTY_OUTPUT)
        statements = await self._statements(case, case.generation.output)
        if not statements:
            return Score.unscored(reasons.NO_CLAIMS, "the judge found no statement of fact in the answer")
        supported = await self._verdicts(case, "verdicts.md", statements, passages)
        marks = marked(supported, statements, "supported", "not supported")
        return Score(sum(supported) / len(supported), explanation="\n".join(marks))


class AnswerRelevancy(Judged):
    """How near the questions that the answer would reply to are to the one asked, in [0, 1], higher is better.

    One call writes `strictness` questions from the answer alone, one embeds them with the question;
    the score is the mean cosine, one below 0 counting as 0. A noncommittal answer scores 0. As good as
    the embedding model is in the languages at hand: `embeddings` has no default, and a sample whose
    question or answer is in Korean, Japanese, Chinese or Thai is unscored with `unsupported_language`
    where the model cannot tell a paraphrase in it from another question. Source: Es et al. (2024).
    """

    def __init__(self, *, model: LanguageModel, embeddings: LanguageModel, strictness: int = 3) -> None:
        self._count = whole("answer_relevancy", "strictness", strictness, 1, 10)
        self._nearness = Nearness(embeddings)
        super().__init__(
            canonical("answer_relevancy", strictness=(strictness, 3)),
            version="2",
            model=model,
            needs=frozenset(),
            prompts=("questions.md",),
            calls=2,
            similarity="cosine, at least 0",
            embeddings=dict(embeddings.fingerprint),
        )

    async def _score(self, case: Case) -> Score:
        question, answer = case.sample.text, case.generation.output
        if not answer.strip():
            return Score(0.0, explanation=EMPTY_OUTPUT)
        await self._nearness.admit(case.interview, question, answer)
        noncommittal, written = await self._ask(
            case,
            "questions.md",
            questions_schema(self._count),
            lambda found: read_questions(found, self._count),
            answer=case.fence("answer", answer),
            count=self._count,
        )
        if noncommittal:
            return Score(0.0, explanation="the judge calls the answer noncommittal")
        near = await self._nearness.cosines(case.interview, question, written)
        return Score.of(settle(float(near.mean()), 0.0, 1.0), 0.0, 1.0, "\n".join(written))
