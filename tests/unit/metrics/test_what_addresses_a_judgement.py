"""Every prompt of the package that a judge may be asked with is in the signature: an edited one judges anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from haetae.core.canonical import dumps
from haetae.core.outputs import Outputs
from haetae.core.template import Prompt
from haetae.metrics.judges.asking import shipped_prompt
from haetae.metrics.judges.best_of import BestOf
from haetae.metrics.judges.blocking import BlockingJudge
from haetae.metrics.judges.dialogue import Dialogue
from haetae.metrics.judges.g_eval import GEval
from haetae.metrics.judges.goal import Goal
from haetae.metrics.judges.jury import Jury
from haetae.metrics.judges.pairwise import Pairwise
from haetae.metrics.judges.pointwise import Judge
from haetae.metrics.rag.answer import Faithfulness
from haetae.metrics.rag.context import ContextPrecision, ContextRecall, ContextRelevancy
from haetae.metrics.rag.correctness import AnswerCorrectness

RUBRIC = Prompt.of("polite.md", "Is it polite? {{ output }}")
CONTEST = Prompt.of("better.md", "Which is better? {{ answers }}")
WHOLE = Prompt.of("kind.md", "Is it kind? {{ dialogue }}")
SAFE = Prompt.of("safe.md", "Is it safe? {{ input }}")
OTHER = Outputs("other.jsonl", {"s1": "the other answer"})

JUDGED: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "judge": lambda scripted: Judge(RUBRIC, model=scripted()).facts.signature,
    "jury": lambda scripted: Jury(RUBRIC, models=(scripted(name="a"), scripted(name="b"))).facts.signature,
    "pairwise": lambda scripted: Pairwise(CONTEST, model=scripted()).facts.signature,
    "best_of": lambda scripted: BestOf(CONTEST, model=scripted(), against=(OTHER,)).facts.signature,
    "dialogue": lambda scripted: Dialogue(WHOLE, model=scripted()).facts.signature,
    "goal": lambda scripted: Goal(model=scripted()).facts.signature,
    "g_eval": lambda scripted: GEval("It is polite.", model=scripted()).facts.signature,
    "faithfulness": lambda scripted: Faithfulness(model=scripted()).facts.signature,
    "answer_correctness": lambda scripted: AnswerCorrectness(model=scripted(), weights=[1, 0]).facts.signature,
    "context_precision": lambda scripted: ContextPrecision(model=scripted()).facts.signature,
    "context_recall": lambda scripted: ContextRecall(model=scripted()).facts.signature,
    "context_relevancy": lambda scripted: ContextRelevancy(model=scripted()).facts.signature,
    "a judge as a guard": lambda scripted: BlockingJudge(SAFE, scripted()).fingerprint,
}


@pytest.mark.parametrize("signature", JUDGED.values(), ids=JUDGED)
@pytest.mark.parametrize("prompt", ["rules.md", "again.md"])
def test_the_rules_and_the_question_asked_again_are_part_of_the_signature(
    signature: Callable[[Any], Any], prompt: str, scripted: Any
) -> None:
    assert shipped_prompt(prompt).digest in dumps(dict(signature(scripted)))
