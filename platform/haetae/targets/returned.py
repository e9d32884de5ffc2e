"""What an application's function returned becomes a Generation or a Failure that a ledger can keep, whatever it was."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from msgspec import structs

from haetae.core import reasons
from haetae.core.amounts import MOST, is_amount, is_count
from haetae.core.generation import Failure, Generation, Stage, Usage
from haetae.core.sample import Message, Role, ToolCall
from haetae.core.secrets import redact

_MOST_LEVELS = 64
"""Of a tool call's arguments."""
_MOST_ATTEMPTS = 1_000_000


def generation_of(answer: Any, latency_s: float) -> Generation | Failure:
    """From a text, a pair (text, contexts), a mapping, a Generation or a Failure.

    `latency_s` is used where it gives none itself.

    Raises TypeError or ValueError, naming the part, for what no ledger could keep.
    """
    if isinstance(answer, Failure):
        return _checked_failure(answer)
    if isinstance(answer, Generation):
        return _checked(answer if answer.latency_s is not None else structs.replace(answer, latency_s=latency_s))
    if isinstance(answer, str):
        answer = {"output": answer}
    elif isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], str):
        answer = {"output": answer[0], "contexts": answer[1]}
    if not isinstance(answer, Mapping):
        raise TypeError(
            f"the function returned {type(answer).__name__}; "
            "expected a text, a pair of a text and a list of contexts, a mapping or a Generation"
        )
    output = answer.get("output", answer.get("answer"))
    if not isinstance(output, str):
        raise TypeError("the function's mapping has no text under 'output' (or 'answer')")
    if not output:
        return Failure(reasons.EMPTY, "the function returned an empty answer")
    calls, usage = answer.get("tool_calls"), answer.get("usage")
    generation = Generation(
        output=output,
        contexts=answer.get("contexts"),
        tool_calls=None if calls is None else tuple(ToolCall(c["name"], c.get("arguments", {})) for c in calls),
        usage=None if usage is None else Usage(**usage),
        cost_usd=answer.get("cost_usd"),
        latency_s=latency_s,
        stages=tuple(stage if isinstance(stage, Stage) else Stage(**stage) for stage in answer.get("stages") or ()),
        transcript=_transcript(answer.get("transcript")),
    )
    return _checked(generation)


def _transcript(turns: Any) -> tuple[Message, ...] | None:
    if turns is None:
        return None
    return tuple(turn if isinstance(turn, Message) else _turn(turn) for turn in turns)


def _turn(turn: Mapping[str, Any]) -> Message:
    calls = tuple(ToolCall(call["name"], call.get("arguments", {})) for call in turn.get("tool_calls") or ())
    return Message(turn["role"], turn["content"], tool_calls=calls)


def _checked_failure(failure: Failure) -> Failure:
    if not (isinstance(failure.reason, str) and failure.reason and isinstance(failure.message, str)):
        raise TypeError("a Failure has a reason and a message, both text")
    _check_amounts(cost_usd=failure.cost_usd, retry_after_s=failure.retry_after_s)
    _check_usage(failure.usage)
    return structs.replace(failure, message=redact(failure.message), stages=_checked_stages(failure.stages))


def _checked(generation: Generation) -> Generation:
    for name in ("output", "model", "finish_reason"):
        value = getattr(generation, name)
        if not isinstance(value, str) and not (value is None and name != "output"):
            raise TypeError(f"the function's {name} is {type(value).__name__}; expected text")
    _check_amounts(cost_usd=generation.cost_usd, latency_s=generation.latency_s)
    _check_usage(generation.usage)
    if not all(_is_number(number) for number in (*(generation.logprobs or ()), *generation.recorded_scores.values())):
        raise ValueError("logprobs and recorded_scores are finite numbers")
    if type(generation.attempts) is not int or not 0 <= generation.attempts <= _MOST_ATTEMPTS:
        raise TypeError(f"attempts is a whole number of at most {_MOST_ATTEMPTS:,}")
    for call in generation.tool_calls or ():
        check_call(call)
    for turn in generation.transcript or ():
        _check_turn(turn)
    return structs.replace(generation, contexts=_texts(generation.contexts), stages=_checked_stages(generation.stages))


def _check_turn(turn: Message) -> None:
    if not isinstance(turn, Message) or turn.role not in get_args(Role) or not isinstance(turn.content, str):
        raise TypeError(
            f"a turn of the transcript has a role ({', '.join(get_args(Role))}) and a content, which is text"
        )
    for call in turn.tool_calls:
        check_call(call)


def _checked_stages(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    found = tuple(stages)
    for stage in found:
        if not isinstance(stage, Stage) or not isinstance(stage.name, str) or not stage.name:
            raise TypeError("a stage has a name, which is text")
        if not isinstance(stage.flagged, bool | None):
            raise TypeError(f"flagged of the stage {stage.name!r} is true, false or None")
        if stage.score is not None and not _is_number(stage.score):
            raise ValueError(f"the score of the stage {stage.name!r} is not a finite number")
        _check_amounts(latency_s=stage.latency_s, cost_usd=stage.cost_usd)
    if len({stage.name for stage in found}) < len(found):
        raise ValueError("two stages have one name")
    return tuple(structs.replace(stage, retrieved=_texts(stage.retrieved)) for stage in found)


def _texts(contexts: Iterable[str] | None) -> tuple[str, ...] | None:
    if contexts is None:
        return None
    found = tuple(contexts)
    if isinstance(contexts, str | Mapping) or not all(isinstance(context, str) for context in found):
        raise TypeError("the function's contexts are not a list of texts")
    return found


def _check_amounts(**amounts: float | None) -> None:
    for name, amount in amounts.items():
        if amount is not None and not is_amount(amount):
            raise ValueError(f"{name} is a number from 0 to {MOST:,}, got {_shown(amount)}")


def _check_usage(usage: Usage | None) -> None:
    if usage is None:
        return
    if not isinstance(usage, Usage) or not all(map(is_count, usage.as_json())):
        raise TypeError(f"usage counts tokens: whole numbers from 0 to {MOST:,}")


def check_call(call: ToolCall) -> None:
    """Raises TypeError for a tool call that JSON cannot hold, or holds only so deep that nobody reads it back."""
    if not isinstance(call, ToolCall) or not isinstance(call.name, str) or not call.name:
        raise TypeError("a tool call has a name, which is text, and arguments")
    if not isinstance(call.arguments, Mapping) or not _is_json(dict(call.arguments), _MOST_LEVELS):
        raise TypeError(
            f"the arguments of a tool call are a JSON object of at most {_MOST_LEVELS} levels, its integers of 64 bits"
        )


def _is_json(value: Any, levels: int) -> bool:
    if value is None or isinstance(value, str | bool):
        return True
    if isinstance(value, int | float):
        return _is_number(value)
    if levels == 0:
        return False
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(inner, levels - 1) for key, inner in value.items())
    return isinstance(value, list | tuple) and all(_is_json(inner, levels - 1) for inner in value)


def _is_number(value: Any) -> bool:
    """Whether a value is a finite number; of integers those of 64 bits, as no other is read back as it was."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -(2**63) <= value < 2**64 if isinstance(value, int) else math.isfinite(value)


def _shown(value: Any) -> str:
    """How messages call what is no amount; Python writes no integer of thousands of digits."""
    long = isinstance(value, int) and value.bit_length() > 64
    return f"an integer of {value.bit_length()} bits" if long else repr(value)[:60]
