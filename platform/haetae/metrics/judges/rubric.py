"""A rubric: the prompt file that says what is good, filled with what a judge is shown of a sample and its answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.model import LanguageModel
from haetae.core.sample import Message, Sample, showing
from haetae.core.template import Prompt, check_variables
from haetae.metrics.judges.asking import Fence, Interview, UnansweredError, shipped_prompt, under_rules
from haetae.metrics.judges.scale import Scale
from haetae.metrics.text import contexts, references

OFFERED = frozenset({"input", "output", "reference", "contexts", "metadata"})
"""What a rubric may name. `{{ contexts }}` gives all passages; a loop over it gives one at a time."""


class Rubric:
    """A prompt that uses `output` and may use `input`, `reference`, `contexts` and `metadata`, and its scale.

    A rubric that names `reference` or `contexts` needs them. Everything but `metadata` reaches the judge
    between fences; the sample's pictures go with its last turn. `signature` is what of it fixes the numbers of
    a metric.
    """

    def __init__(self, prompt: Prompt, scale: Scale) -> None:
        check_variables(prompt, OFFERED, frozenset({"output"}), "helpfulness.ko")
        self.name, self.scale = prompt.name, scale
        self.needs = prompt.variables & {"reference", "contexts"}
        self.signature: dict[str, Json] = {
            "prompt": prompt.digest,
            "rules": shipped_prompt("rules.md").digest,
            "again": shipped_prompt("again.md").digest,
            "form": scale.prompt,
        }
        self._prompt = prompt

    async def ask(
        self, interview: Interview, model: LanguageModel, sample: Sample, generation: Generation, **decoding: Json
    ) -> tuple[float, str | None]:
        """The judge's score and its reasoning. Raises UnansweredError, also for a score off the scale."""
        fence = Fence.of(sample, generation.output)
        values = {**material(sample, generation, fence), "output": fence("output", generation.output)}
        turns = with_form(self._prompt.render(values, sample.id), self.scale.form)
        messages = under_rules(fence, showing(sample.images, turns))
        return await grade(interview, model, messages, self.scale, **decoding)


async def grade(
    interview: Interview, model: LanguageModel, messages: tuple[Message, ...], scale: Scale, **decoding: Json
) -> tuple[float, str | None]:
    """A score on the scale and its reasoning. Raises UnansweredError, with `out_of_range` for one off the scale."""
    score, reasoning = await interview.ask(model, messages, scale.schema, scale.read, **decoding)
    if not scale.low <= score <= scale.high:
        outside = f"{score} is outside the scale {scale.low} to {scale.high}"
        raise UnansweredError(reasons.OUT_OF_RANGE, f"{outside}: {reasoning}" if reasoning else outside)
    return score, reasoning


def material(sample: Sample, generation: Generation, fence: Fence) -> dict[str, Any]:
    """What a judge is shown beside the answer."""
    return {
        "input": fence("input", transcript(sample)),
        "reference": "\n".join(fence("reference", text) for text in references(sample)),
        "contexts": Passages(fence("context", text) for text in contexts(sample, generation)),
        "metadata": dict(sample.metadata),
    }


class Passages(tuple[str, ...]):
    """Passages that read as one text where a template does not loop over them."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(self)


def transcript(sample: Sample) -> str:
    """The input as one text; a chat turn by turn."""
    if isinstance(sample.input, str):
        return sample.input
    return "\n".join(f"{turn.role}: {turn.content}" for turn in sample.input)


def with_form(turns: tuple[Message, ...], form: Message) -> tuple[Message, ...]:
    """The rubric's turns, the last of them ending with the form of the answer."""
    if turns[-1].role != "user":
        return (*turns, form)
    return (*turns[:-1], replace(turns[-1], content=f"{turns[-1].content}\n\n{form.content}"))
