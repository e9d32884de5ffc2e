"""Metrics of the retrieved contexts: what they hold, how well they are ranked, what they leave out.

Published definitions, mended where they lose or invent scores: a verdict or rating that is missing
leaves the sample unscored, the best ranking is worth exactly 1, and a context that repeats the question
is judged like any other. Prompts are files in prompts/, fit for Korean and English.
"""

from __future__ import annotations

from haetae.core import reasons
from haetae.core.model import LanguageModel
from haetae.core.score import Score
from haetae.metrics.choices import canonical, one_of
from haetae.metrics.rag.forms import (
    ATTRIBUTION,
    RELEVANCE,
    USEFULNESS,
    read_attribution,
    read_rating,
    read_usefulness,
)
from haetae.metrics.rag.judged import Case, Judged, marked, no_context
from haetae.metrics.text import EMPTY_OUTPUT, contexts, nfc, no_reference, references

_CONTEXTS = frozenset({"contexts"})


class ContextRelevancy(Judged):
    """How much of what the question needs its contexts hold, in [0, 1], higher is better. Two calls.

    Two differently worded judges rate 0, 1 or 2; the score is half their mean. Source: the context
    relevance of ragas 0.4 and of Nvidia's RAG metrics before it; here the scale does not contradict
    itself, both judges must rate, and a context that repeats the question is judged like any other.
    """

    def __init__(self, *, model: LanguageModel) -> None:
        prompts = ("relevance-1.md", "relevance-2.md")
        super().__init__("context_relevancy", version="2", model=model, needs=_CONTEXTS, prompts=prompts, calls=2)

    async def _score(self, case: Case) -> Score:
        passages = contexts(case.sample, case.generation)
        if not passages:
            return no_context()
        question = case.fence("question", case.sample.text)
        fenced = [case.fence("context", passage) for passage in passages]
        ratings, reasoning = [], []
        for prompt in self._prompts:
            rating, reason = await self._ask(case, prompt, RELEVANCE, read_rating, question=question, contexts=fenced)
            ratings.append(rating)
            reasoning.append(f"{rating}: {reason}")
        return Score(sum(ratings) / (2 * len(ratings)), explanation="\n".join(reasoning))


class ContextPrecision(Judged):
    """Whether the contexts that helped stand before those that did not, in [0, 1], higher is better.

    The judge says of each context, in its rank, whether it is useful for arriving at the answer: one call
    each. The score is average precision: the mean, over the ranks k of useful contexts, of the share of
    useful ones among the first k; 0 where none is useful. A blank context keeps its rank, of no use.

    `against` says which answer: `reference` (any of the references), `output` (the answer itself, which
    ragas calls context utilization), or `auto`: the references of a sample that has some, else its output.
    The explanation says which it was. Unscored with `judge_parse_failure` where a verdict is missing.
    Source: context precision of ragas 0.4, without the 1e-10 in its denominator.
    """

    def __init__(self, *, model: LanguageModel, against: str = "auto") -> None:
        self._against = one_of("context_precision", "against", against, ("auto", "reference", "output"))
        super().__init__(
            canonical("context_precision", against=(against, "auto")),
            version="2",
            model=model,
            needs=_CONTEXTS | {"reference"} if against == "reference" else _CONTEXTS,
            prompts=("usefulness.md",),
        )

    async def _score(self, case: Case) -> Score:
        if not contexts(case.sample, case.generation):
            return no_context()
        given = references(case.sample) if self._against != "output" else ()
        if not given and self._against == "reference":
            return no_reference()
        answers = given or (case.generation.output,)
        if not any(map(str.strip, answers)):
            return Score.unscored(reasons.NO_CLAIMS, EMPTY_OUTPUT)
        question = case.fence("question", case.sample.text)
        fenced = [case.fence("answer", answer) for answer in answers]
        verdicts, reasoning = [], []
        for passage in case.generation.passages(case.sample):
            useful, reason = 0, "blank"
            if passage.strip():
                context = case.fence("context", nfc(passage))
                useful, reason = await self._ask(
                    case,
                    "usefulness.md",
                    USEFULNESS,
                    read_usefulness,
                    question=question,
                    answers=fenced,
                    context=context,
                )
            verdicts.append(useful)
            reasoning.append(f"{'useful' if useful else 'of no use'}: {reason}")
        said = "against the reference" if given else "against the output"
        return Score(average_precision(verdicts), explanation="\n".join([said, *reasoning]))


class ContextRecall(Judged):
    """The share of the reference's statements that the contexts bear out, in [0, 1], higher is better. One call.

    The judge lists the statements of the reference and gives each a verdict by number. Of several
    references the one that the contexts cover best counts, at a call each. Unscored with `no_claims`
    where no reference states anything, with `judge_parse_failure` where a verdict is missing. Source:
    context recall of Es et al. (2024) and ragas 0.4, which would average the verdicts that did come.
    """

    def __init__(self, *, model: LanguageModel) -> None:
        needs, prompts = _CONTEXTS | {"reference"}, ("attribution.md",)
        super().__init__("context_recall", version="2", model=model, needs=needs, prompts=prompts, calls=1)

    async def _score(self, case: Case) -> Score:
        given, passages = references(case.sample), contexts(case.sample, case.generation)
        if not given:
            return no_reference()
        if not passages:
            return no_context()
        question = case.fence("question", case.sample.text)
        fenced = [case.fence("context", passage) for passage in passages]
        found: list[Score] = []
        for reference in given:
            answer = case.fence("answer", reference)
            statements, verdicts = await self._ask(
                case, "attribution.md", ATTRIBUTION, read_attribution, question=question, answer=answer, contexts=fenced
            )
            if statements:
                marks = marked(verdicts, statements, "in the contexts", "not in the contexts")
                found.append(Score(sum(verdicts) / len(verdicts), explanation="\n".join(marks)))
        if not found:
            return Score.unscored(reasons.NO_CLAIMS, "the judge found no statement of fact in the reference")
        return max(found, key=lambda score: score.value or 0.0)


def average_precision(verdicts: list[int]) -> float:
    """The mean of the precision at the rank of each useful context; 0 where none is useful."""
    hits, total = 0, 0.0
    for rank, useful in enumerate(verdicts, 1):
        hits += useful
        total += useful * hits / rank
    return total / hits if hits else 0.0
