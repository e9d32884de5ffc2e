"""Asking a judge: fences round what it judges, one repair of an unreadable answer, and the bill."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeVar

from msgspec import structs

from haetae.core import reasons
from haetae.core.canonical import Json, digest
from haetae.core.generation import Failure, Generation, Usage
from haetae.core.model import Embeddings, LanguageModel, Likelihood
from haetae.core.sample import Message, Sample
from haetae.core.score import Score
from haetae.core.template import Prompt
from haetae.errors import JudgeError
from haetae.metrics.judges.reply import is_refusal, read_object
from haetae.metrics.text import nfc

T = TypeVar("T")

_SHOWN = 2_000
"""Characters of an unreadable reply that are kept for people."""

_NAMED = 200
"""Characters of a fault that are named: it may quote a reply of any length."""

_MARKED_REFUSAL = "refusal"
"""The finish reason of a refusal that the endpoint itself marks as one."""

_REASONS = {
    reasons.CONTENT_FILTER: reasons.JUDGE_REFUSED,
    reasons.TRUNCATED: reasons.JUDGE_TRUNCATED,
    reasons.EMPTY: reasons.JUDGE_UNPARSEABLE,
}
"""Failures that are the judge's answer; every other one is its endpoint's, worth asking again."""


class UnansweredError(Exception):
    """The judge gave nothing that can be scored; the metric turns it into an unscored Score."""

    def __init__(self, reason: str, explanation: str) -> None:
        super().__init__(explanation)
        self.reason = reason

    @property
    def score(self) -> Score:
        return Score.unscored(self.reason, str(self))


@cache
def shipped_prompt(name: str) -> Prompt:
    """A prompt of this package, by its file name in prompts/."""
    return Prompt.of(name, files("haetae.metrics").joinpath("prompts", name).read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Fence:
    """Marks where text that is judged begins and ends: `<output-3f9a…>` to `</output-3f9a…>`.

    The mark is a hash of the whole sample and the very output it encloses. It is the same each time the
    pair is judged, so answers can be reused, and neither an output nor a passage of the sample can hold its own.
    In any other text (a passage that was retrieved, written by one who foresaw the output) it is masked.
    """

    mark: str

    @classmethod
    def of(cls, sample: Sample, output: str) -> Fence:
        return cls(digest("fence", sample.digest, output)[:16])

    def __call__(self, label: str, text: str) -> str:
        held = nfc(text)
        if self.mark in held.lower():  # a pattern is made only where there is something to mask
            held = re.sub(self.mark, "…", held, flags=re.IGNORECASE)
        return f"<{label}-{self.mark}>\n{held}\n</{label}-{self.mark}>"


def under_rules(fence: Fence, turns: Sequence[Message], rules: str = "rules.md") -> tuple[Message, ...]:
    """The turns under the rules that every judge is given, as one system message."""
    told = shipped_prompt(rules).render({"mark": fence.mark}, "")[0].content
    own = [turn.content for turn in turns if turn.role == "system"]
    system = Message("system", "\n\n".join([told, *own]))
    return (system, *(turn for turn in turns if turn.role != "system"))


@dataclass(slots=True)
class Interview:
    """The calls behind one score, those of them that failed, and what the others cost together."""

    calls: int = 0
    failed: int = 0
    usage: Usage | None = None
    cost_usd: float | None = 0.0
    model: str | None = None

    async def ask(
        self,
        model: LanguageModel,
        messages: tuple[Message, ...],
        schema: Json,
        read: Callable[[dict[str, Json]], T],
        **decoding: Json,
    ) -> T:
        """What `read` makes of the judge's object. `read` raises ValueError for one of the wrong shape.

        An unreadable answer is asked for once more, with the fault named; one that the endpoint marks as a
        refusal is not. Raises UnansweredError, and JudgeError where every further call would fail the same way.
        """
        turns = messages
        for last in (False, True):
            reply = self._heard(await model.chat(turns, schema=schema, **decoding))
            text = reply.output
            found = read_object(text)
            try:
                if found is not None:
                    return read(found)
                fault = "it calls a tool" if reply.tool_calls else "there is no complete JSON object in it"
            except ValueError as exc:
                fault = str(exc)[:_NAMED]
            if last:
                break
            again = shipped_prompt("again.md").render({"fault": fault}, "")
            turns = (*messages, Message("assistant", text[:_SHOWN] or "(no text)"), *again)
        refused = found is None and is_refusal(text)
        reason = reasons.JUDGE_REFUSED if refused else reasons.JUDGE_UNPARSEABLE
        raise UnansweredError(reason, f"{fault}: {text[:_SHOWN]}")

    async def hear(self, model: LanguageModel, messages: tuple[Message, ...], **decoding: Json) -> Generation:
        """One answer in no form. Raises UnansweredError and JudgeError."""
        return self._heard(await model.chat(messages, **decoding))

    async def embed(self, model: LanguageModel, texts: Sequence[str]) -> tuple[tuple[float, ...], ...]:
        """One vector per text. Raises UnansweredError and JudgeError."""
        found = await model.embed(texts)
        if isinstance(found, Failure):
            raise self._failed(found)
        self._pay(found)
        if len(found.vectors) != len(texts):
            raise UnansweredError(reasons.JUDGE_FAILED, f"{len(found.vectors)} vectors for {len(texts)} texts")
        return found.vectors

    def include(self, other: Interview) -> None:
        """Add up what another interview, with another judge, has cost."""
        self.calls += other.calls
        self.failed += other.failed
        if other.usage is not None:
            self.usage = other.usage if self.usage is None else self.usage + other.usage
        unknown = self.cost_usd is None or other.cost_usd is None
        self.cost_usd = None if unknown else (self.cost_usd or 0.0) + (other.cost_usd or 0.0)

    async def likelihood(self, model: LanguageModel, text: str, prompt: str) -> Likelihood:
        """How probable the model finds a text. It judges nothing: what fails keeps the endpoint's own reason.

        Raises UnansweredError and JudgeError.
        """
        found = await model.likelihood(text, prompt=prompt)
        self._pay(found)
        if isinstance(found, Failure):
            raise JudgeError(found.message) if found.fatal else UnansweredError(found.reason, found.message)
        self.model = found.model or self.model
        return found

    def bill(self, score: Score) -> Score:
        """The score with what was spent on it."""
        cost = self.cost_usd if self.calls else None
        return structs.replace(score, calls=self.calls + self.failed, usage=self.usage, cost_usd=cost, model=self.model)

    def _heard(self, reply: Generation | Failure) -> Generation:
        if isinstance(reply, Failure):
            raise self._failed(reply)
        self._pay(reply)
        self.model = reply.model or self.model
        if reply.finish_reason == _MARKED_REFUSAL:
            raise UnansweredError(reasons.JUDGE_REFUSED, f"it declines: {reply.output[:_SHOWN]}")
        return reply

    def _failed(self, failure: Failure) -> Exception:
        if failure.usage is not None:  # an answer that cannot be used is paid for all the same
            self._pay(failure)
        else:
            self.failed += failure.attempts
        if failure.fatal:
            return JudgeError(failure.message)
        reason = _REASONS.get(failure.reason, reasons.JUDGE_FAILED)
        return UnansweredError(reason, f"{failure.reason}: {failure.message}")

    def _pay(self, call: Generation | Embeddings | Likelihood | Failure) -> None:
        """Add one call up, with what it took to get it. A cost that is unknown makes the sum unknown: it is not 0."""
        self.calls += call.attempts if isinstance(call, Generation | Failure) else 1
        if call.usage is not None:
            self.usage = call.usage if self.usage is None else self.usage + call.usage
        unknown = call.cost_usd is None or self.cost_usd is None
        self.cost_usd = None if unknown else (self.cost_usd or 0.0) + (call.cost_usd or 0.0)
