"""A language model says whether an agent reached what it was asked for."""

from __future__ import annotations

from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.sample import Sample, showing
from haetae.core.score import Score
from haetae.metrics.agents.transcript import MAX_SHOWN, dialogue, fence_of, fenced, given, shown_most
from haetae.metrics.choices import canonical
from haetae.metrics.judges.asking import Interview, UnansweredError, shipped_prompt, under_rules
from haetae.metrics.text import references

_DECODING: dict[str, Json] = {"temperature": 0.0, "max_tokens": 1024}
_SCHEMA: Json = {
    "title": "goal",
    "type": "object",
    "properties": {"reason": {"type": "string"}, "reached": {"type": "integer", "enum": [0, 1]}},
    "required": ["reason", "reached"],
    "additionalProperties": False,
}


class Goal:
    """Whether the goal is reached at the end of the dialogue: 1 or 0, with the judge's reason. One call.

    The goal is what the turns ask for. The sample's references, where it has any, say what is so when it is
    reached; one of them is enough. The judge sees the transcript (else the input and the answer) turn by turn,
    each between fences, its tool calls too, at most `max_chars` characters of it: of a longer one the middle is
    left out with a note. Unscored as `judge` is. Source: the agent goal accuracy of ragas 0.4, with and without
    a reference; here one question is asked of the whole dialogue, where ragas lets the judge write down the
    goal and the end state first and compares these.
    """

    def __init__(self, *, model: LanguageModel, max_chars: int = MAX_SHOWN) -> None:
        self._model = model
        self._most = shown_most("goal", max_chars)
        self.facts = MetricFacts(
            text=canonical("goal", max_chars=(max_chars, MAX_SHOWN)),
            version="2",
            signature={
                "prompts": {name: shipped_prompt(name).digest for name in ("rules.md", "again.md", "goal.md")},
                "max_chars": max_chars,
                **_DECODING,
            },
            judge=dict(model.fingerprint),
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        interview, turns = Interview(), dialogue(sample, generation)
        fence = fence_of(sample, turns)
        values = {
            "reference": "\n".join(fence("reference", text) for text in references(sample)),
            "dialogue": fenced(turns, fence, self._most, given(sample, turns)),
        }
        asked = showing(sample.images, shipped_prompt("goal.md").render(values, sample.id))
        try:
            reached, reason = await interview.ask(self._model, under_rules(fence, asked), _SCHEMA, _read, **_DECODING)
        except UnansweredError as unanswered:
            return interview.bill(unanswered.score)
        return interview.bill(Score(reached, explanation=reason))


def _read(found: dict[str, Json]) -> tuple[float, str | None]:
    reached, reason = found.get("reached"), found.get("reason")
    if type(reached) not in (int, bool) or reached not in (0, 1):
        raise ValueError(f"reached is {reached!r}, neither 0 nor 1")
    return float(reached), reason if isinstance(reason, str) else None
