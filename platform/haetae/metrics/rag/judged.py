"""What the RAG metrics share: one answer under judgement, the prompts, the model that is asked, and the bill."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.metrics.judges.asking import Fence, Interview, UnansweredError, shipped_prompt, under_rules
from haetae.metrics.rag.forms import STATEMENTS, VERDICTS, read_statements, read_verdicts

T = TypeVar("T")

_DECODING: dict[str, Json] = {"temperature": 0.0, "max_tokens": 4096}


@dataclass(frozen=True, slots=True)
class Case:
    """One answer under judgement: the fence round its texts, and the calls that its score takes."""

    sample: Sample
    generation: Generation
    fence: Fence
    interview: Interview


class Judged(ABC):
    """A metric that asks `model` by prompts of this package, and gives the reason where it gets no answer."""

    def __init__(
        self,
        text: str,
        *,
        version: str,
        model: LanguageModel,
        needs: frozenset[str],
        prompts: tuple[str, ...],
        calls: int | None = None,
        **signature: Json,
    ) -> None:
        self._model = model
        self._prompts = {name: shipped_prompt(name) for name in prompts}
        self.facts = MetricFacts(
            text=text,
            version=version,
            needs=needs,
            signature={
                "prompts": {name: shipped_prompt(name).digest for name in ("rules.md", "again.md", *prompts)},
                **_DECODING,
                **signature,
            },
            judge=dict(model.fingerprint),
            calls=calls,
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        interview = Interview()
        case = Case(sample, generation, Fence.of(sample, generation.output), interview)
        try:
            return interview.bill(await self._score(case))
        except UnansweredError as unanswered:
            return interview.bill(unanswered.score)

    @abstractmethod
    async def _score(self, case: Case) -> Score: ...

    async def _ask(
        self, case: Case, prompt: str, schema: Json, read: Callable[[dict[str, Json]], T], **values: Json
    ) -> T:
        """What `read` makes of the judge's answer to a prompt. Raises UnansweredError."""
        turns = under_rules(case.fence, self._prompts[prompt].render(values, case.sample.id))
        return await case.interview.ask(self._model, turns, schema, read, **_DECODING)

    async def _statements(self, case: Case, text: str) -> list[str]:
        """The statements of fact of an answer to the sample's question, each once."""
        question, answer = case.fence("question", case.sample.text), case.fence("answer", text)
        return await self._ask(case, "statements.md", STATEMENTS, read_statements, question=question, answer=answer)

    async def _verdicts(self, case: Case, prompt: str, statements: list[str], passages: tuple[str, ...]) -> list[int]:
        """For each statement 1 where the passages bear it out, else 0."""
        numbered = "\n".join(f"{place}. {statement}" for place, statement in enumerate(statements, 1))
        return await self._ask(
            case,
            prompt,
            VERDICTS,
            lambda found: read_verdicts(found, len(statements)),
            question=case.fence("question", case.sample.text),
            contexts=[case.fence("context", passage) for passage in passages],
            statements=case.fence("statements", numbered),
            count=len(statements),
        )


def no_context() -> Score:
    """The score of an answer for which nothing was found, or nothing but blanks."""
    return Score.unscored(reasons.MISSING_CONTEXT, "there is no context, or every one is blank")


def marked(verdicts: list[int], statements: list[str], good: str, bad: str) -> list[str]:
    """One line for people on each statement: the word for its verdict, and the statement."""
    return [f"{good if verdict else bad}: {text}" for verdict, text in zip(verdicts, statements, strict=True)]
