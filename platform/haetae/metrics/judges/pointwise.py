"""A language model as judge, by a rubric: a prompt file that says what is good, and a declared scale.

The judge writes its reasoning before its score (Liu et al., "G-Eval", 2023; Zheng et al., "Judging
LLM-as-a-judge", 2023) and the score is a JSON number on the scale or it is none: never a number
found in prose, never 0 for a reply that cannot be read, never clamped.
"""

from __future__ import annotations

from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.core.template import Prompt
from haetae.metrics.choices import canonical
from haetae.metrics.judges.asking import Interview
from haetae.metrics.judges.repeated import Decoding, Judgement, mean_of
from haetae.metrics.judges.rubric import Rubric
from haetae.metrics.judges.scale import Scale, ScaleSpec


class Judge:
    """The judge's score, on `scale`: `[low, high]`, with `steps` its whole numbers, or labels as `{good: 1, bad: 0}`.

    `prompt` is the rubric: a chat template that uses `output` and may use `input`, `reference`,
    `contexts` and `metadata`. A rubric that names `reference` or `contexts` needs them. Everything but
    `metadata` reaches the judge between fences. With `samples` the judge is asked so many times, at
    temperature 1 unless another is named (and with seeds from `seed` up), and the score is the mean; the
    single scores are its statistics. Unscored with `judge_refusal`, `judge_parse_failure`,
    `judge_failed` or `out_of_range`, the reply kept as explanation; where half of several calls give none.
    """

    def __init__(
        self,
        prompt: Prompt,
        *,
        model: LanguageModel,
        scale: ScaleSpec = (1, 5),
        steps: bool = False,
        samples: int = 1,
        temperature: float | None = None,
        seed: int | None = None,
        max_tokens: int = 1024,
    ) -> None:
        self._model = model
        self._rubric = Rubric(prompt, Scale("judge", scale, steps))
        self._decoding = Decoding("judge", samples, temperature, max_tokens, seed)
        self.facts = MetricFacts(
            text=canonical(
                "judge",
                prompt.name,
                scale=(self._rubric.scale.written, None),
                steps=(steps, False),
                samples=(samples, 1),
                temperature=(self._decoding.temperature, self._decoding.usual),
                seed=(seed, None),
                max_tokens=(max_tokens, 1024),
            ),
            version="1",
            low=self._rubric.scale.low,
            high=self._rubric.scale.high,
            needs=self._rubric.needs,
            signature={**self._rubric.signature, **self._decoding.signature},
            judge=dict(model.fingerprint),
            calls=samples,
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        interview, scale = Interview(), self._rubric.scale

        async def judge(place: int) -> Judgement:
            decoding = self._decoding.of_call(place)
            return await self._rubric.ask(interview, self._model, sample, generation, **decoding)

        return interview.bill(await mean_of(self._decoding.samples, scale.low, scale.high, judge))
