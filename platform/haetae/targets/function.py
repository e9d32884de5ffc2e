"""A Python callable as the target: an application that answers, with the contexts it retrieved."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import structs

from haetae.core.canonical import Json
from haetae.core.clock import Clock
from haetae.core.generation import Failure, Generation
from haetae.core.sample import Sample
from haetae.engine.budget import Meter
from haetae.engine.functions import answered, code_digest
from haetae.errors import ConfigError
from haetae.targets.returned import generation_of

ARGUMENTS = ("input", "sample", "contexts", "metadata", "messages")


class FunctionTarget:
    """Calls a function, sync (in a thread of its own) or async, by the names of its parameters.

    A parameter may be `input` (the question as text), `messages`, `contexts`, `metadata` or `sample`;
    a lone parameter of any other name is the input. It returns the answer as text, a pair of the answer
    and the list of contexts it found, a `Generation`, or a mapping with `output` (or `answer`) and
    optionally `contexts`, `tool_calls`, `usage`, `cost_usd`, `stages` and `transcript`. What it
    raises fails that sample only. The code of its module is part of the fingerprint; what else its answers rest
    on (other modules, files, an index) is not known, so no answer of an earlier run is taken.
    """

    free = False
    reusable = False
    deterministic = False
    stages = None

    def __init__(self, function: Callable[..., Any], name: str, clock: Clock, timeout_s: float, meter: Meter) -> None:
        self._function = function
        self._name = name
        self._clock = clock
        self._timeout_s = timeout_s
        self._meter = meter
        self._takes = _parameters(function, name)

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """The function's name and the SHA-256 of its module's source."""
        return {"kind": "function", "function": self._name, "code": code_digest(self._function)}

    def request(self, sample: Sample) -> Json:
        """The sample's content: a function may read all of it but what it is scored against."""
        return {name: value for name, value in _open(sample).as_json().items() if name != "id"}

    async def generate(self, sample: Sample, request: Json, repeat: int) -> Generation | Failure:
        """One answer within the deadline. Raises BudgetExhausted before a call that could exceed the budget."""
        await self._meter.opened()
        try:
            answer = await self._answer(sample)
        except BaseException:
            self._meter.closed(None, None)
            raise
        self._meter.closed(answer.usage, answer.cost_usd)
        return answer

    async def _answer(self, sample: Sample) -> Generation | Failure:
        arguments = {parameter: _value(_open(sample), what) for parameter, what in self._takes.items()}
        started = self._clock.monotonic()

        def read(answer: Any) -> Generation | Failure:
            return generation_of(answer, self._clock.monotonic() - started)

        return await answered(self._function, arguments, self._name, self._timeout_s, read)

    async def aclose(self) -> None:
        """Nothing to give back."""


def _parameters(function: Callable[..., Any], name: str) -> dict[str, str]:
    try:
        signature = inspect.signature(function)
    except ValueError as exc:  # some built-in functions tell none
        raise ConfigError(f"{name} has no readable signature") from exc
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    required = [p for p in signature.parameters.values() if p.kind in by_name]
    if not required or any(p.kind is p.POSITIONAL_ONLY for p in signature.parameters.values()):
        raise ConfigError(f"{name} takes no parameter by name; offered are {', '.join(ARGUMENTS)}")
    if len(required) == 1 and required[0].name not in ARGUMENTS:
        return {required[0].name: "input"}
    unknown = [p.name for p in required if p.name not in ARGUMENTS and p.default is p.empty]
    if unknown:
        raise ConfigError(f"{name} asks for {', '.join(unknown)}; offered are {', '.join(ARGUMENTS)}")
    taken = {p.name: p.name for p in required if p.name in ARGUMENTS}
    if not taken.keys() & {"input", "sample", "messages"}:
        raise ConfigError(f"{name} takes neither input, messages nor sample: it is asked nothing")
    return taken


def _open(sample: Sample) -> Sample:
    """The sample without what its answer is scored against."""
    return structs.replace(sample, references=(), reference_contexts=None, relevant=None, tool_calls=None)


def _value(sample: Sample, what: str) -> Any:
    match what:
        case "sample":
            return sample
        case "contexts":
            return list(sample.contexts or ())
        case "metadata":
            return dict(sample.metadata)
        case "messages":
            return [message.as_json() for message in sample.messages]
        case _:
            return sample.text
