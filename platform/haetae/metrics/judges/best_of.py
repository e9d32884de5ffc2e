"""Best of several: how often a judge chooses the answer among those of other systems."""

from __future__ import annotations

from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.outputs import Outputs
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.core.template import Prompt
from haetae.errors import ConfigError
from haetae.metrics.choices import canonical
from haetae.metrics.judges.asking import Interview, UnansweredError
from haetae.metrics.judges.contest import LABELS, Contest
from haetae.metrics.judges.pairwise import answer_of
from haetae.metrics.judges.repeated import Decoding


class BestOf:
    """The share of rotations in which a judge chooses the answer as the best of k, in [0, 1]; chance is 1/k.

    k is one more than the files of recorded outputs in `against`. Every rotation of the answers is asked,
    so that each stands once at each place: a judge that always takes the first one gives everybody 1/k.
    `prompt` is a chat template as for `pairwise`. Statistics: of each rotation the answer that was chosen,
    0 for the one that is scored, 1 for that of the first file and so on; in rotation r the answer i stands
    at place (i − r) mod k. Unscored where one rotation is, and with `no_recorded_output` where a file has no
    answer to the sample.
    """

    def __init__(
        self,
        prompt: Prompt,
        *,
        model: LanguageModel,
        against: tuple[Outputs, ...],
        temperature: float = 0.0,
        max_tokens: int = 1024,
    ) -> None:
        if not 1 <= len(against) < len(LABELS):
            raise ConfigError(f"best_of: against names {len(against)} files; expected 1 to {len(LABELS) - 1}")
        self._model, self._against = model, against
        self._contest = Contest(prompt, "choose.md", 1 + len(against), ties=False)
        self._decoding = Decoding("best_of", 1, temperature, max_tokens)
        self.facts = MetricFacts(
            text=canonical(
                "best_of",
                prompt.name,
                against=([outputs.name for outputs in against], None),
                temperature=(temperature, 0.0),
                max_tokens=(max_tokens, 1024),
            ),
            version="1",
            needs=self._contest.needs,
            signature={
                **self._contest.signature,
                **self._decoding.signature,
                "against": [outputs.digest for outputs in against],
            },
            judge=dict(model.fingerprint),
            calls=1 + len(against),
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        answers = [generation.output]
        for outputs in self._against:
            other = answer_of(outputs, sample)
            if isinstance(other, Score):
                return other
            answers.append(other)
        interview, k = Interview(), len(answers)
        chosen, said = [], []
        for turn in range(k):
            rotated = [*answers[turn:], *answers[:turn]]
            try:
                place, why = await self._contest.best(
                    interview, self._model, sample, generation, rotated, **self._decoding.of_call(0)
                )
            except UnansweredError as unanswered:
                return interview.bill(unanswered.score)
            assert place is not None  # noqa: S101  # the form of this contest has no tie
            chosen.append((place + turn) % k)
            name = self._against[chosen[-1] - 1].name if chosen[-1] else "the answer"
            said.append(f"chosen at place {place + 1}: {name}. {why}")
        return interview.bill(Score(chosen.count(0) / k, stats=tuple(map(float, chosen)), explanation="\n".join(said)))
