"""Pairwise judging: is the answer better than another one, asked in both orders."""

from __future__ import annotations

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.outputs import Outputs
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.core.template import Prompt
from haetae.metrics.choices import canonical
from haetae.metrics.judges.asking import Interview, UnansweredError
from haetae.metrics.judges.contest import Contest
from haetae.metrics.judges.repeated import Decoding
from haetae.metrics.text import nfc, no_reference, references

_WORDS = {1.0: "won", 0.5: "tied", 0.0: "lost"}


class Pairwise:
    """Whether a judge prefers the answer to another one: 1 won, 0 lost, 0.5 a tie; the mean is the win rate.

    The other answer is the sample's first reference, or what `against`, a file of recorded outputs, has for
    its id. Both orders are asked, for judges favour a place (Zheng et al., "Judging LLM-as-a-judge", 2023):
    a win or a loss is one in both, and everything else a tie. `prompt` is a chat template that uses
    `answers` and may use `input`, `reference`, `contexts` and `metadata`. Statistics: the verdict with the
    answer shown first, and the one with it shown second. Two answers of the same text tie without a call.
    Unscored where either order is, and with `no_recorded_output` where there is nothing to compare with.
    """

    def __init__(
        self,
        prompt: Prompt,
        *,
        model: LanguageModel,
        against: Outputs | None = None,
        temperature: float = 0.0,
        max_tokens: int = 1024,
    ) -> None:
        self._model, self._against = model, against
        self._contest = Contest(prompt, "compare.md", 2, ties=True)
        self._decoding = Decoding("pairwise", 1, temperature, max_tokens)
        self.facts = MetricFacts(
            text=canonical(
                "pairwise",
                prompt.name,
                against=(None if against is None else against.name, None),
                temperature=(temperature, 0.0),
                max_tokens=(max_tokens, 1024),
            ),
            version="1",
            needs=self._contest.needs | ({"reference"} if against is None else frozenset()),
            signature={
                **self._contest.signature,
                **self._decoding.signature,
                "against": "reference" if against is None else against.digest,
            },
            judge=dict(model.fingerprint),
            calls=2,
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        other = self._other(sample)
        if isinstance(other, Score):
            return other
        if nfc(generation.output) == nfc(other):
            return Score(0.5, stats=(0.5, 0.5), explanation="both answers are the same text")
        interview, decoding = Interview(), self._decoding.of_call(0)
        verdicts: list[float] = []
        said: list[str] = []
        for answers in ((generation.output, other), (other, generation.output)):
            try:
                best, why = await self._contest.best(interview, self._model, sample, generation, answers, **decoding)
            except UnansweredError as unanswered:
                return interview.bill(unanswered.score)
            own = len(verdicts)  # the answer is first in the first order, second in the second
            verdicts.append(0.5 if best is None else float(best == own))
            said.append(f"shown {('first', 'second')[own]}: {_WORDS[verdicts[-1]]}. {why}")
        agreed = verdicts[0] if verdicts[0] == verdicts[1] else 0.5
        return interview.bill(Score(agreed, stats=tuple(verdicts), explanation="\n".join(said)))

    def _other(self, sample: Sample) -> str | Score:
        """The other answer, or why there is none."""
        if self._against is None:
            return next(iter(references(sample)), None) or no_reference()
        return answer_of(self._against, sample)


def answer_of(outputs: Outputs, sample: Sample) -> str | Score:
    """What a system answered to a sample, or the score of a sample without it."""
    found = outputs.answers.get(sample.id)
    return found or Score.unscored(reasons.NO_OUTPUT, f"{outputs.name} has no answer to {sample.id!r}")
