"""A language model as judge, by a rubric: a prompt file that says what is good, and a declared scale.

The judge writes its reasoning before its score (Liu et al., "G-Eval", 2023; Zheng et al., "Judging
LLM-as-a-judge", 2023) and the score is a JSON number on the scale or it is none: never a number
found in prose, never 0 for a reply that cannot be read, never clamped.
"""

from __future__ import annotations

from typing import Any

from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.sample import Message, Sample
from haetae.core.score import Score
from haetae.core.template import Prompt, check_variables
from haetae.errors import ConfigError
from haetae.metrics.asking import Fence, Interview, UnansweredError, shipped_prompt, under_rules
from haetae.metrics.choices import bounds, canonical, whole
from haetae.metrics.reply import number
from haetae.metrics.text import contexts, references

OFFERED = frozenset({"input", "output", "reference", "contexts", "metadata"})
"""What a rubric may name. `{{ contexts }}` gives all passages; a loop over it gives one at a time."""


class Judge:
    """The judge's score, on `scale`.

    `prompt` is the rubric: a chat template that uses `output` and may use `input`, `reference`,
    `contexts` and `metadata`. A rubric that names `reference` or `contexts` needs them. Everything but
    `metadata` reaches the judge between fences. Unscored with `judge_refusal`, `judge_parse_failure`,
    `judge_failed` or `out_of_range`, the reply kept as explanation.
    """

    def __init__(
        self,
        prompt: Prompt,
        *,
        model: LanguageModel,
        scale: tuple[float, float] | list[float],
        temperature: float = 0.0,
        max_tokens: int = 1024,
    ) -> None:
        check_variables(prompt, OFFERED, frozenset({"output"}))
        if number(temperature) is None or not 0 <= temperature <= 2:
            raise ConfigError(f"judge: temperature {temperature!r} is not a number from 0 to 2")
        self._prompt, self._model = prompt, model
        self._low, self._high = bounds("judge", scale)
        self._decoding = {"temperature": temperature, "max_tokens": whole("judge", "max_tokens", max_tokens, 1, 10**6)}
        self._schema = _schema(self._low, self._high)
        self._form = shipped_prompt("grade.md").render({"low": _plain(self._low), "high": _plain(self._high)}, "")[0]
        self.facts = MetricFacts(
            text=canonical(
                "judge",
                prompt.name,
                scale=(list(scale), None),
                temperature=(temperature, 0.0),
                max_tokens=(max_tokens, 1024),
            ),
            version="1",
            low=self._low,
            high=self._high,
            needs=prompt.variables & {"reference", "contexts"},
            signature={
                "prompt": prompt.digest,
                "rules": shipped_prompt("rules.md").digest,
                "form": shipped_prompt("grade.md").digest,
                **self._decoding,
            },
            judge=dict(model.fingerprint),
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        interview, fence = Interview(), Fence.of(sample, generation.output)
        turns = self._prompt.render(self._values(sample, generation, fence), sample.id)
        messages = under_rules(fence, _with_form(turns, self._form))
        try:
            graded, reasoning = await interview.ask(self._model, messages, self._schema, _read, **self._decoding)
        except UnansweredError as unanswered:
            return interview.bill(unanswered.score)
        return interview.bill(Score.of(graded, self._low, self._high, reasoning))

    def _values(self, sample: Sample, generation: Generation, fence: Fence) -> dict[str, Any]:
        given, passages = references(sample), contexts(sample, generation)
        return {
            "input": fence("input", _transcript(sample)),
            "output": fence("output", generation.output),
            "reference": "\n".join(fence("reference", text) for text in given),
            "contexts": _Passages(fence("context", text) for text in passages),
            "metadata": dict(sample.metadata),
        }


class _Passages(tuple[str, ...]):
    """Passages that read as one text where a template does not loop over them."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(self)


def _transcript(sample: Sample) -> str:
    if isinstance(sample.input, str):
        return sample.input
    return "\n".join(f"{turn.role}: {turn.content}" for turn in sample.input)


def _with_form(turns: tuple[Message, ...], form: Message) -> tuple[Message, ...]:
    """The rubric's turns, the last of them ending with the form of the answer."""
    if turns[-1].role != "user":
        return (*turns, form)
    return (*turns[:-1], Message("user", f"{turns[-1].content}\n\n{form.content}"))


def _schema(low: float, high: float) -> Json:
    return {
        "title": "grade",
        "type": "object",
        "properties": {
            "reasoning": {"type": "string"},
            "score": {"type": "number", "minimum": low, "maximum": high},
        },
        "required": ["reasoning", "score"],
        "additionalProperties": False,
    }


def _read(found: dict[str, Json]) -> tuple[float, str | None]:
    score = number(found.get("score"))
    if score is None:
        raise ValueError(f"score is {found['score']!r}, not a number" if "score" in found else "there is no score")
    reasoning = found.get("reasoning")
    return score, reasoning if isinstance(reasoning, str) else None


def _plain(value: float) -> str:
    return f"{value:g}"
