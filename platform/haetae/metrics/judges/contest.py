"""A contest: several answers under neutral labels, of which a judge chooses the best."""

from __future__ import annotations

from collections.abc import Sequence

from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.model import LanguageModel
from haetae.core.sample import Sample, showing
from haetae.core.template import Prompt, check_variables
from haetae.metrics.judges.asking import Fence, Interview, shipped_prompt, under_rules
from haetae.metrics.judges.rubric import material, with_form
from haetae.metrics.text import nfc

LABELS = "ABCDEFGH"
"""Labels by place: they say nothing of who answered."""
TIE = "tie"

OFFERED = frozenset({"input", "answers", "reference", "contexts", "metadata"})
"""What the rubric of a contest may name. `{{ answers }}` are all of them, each between its fences."""


class Contest:
    """A rubric that uses `answers`, and the form in which a judge names the best of `places` answers.

    With `ties` the judge may also call the best ones equal.
    """

    def __init__(self, prompt: Prompt, form: str, places: int, *, ties: bool) -> None:
        check_variables(prompt, OFFERED, frozenset({"answers"}), "preference.ko")
        self._prompt, self._labels = prompt, LABELS[:places]
        self._choices = [*self._labels, *([TIE] if ties else [])]
        self._form = shipped_prompt(form).render({"labels": ", ".join(self._labels)}, "")[0]
        self.needs = prompt.variables & {"reference", "contexts"}
        self.signature: dict[str, Json] = {
            "prompt": prompt.digest,
            "rules": shipped_prompt("rules.md").digest,
            "again": shipped_prompt("again.md").digest,
            "form": shipped_prompt(form).digest,
        }

    async def best(
        self,
        interview: Interview,
        model: LanguageModel,
        sample: Sample,
        generation: Generation,
        answers: Sequence[str],
        **decoding: Json,
    ) -> tuple[int | None, str]:
        """The place of the best answer, None for a tie, and the reasoning. Raises UnansweredError.

        The fences hold a hash of all answers, in whatever order they are shown.
        """
        fence = Fence.of(sample, "\n".join(sorted(map(nfc, answers))))
        labelled = zip(self._labels, answers, strict=True)
        values = {
            **material(sample, generation, fence),
            "answers": "\n\n".join(fence(f"answer-{label}", answer) for label, answer in labelled),
        }
        turns = with_form(self._prompt.render(values, sample.id), self._form)
        messages = under_rules(fence, showing(sample.images, turns))
        return await interview.ask(model, messages, self._schema, self._read, **decoding)

    @property
    def _schema(self) -> Json:
        return {
            "title": "choice",
            "type": "object",
            "properties": {"reasoning": {"type": "string"}, "best": {"type": "string", "enum": self._choices}},
            "required": ["reasoning", "best"],
            "additionalProperties": False,
        }

    def _read(self, found: dict[str, Json]) -> tuple[int | None, str]:
        best, reasoning = found.get("best"), found.get("reasoning")
        if not isinstance(best, str) or best not in self._choices:
            raise ValueError(f"best is {best!r}, not one of {', '.join(self._choices)}")
        return None if best == TIE else self._labels.index(best), reasoning if isinstance(reasoning, str) else ""
