"""A language model as judge of a conversation: of the whole, of each turn of the assistant, of how it changes."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any, Literal

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.sample import Message, Sample, showing
from haetae.core.score import Score
from haetae.core.template import Prompt, check_variables
from haetae.metrics.agents.transcript import MAX_SHOWN, dialogue, fence_of, fenced, given, shown_most
from haetae.metrics.choices import canonical, one_of, whole
from haetae.metrics.judges.asking import Fence, Interview, UnansweredError, shipped_prompt, under_rules
from haetae.metrics.judges.repeated import Decoding, Judgement
from haetae.metrics.judges.rubric import OFFERED, grade, material, with_form
from haetae.metrics.judges.scale import Scale, ScaleSpec
from haetae.metrics.text import settle

By = Literal["dialogue", "turn", "evolution"]


class Dialogue:
    """The judge's score of a conversation by a rubric, on `scale` (see `judge`).

        by: dialogue    one call: what the assistant says and does in all of its turns
        by: turn        a call for each turn in which the assistant says something, seen with the turns before it;
                        the score is their mean
        by: evolution   as `turn`; the score is the mean of the later half less that of the earlier half, a middle
                        turn in neither, from -(high - low) to high - low: above 0 it gets better. Unscored with
                        `not_measured` where fewer than two turns are judged

    The conversation is the transcript, else the input and the answer. The rubric may use `dialogue` (all of it
    that is judged, turn by turn), or `input` and `output` (what stands before the last judged turn, and that
    turn on), so a rubric for `judge` serves here too; and `reference`, `contexts` and `metadata` as there.
    Every turn stands between fences of its own, and so do its tool calls. Turns given with the input are shown as
    given and not judged. A dialogue over `max_chars` characters is shown without its middle, which a note says;
    one with more than `max_turns` turns to judge singly is unscored with `text_too_long`. Where one turn cannot
    be judged the conversation is unscored with its reason: a mean over what is left would be of another one.
    Statistics: the turns' scores in order. Source: pointwise judging as in MT-Bench, whole and per turn
    (Zheng et al., "Judging LLM-as-a-judge with MT-Bench and Chatbot Arena", 2023).
    """

    def __init__(
        self,
        prompt: Prompt,
        *,
        model: LanguageModel,
        by: By = "dialogue",
        scale: ScaleSpec = (1, 5),
        steps: bool = False,
        max_turns: int = 20,
        max_chars: int = MAX_SHOWN,
        temperature: float | None = None,
        max_tokens: int = 1024,
    ) -> None:
        check_variables(prompt, OFFERED | {"dialogue"}, frozenset({"dialogue", "output"}), "usefulness.ko")
        self._prompt, self._model, self._scale = prompt, model, Scale("dialogue", scale, steps)
        self._by = one_of("dialogue", "by", by, ("dialogue", "turn", "evolution"))
        self._max_turns = whole("dialogue", "max_turns", max_turns, 1, 1000)
        self._most = shown_most("dialogue", max_chars)
        self._decoding = Decoding("dialogue", 1, temperature, max_tokens).signature
        self._scope = shipped_prompt("dialogue-whole.md" if by == "dialogue" else "dialogue-turn.md")
        width = self._scale.high - self._scale.low
        self.facts = MetricFacts(
            text=canonical(
                "dialogue",
                prompt.name,
                by=(by, "dialogue"),
                scale=(self._scale.written, None),
                steps=(steps, False),
                max_turns=(max_turns, 20),
                max_chars=(max_chars, MAX_SHOWN),
                temperature=(self._decoding["temperature"], 0.0),
                max_tokens=(max_tokens, 1024),
            ),
            version="2",
            low=-width if by == "evolution" else self._scale.low,
            high=width if by == "evolution" else self._scale.high,
            needs=prompt.variables & {"reference", "contexts"},
            signature={
                "prompt": prompt.digest,
                "rules": shipped_prompt("rules.md").digest,
                "again": shipped_prompt("again.md").digest,
                "scope": self._scope.digest,
                "form": self._scale.prompt,
                "max_turns": max_turns,
                "max_chars": max_chars,
                **self._decoding,
            },
            judge=dict(model.fingerprint),
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        turns = dialogue(sample, generation)
        before = given(sample, turns)
        own = [n for n, turn in enumerate(turns) if n >= before and turn.role == "assistant"]
        if self._by == "dialogue":
            return await self._of_whole(sample, generation, turns, own)
        said = [place for place in own if turns[place].content.strip()]
        least = 2 if self._by == "evolution" else 1
        if len(said) < least:
            short = f"turns in which the assistant says something: {len(said)}, and {least} at least are needed"
            return Score.unscored(reasons.NOT_MEASURED, short)
        if len(said) > self._max_turns:
            long = f"{len(said)} turns to judge; max_turns is {self._max_turns}"
            return Score.unscored(reasons.TEXT_TOO_LONG, long)
        return await self._of_turns(sample, generation, turns, said)

    async def _of_whole(
        self, sample: Sample, generation: Generation, turns: Sequence[Message], own: Sequence[int]
    ) -> Score:
        if not own:
            return Score.unscored(reasons.NOT_MEASURED, "the assistant wrote no turn")
        interview = Interview()
        try:
            value, reasoning = await self._grade(interview, sample, generation, turns, own[-1])
        except UnansweredError as unanswered:
            return interview.bill(unanswered.score)
        return interview.bill(Score(value, explanation=reasoning))

    async def _of_turns(
        self, sample: Sample, generation: Generation, turns: Sequence[Message], said: Sequence[int]
    ) -> Score:
        interview, judged = Interview(), list[Judgement]()
        for place in said:
            try:
                judged.append(await self._grade(interview, sample, generation, turns[: place + 1], place))
            except UnansweredError as unanswered:
                return interview.bill(Score.unscored(unanswered.reason, f"turn {place + 1}: {unanswered}"))
        scores = [score for score, _ in judged]
        value = fmean(scores)
        if self._by == "evolution":
            half = len(scores) // 2
            value = fmean(scores[-half:]) - fmean(scores[:half])
        lines = [
            f"turn {place + 1}: {score:g} {reasoning or ''}".rstrip()
            for place, (score, reasoning) in zip(said, judged, strict=True)
        ]
        assert self.facts.low is not None and self.facts.high is not None  # noqa: S101, PT018  # a scale has ends
        value = settle(value, self.facts.low, self.facts.high)
        return interview.bill(Score(value, stats=tuple(scores), explanation="\n".join(lines)))

    async def _grade(
        self, interview: Interview, sample: Sample, generation: Generation, turns: Sequence[Message], last: int
    ) -> Judgement:
        """What the judge says of these turns, the one at `last` being the last that is judged."""
        fence = fence_of(sample, turns)
        values = {**material(sample, generation, fence), **self._shown(sample, turns, last, fence)}
        asked = with_form(self._prompt.render(values, sample.id), self._scope.render({}, "")[0])
        messages = under_rules(fence, showing(sample.images, with_form(asked, self._scale.form)))
        return await grade(interview, self._model, messages, self._scale, **self._decoding)

    def _shown(self, sample: Sample, turns: Sequence[Message], last: int, fence: Fence) -> dict[str, Any]:
        before = given(sample, turns)
        return {
            "dialogue": fenced(turns, fence, self._most, before),
            "input": fenced(turns[:last], fence, self._most, before),
            "output": fenced(turns[last:], fence, self._most, 0, first=last + 1),
        }
