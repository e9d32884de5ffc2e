"""Computing that takes long: in a thread, so that the loop turns on, and one piece after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import accumulate, chain
from typing import Any

from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.sample import Message, Sample, ToolCall
from haetae.engine.functions import in_thread

_LONG = 5_000
"""Characters and items of what a metric may read from which it computes in a thread: below, it is there in
milliseconds."""

_ALONE = threading.Lock()
"""One computes at a time: Python gives threads that only compute no second core, and each needs memory."""


async def computed(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the function returns, or raises.

    A thread costs some tenths of a millisecond where many wait for the interpreter: more than a short text is worth.
    """
    return await in_thread(partial(_alone, function, *arguments), {})


def _alone(function: Callable[..., Any], *arguments: Any) -> Any:
    with _ALONE:
        return function(*arguments)


def is_long(sample: Sample, answer: Generation) -> bool:
    """Whether there is so much to read that computing on it may take long. It is counted no further than it takes."""
    if _is_short(sample, answer):
        return False
    return any(read >= _LONG for read in accumulate(_sizes(sample, answer)))


def _is_short(sample: Sample, answer: Generation) -> bool:
    """Whether texts are all there is, and little to read: mostly so, and told in a microsecond."""
    if sample.tool_calls or sample.relevant or answer.tool_calls or answer.transcript or answer.stages:
        return False
    if type(sample.input) is not str:
        return False
    read = len(sample.input) + len(answer.output) + 2  # each text counts as one more
    for texts in (sample.references, sample.contexts, sample.reference_contexts, answer.contexts):
        if texts:
            if read + len(texts) >= _LONG:
                return False
            read += len(texts) + sum(map(len, texts))
    return read < _LONG


def _sizes(sample: Sample, answer: Generation) -> Iterator[int]:
    """The size of every part that a metric may read, one after the other."""
    lists = (sample.references, sample.contexts, sample.reference_contexts, sample.relevant, answer.contexts)
    yield from _lengths([answer.output], *(texts or () for texts in lists))
    for stage in answer.stages:
        yield from _lengths([stage.name], stage.retrieved or ())
    yield from _calls(chain(sample.tool_calls or (), answer.tool_calls or ()))
    turns: Iterable[Message] = chain(sample.messages, answer.transcript or ())
    for turn in turns:
        yield from _lengths([turn.content])
        yield from _calls(turn.tool_calls)


def _lengths(*lists: Iterable[str]) -> Iterator[int]:
    """Empty texts count too, since there may be many."""
    return (1 + len(text) for text in chain(*lists))


def _calls(calls: Iterable[ToolCall]) -> Iterator[int]:
    waiting: list[Json] = []
    for call in calls:
        waiting += (call.name, call.arguments)
        while waiting:
            value = waiting.pop()
            yield 1 + len(value) if isinstance(value, str | list | tuple | Mapping) else 1
            if isinstance(value, Mapping):
                waiting += chain(value, value.values())
            elif isinstance(value, list | tuple):
                waiting += value
