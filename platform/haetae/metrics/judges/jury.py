"""A jury: several judges score an answer by one rubric, and vote."""

from __future__ import annotations

from collections import Counter
from statistics import fmean
from typing import Literal

from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.core.template import Prompt
from haetae.errors import ConfigError
from haetae.metrics.choices import canonical, one_of, whole
from haetae.metrics.judges.asking import Interview, UnansweredError
from haetae.metrics.judges.repeated import Decoding, unscored
from haetae.metrics.judges.rubric import Rubric
from haetae.metrics.judges.scale import Scale, ScaleSpec
from haetae.metrics.text import settle

MEAN, MAJORITY = "mean", "majority"
_JURIES = range(2, 16)


class Jury:
    """What several judges say together, on `scale`: their mean, or the score that most of them give.

    Small judges of different families together err less than a large one alone (Verga et al., "Replacing
    judges with juries", 2024). `majority` needs a scale of `steps` or labels; where several scores have
    the most votes, the lowest of them counts: in doubt against the answer. No model sits twice. A juror
    without a readable score leaves the answer unscored, unless `quorum` jurors have one. Statistics: of each
    juror 1 and its score, or 0 and 0 where it has none. Parameters and reasons are those of `judge`.
    """

    def __init__(
        self,
        prompt: Prompt,
        *,
        models: tuple[LanguageModel, ...],
        scale: ScaleSpec = (1, 5),
        steps: bool = False,
        vote: Literal["mean", "majority"] = "mean",
        quorum: int | None = None,
        temperature: float = 0.0,
        max_tokens: int = 1024,
    ) -> None:
        if len(models) not in _JURIES:
            raise ConfigError(f"jury: models names {len(models)} judges; expected {_JURIES[0]} to {_JURIES[-1]}")
        prints = [dict(model.fingerprint) for model in models]
        for place, one in enumerate(prints):
            if one in prints[:place]:
                twice = (
                    f"jury: judges {prints.index(one) + 1} and {place + 1} are one and the same: its vote counts twice"
                )
                raise ConfigError(f"{twice}; name another, or ask one judge several times with judge: and samples:")
        self._models = models
        self._rubric = Rubric(prompt, Scale("jury", scale, steps))
        self._vote = one_of("jury", "vote", vote, (MEAN, MAJORITY))
        if self._vote == MAJORITY and not self._rubric.scale.steps:
            raise ConfigError("jury: a majority needs scores that can be the same: add steps: true, or name labels")
        self._quorum = len(models) if quorum is None else whole("jury", "quorum", quorum, 1, len(models))
        self._decoding = Decoding("jury", 1, temperature, max_tokens)
        self.facts = MetricFacts(
            text=canonical(
                "jury",
                prompt.name,
                scale=(self._rubric.scale.written, None),
                steps=(steps, False),
                vote=(vote, MEAN),
                quorum=(quorum, None),
                temperature=(temperature, 0.0),
                max_tokens=(max_tokens, 1024),
            ),
            version="1",
            low=self._rubric.scale.low,
            high=self._rubric.scale.high,
            needs=self._rubric.needs,
            signature={**self._rubric.signature, **self._decoding.signature, "ties": "lowest"},
            judge={"jury": prints},
            calls=len(models),
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        bill, stats, said, faults = Interview(), [], [], []
        scores: list[float] = []
        names: list[str | None] = []
        decoding: dict[str, Json] = self._decoding.of_call(0)
        for number, model in enumerate(self._models, 1):
            interview = Interview()
            try:
                score, reasoning = await self._rubric.ask(interview, model, sample, generation, **decoding)
                scores.append(score)
                stats += [1.0, score]
                said.append(f"juror {number}: {score:g}. {reasoning or ''}")
            except UnansweredError as fault:
                faults.append(fault)
                stats += [0.0, 0.0]
                said.append(f"juror {number}: {fault.reason}. {fault}")
            bill.include(interview)
            names.append(None if faults else interview.model)
        told = "\n".join(said)
        if len(scores) < self._quorum:
            return bill.bill(unscored(faults, f"\n{told}"))
        bill.model = ", ".join(filter(None, names)) if all(names) else None
        return bill.bill(Score(self._together(scores), stats=tuple(stats), explanation=told))

    def _together(self, scores: list[float]) -> float:
        """What the jurors say together."""
        if self._vote == MEAN:
            return settle(fmean(scores), self._rubric.scale.low, self._rubric.scale.high)
        votes = Counter(scores)
        return min(score for score, count in votes.items() if count == max(votes.values()))
