"""A Generation: one answer of a target to one sample; or a Failure that says why there is none."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from haetae.core.canonical import Json
from haetae.core.sample import Message, Sample, ToolCall, message_from_json, tool_calls_from_json


class Usage(Struct, frozen=True):
    """Tokens in disjoint buckets: cached input is not counted in `input`, reasoning not in `output`."""

    input: int = 0
    cached_input: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        return self.input + self.cached_input + self.output + self.reasoning

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.cached_input + other.cached_input,
            self.output + other.output,
            self.reasoning + other.reasoning,
        )

    def as_json(self) -> Json:
        return [self.input, self.cached_input, self.output, self.reasoning]


class Stage(Struct, frozen=True):
    """What one step of an application's pipeline gave: a retriever, a re-ranker, a guard.

    `retrieved` are the ids of the passages it ranked, best first. `flagged` is a guard's verdict: True
    where it stops the text, False where it lets it pass, None where it does not decide; `score` is the
    number behind it. `latency_s` and `cost_usd` are None where they are unknown.
    """

    name: str
    retrieved: tuple[str, ...] | None = None
    flagged: bool | None = None
    score: float | None = None
    latency_s: float | None = None
    cost_usd: float | None = None

    def as_json(self) -> Json:
        """The stage as one JSON object; absent parts are left out."""
        out: dict[str, Json] = {"name": self.name}
        if self.retrieved is not None:
            out["retrieved"] = list(self.retrieved)
        for name in ("flagged", "score", "latency_s", "cost_usd"):
            if getattr(self, name) is not None:
                out[name] = getattr(self, name)
        return out


def stage_from_json(value: Json) -> Stage:
    """Read back what `Stage.as_json` wrote."""
    return Stage(**{**value, "retrieved": None if "retrieved" not in value else tuple(value["retrieved"])})


class Alternative(Struct, frozen=True):
    """One token that a model could have written at a place, and its natural-log probability there."""

    token: str
    logprob: float


class Generation(Struct, frozen=True):
    """One answer.

    `latency_s` is the time of the successful call by a monotonic clock, None when it was not measured
    (recorded outputs). `cost_usd` is None when the price is unknown, never 0. `model` is the name the
    endpoint itself reported. `logprobs` are the natural-log probabilities of the answer's tokens.
    `attempts` counts the calls made, the successful one included. `stages` are the steps of the pipeline
    behind the answer, in order, each under a name of its own. `transcript` is the whole dialogue with its
    tool calls where an application led one: the turns it was given, those it wrote, the last one included.
    `alternatives` are the likeliest tokens at each place of the answer, where a call asked for them; they
    are not kept in the ledger.
    """

    output: str
    contexts: tuple[str, ...] | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    model: str | None = None
    finish_reason: str | None = None
    logprobs: tuple[float, ...] | None = None
    attempts: int = 1
    recorded_scores: Mapping[str, float] = {}
    stages: tuple[Stage, ...] = ()
    transcript: tuple[Message, ...] | None = None
    alternatives: tuple[tuple[Alternative, ...], ...] = ()

    def stage(self, name: str) -> Stage | None:
        """The stage of a name, None where there is none."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def passages(self, sample: Sample) -> tuple[str, ...]:
        """What the answer rests on: the contexts that were found for it, none where nothing was found; those of
        the sample where it tells of no search."""
        return (sample.contexts or ()) if self.contexts is None else self.contexts

    def as_json(self) -> Json:
        """The generation as one JSON object; absent parts are left out."""
        out: dict[str, Json] = {"output": self.output}
        if self.contexts is not None:
            out["contexts"] = list(self.contexts)
        if self.tool_calls is not None:
            out["tool_calls"] = [call.as_json() for call in self.tool_calls]
        if self.usage is not None:
            out["usage"] = self.usage.as_json()
        if self.logprobs is not None:
            out["logprobs"] = list(self.logprobs)
        if self.recorded_scores:
            out["recorded_scores"] = dict(self.recorded_scores)
        if self.stages:
            out["stages"] = [stage.as_json() for stage in self.stages]
        if self.transcript is not None:
            out["transcript"] = [turn.as_json() for turn in self.transcript]
        for name in ("cost_usd", "latency_s", "model", "finish_reason"):
            if getattr(self, name) is not None:
                out[name] = getattr(self, name)
        if self.attempts != 1:
            out["attempts"] = self.attempts
        return out


class Failure(Struct, frozen=True):
    """Why there is no generation: a reason of `haetae.core.reasons`, and a message for people.

    `retry_after_s` is how long the endpoint asked to wait, `overloaded` that it named too many calls as the cause
    (429, 503, 529). `fatal` says that every further call
    would fail the same way (a wrong key): the run stops. `usage` and `cost_usd` are what an answer that
    cannot be used has cost all the same; a budget counts them. `stages` are the steps of a pipeline up to the
    one that failed, which is the last.
    """

    reason: str
    message: str
    attempts: int = 1
    retry_after_s: float | None = None
    fatal: bool = False
    usage: Usage | None = None
    cost_usd: float | None = None
    stages: tuple[Stage, ...] = ()
    overloaded: bool = False

    def as_json(self) -> Json:
        """What is kept of it; without stages where it has none."""
        out: dict[str, Json] = {"reason": self.reason, "message": self.message, "attempts": self.attempts}
        if self.stages:
            out["stages"] = [stage.as_json() for stage in self.stages]
        return out


def generation_from_json(value: Json) -> Generation | Failure:
    """Read back what `as_json` wrote."""
    stages = tuple(map(stage_from_json, value.get("stages", ())))
    if "reason" in value:
        return Failure(value["reason"], value["message"], value["attempts"], stages=stages)
    contexts, logprobs, transcript = value.get("contexts"), value.get("logprobs"), value.get("transcript")
    return Generation(
        output=value["output"],
        contexts=None if contexts is None else tuple(contexts),
        tool_calls=tool_calls_from_json(value.get("tool_calls")),
        usage=Usage(*value["usage"]) if "usage" in value else None,
        cost_usd=value.get("cost_usd"),
        latency_s=value.get("latency_s"),
        model=value.get("model"),
        finish_reason=value.get("finish_reason"),
        logprobs=None if logprobs is None else tuple(logprobs),
        attempts=value.get("attempts", 1),
        recorded_scores=value.get("recorded_scores", {}),
        stages=stages,
        transcript=None if transcript is None else tuple(map(message_from_json, transcript)),
    )
