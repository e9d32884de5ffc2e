"""The evaluation steps of G-Eval: given with the criteria, or written by the judge, once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from haetae.core.canonical import Json, digest
from haetae.core.model import LanguageModel
from haetae.metrics.judges.asking import Fence, Interview, shipped_prompt, under_rules

WRITTEN = "steps written for the criteria (keep them with steps:):"
"""What stands before steps that the judge wrote, in the explanation of the score that paid for them."""
_MOST = 20
_DECODING: dict[str, Json] = {"temperature": 0.0, "max_tokens": 2048}
_SCHEMA: Json = {
    "title": "steps",
    "type": "object",
    "properties": {"steps": {"type": "array", "items": {"type": "string"}}},
    "required": ["steps"],
    "additionalProperties": False,
}


class EvaluationSteps:
    """The steps of one set of criteria. A failed attempt to have them written is not kept: the next one tries again."""

    def __init__(self, criteria: str, shown: Sequence[str], given: Sequence[str] | None) -> None:
        self._criteria, self._shown = criteria, ", ".join(shown)
        self._known = None if given is None else numbered(given)
        self._writing = asyncio.Lock()

    async def of(self, interview: Interview, model: LanguageModel) -> tuple[str, str]:
        """The steps as one text, and what is to be said of them with a score.

        The score whose interview paid for them tells them whole, the others by their digest. Raises
        UnansweredError.
        """
        async with self._writing:
            if self._known is None:
                self._known = await self._written(interview, model)
                return self._known, f"{WRITTEN}\n{self._known}"
        return self._known, f"steps {digest(self._known)[:12]}"

    async def _written(self, interview: Interview, model: LanguageModel) -> str:
        values = {"criteria": self._criteria, "shown": self._shown}
        turns = under_rules(Fence(digest(self._criteria)[:16]), shipped_prompt("g-eval-steps.md").render(values, ""))
        return numbered(await interview.ask(model, turns, _SCHEMA, _read, **_DECODING))


def numbered(steps: Sequence[str]) -> str:
    """One step a line, with its number."""
    return "\n".join(f"{place}. {' '.join(step.split())}" for place, step in enumerate(steps, 1))


def _read(found: dict[str, Json]) -> list[str]:
    steps = found.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, str) and step.strip() for step in steps):
        raise ValueError("steps is not a list of texts")
    if not 1 <= len(steps) <= _MOST:
        raise ValueError(f"there are {len(steps)} steps, not 1 to {_MOST}")
    return steps
