"""A language model as a stage of a guard: asked of each text whether it must be stopped, yes or no."""

from __future__ import annotations

from collections.abc import Mapping

from haetae.core.canonical import Json
from haetae.core.generation import Failure
from haetae.core.guard import Check
from haetae.core.model import LanguageModel
from haetae.core.sample import Sample
from haetae.core.template import Prompt, check_variables
from haetae.metrics.judges.asking import Fence, Interview, UnansweredError, shipped_prompt, under_rules
from haetae.metrics.judges.rubric import with_form

_FORM = "block.md"
_SCHEMA: Json = {
    "title": "block",
    "type": "object",
    "properties": {"reasoning": {"type": "string"}, "block": {"type": "boolean"}},
    "required": ["reasoning", "block"],
    "additionalProperties": False,
}
_DECODING: dict[str, Json] = {"temperature": 0.0, "max_tokens": 1024}


class BlockingJudge:
    """`prompt` says what must be stopped and uses `input`, which reaches the model between fences.

    The model writes its reasoning before its decision, and always decides: nothing is left to a next stage. A
    reply that cannot be read is asked for once more; a second one, like a refusal, fails the sample: it is
    neither a block nor a pass.
    """

    free = False
    reusable = True

    def __init__(self, prompt: Prompt, model: LanguageModel) -> None:
        offered = frozenset({"input"})
        check_variables(prompt, offered, offered)
        self._prompt = prompt
        self._model = model

    @property
    def deterministic(self) -> bool:
        """The model's."""
        return self._model.deterministic

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """The prompts by content, the model, and how it decodes."""
        prompts = (*map(shipped_prompt, ("rules.md", "again.md", _FORM)), self._prompt)
        return {
            "kind": "judge",
            "prompts": {prompt.name: prompt.digest for prompt in prompts},
            "model": dict(self._model.fingerprint),
            **_DECODING,
        }

    async def check(self, text: str) -> Check | Failure:
        """One question, or two where the first answer cannot be read."""
        fence = Fence.of(Sample("", text), text)
        (form,) = shipped_prompt(_FORM).render({}, "")
        asked = with_form(self._prompt.render({"input": fence("input", text)}, ""), form)
        interview = Interview()
        try:
            block = await interview.ask(self._model, under_rules(fence, asked), _SCHEMA, _read, **_DECODING)
        except UnansweredError as unanswered:
            cost = interview.cost_usd if interview.calls else None
            return Failure(unanswered.reason, str(unanswered), usage=interview.usage, cost_usd=cost)
        return Check(block, None, interview.cost_usd, interview.usage)


def _read(found: dict[str, Json]) -> bool:
    block = found.get("block")
    if not isinstance(block, bool):
        raise ValueError(f"block is {block!r}, neither true nor false")
    return block
