"""G-Eval: criteria become evaluation steps, and the score is weighted by its tokens' probabilities."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import structs

from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.sample import Message, Sample, showing
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.choices import canonical
from haetae.metrics.judges.asking import Fence, Interview, UnansweredError, shipped_prompt, under_rules
from haetae.metrics.judges.evaluation_steps import EvaluationSteps, numbered
from haetae.metrics.judges.repeated import Decoding, Judgement, mean_of
from haetae.metrics.judges.rubric import grade, material, with_form
from haetae.metrics.judges.scale import Scale
from haetae.metrics.judges.token_weights import Weighted, weighted
from haetae.metrics.text import nfc, settle

Part = Literal["input", "reference", "contexts"]

_FILE = re.compile(r"\S+\.(?:md|txt|j2|ya?ml)")
MASS = 0.8
"""How much of all probability the scores must hold for their weights to count."""
_ONE_TOKEN = {"logprobs": True, "top_logprobs": 20, "max_tokens": 1, "temperature": 0.0}
_PROMPTS = (
    *("rules.md", "rules-number.md", "again.md"),
    *("g-eval-steps.md", "g-eval.md", "g-eval-number.md", "grade-step.md"),
)


class GEval:
    """A score by `criteria` in plain words, on a scale of whole numbers from 0 to 9 at most.

    The judge turns the criteria into evaluation steps (one call for a run; or they are given as `steps`),
    then writes one token: the score is Σ p(s)·s / Σ p(s) over the scores among its 20 likeliest
    (Liu et al., "G-Eval: NLG evaluation using GPT-4 with better human alignment", 2023). Where the endpoint
    tells no probabilities, or the scores hold less than 0.8 of them, the judge is asked `samples` times at
    temperature 1 and the score is the mean. `shown` is what the judge sees beside the answer.
    Statistics: the probability that the scores held (0 where none was told), then each sampled score; none
    of these where the score is weighted. The explanation says which way was taken, and by which steps.
    Unscored where no steps could be written, and where half of the samples have no score, for the reasons of `judge`.
    """

    def __init__(
        self,
        criteria: str,
        *,
        model: LanguageModel,
        steps: list[str] | None = None,
        shown: tuple[Part, ...] = ("input",),
        scale: tuple[int, int] | list[int] = (1, 5),
        samples: int = 10,
        max_tokens: int = 1024,
    ) -> None:
        if not criteria.strip() or steps == [] or not all(step.strip() for step in steps or ()):
            raise ConfigError("g_eval: criteria and steps are texts that say something")
        if _FILE.fullmatch(criteria.strip()):
            file = criteria.strip()
            wish = f"write the criteria in plain words, or {{ judge: {file} }} for the rubric in that file"
            raise ConfigError(f"g_eval: {file!r} is the name of a file, and criteria are not read from one; {wish}")
        self._model, self._criteria, self._parts = model, nfc(criteria), tuple(dict.fromkeys(shown))
        self._scale = Scale("g_eval", [*scale], steps=True)
        if self._scale.low < 0 or self._scale.high > 9:
            raise ConfigError(
                f"g_eval: scale {[*scale]}: a score of two digits or with a sign is more than one token, and has no "
                "probability of its own; use whole numbers within 0 to 9, such as [1, 5]"
            )
        self._decoding = Decoding("g_eval", samples, 1.0, max_tokens)
        self._steps = EvaluationSteps(self._criteria, (*self._parts, "output"), steps)
        bounds = {"low": f"{self._scale.low:g}", "high": f"{self._scale.high:g}"}
        self._number = shipped_prompt("g-eval-number.md").render(bounds, "")[0]
        self.facts = MetricFacts(
            text=canonical(
                "g_eval",
                self._criteria,
                steps=(steps, None),
                shown=([*self._parts], ["input"]),
                scale=([*scale], [1, 5]),
                samples=(samples, 10),
                max_tokens=(max_tokens, 1024),
            ),
            version="1",
            low=self._scale.low,
            high=self._scale.high,
            needs=frozenset({*self._parts} & {"reference", "contexts"}),
            signature={
                "prompts": {name: shipped_prompt(name).digest for name in _PROMPTS},
                "steps": "written by the judge" if steps is None else numbered(steps),
                "mass": MASS,
            },
            judge=dict(model.fingerprint),
            calls=1 + samples,
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        interview = Interview()
        try:
            steps, told = await self._steps.of(interview, self._model)
        except UnansweredError as unanswered:
            return interview.bill(unanswered.score)
        fence = Fence.of(sample, generation.output)
        turns = self._turns(steps, sample, generation, fence)
        found = await self._weighted(interview, fence, turns)
        if found is not None and found.mass >= MASS:
            value = settle(found.value, self._scale.low, self._scale.high)
            return interview.bill(Score(value, stats=(found.mass,), explanation=f"{found.text}\n{told}"))
        return interview.bill(await self._sampled(interview, fence, turns, found, told))

    def _turns(self, steps: str, sample: Sample, generation: Generation, fence: Fence) -> tuple[Message, ...]:
        texts = {**material(sample, generation, fence), "output": fence("output", generation.output)}
        parts = [str(texts[part]) for part in (*self._parts, "output")]
        values = {"criteria": self._criteria, "steps": steps, "parts": parts}
        return showing(sample.images, shipped_prompt("g-eval.md").render(values, sample.id))

    async def _weighted(self, interview: Interview, fence: Fence, turns: tuple[Message, ...]) -> Weighted | None:
        """The score by its token's probabilities; None where the endpoint tells none that can be read."""
        messages = under_rules(fence, with_form(turns, self._number), "rules-number.md")
        try:
            token = await interview.hear(self._model, messages, **_ONE_TOKEN)
        except UnansweredError:
            return None  # a call that the endpoint does not take; one that is down fails below too, with its reason
        scores = range(int(self._scale.low), int(self._scale.high) + 1)
        return weighted(token.alternatives[0], scores) if token.alternatives else None

    async def _sampled(
        self, interview: Interview, fence: Fence, turns: tuple[Message, ...], found: Weighted | None, told: str
    ) -> Score:
        messages = under_rules(fence, with_form(turns, self._scale.form))

        async def judge(place: int) -> Judgement:
            return await grade(interview, self._model, messages, self._scale, **self._decoding.of_call(place))

        score = await mean_of(self._decoding.samples, self._scale.low, self._scale.high, judge)
        mass = 0.0 if found is None else found.mass
        why = f"the scores hold {mass:.2f} of the probability" if found else "no probabilities of the scores are told"
        single = score.stats or ([] if score.value is None else [score.value])
        stats = () if score.value is None else (mass, *single)
        return structs.replace(score, stats=stats, explanation=f"{why}: {score.explanation}\n{told}")
