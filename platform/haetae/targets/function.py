"""A Python callable as the target: an application that answers, with the contexts it retrieved."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.clock import Clock
from haetae.core.generation import Failure, Generation, Usage
from haetae.core.sample import Sample, ToolCall
from haetae.core.secrets import redact
from haetae.errors import ConfigError

_ARGUMENTS = ("input", "sample", "contexts", "metadata", "messages")


class FunctionTarget:
    """Calls a function, sync (in a thread) or async, by the names of its parameters.

    A parameter may be `input` (the question as text), `messages`, `contexts`, `metadata` or `sample`;
    a lone parameter of any other name is the input. It returns the answer as text, a `Generation`, or a
    mapping with `output` (or `answer`) and optionally `contexts`, `tool_calls`, `usage`, `cost_usd`. What it raises
    fails that sample only. The code of its module is part of the fingerprint.
    """

    free = False

    def __init__(self, function: Callable[..., Any], name: str, clock: Clock, timeout_s: float) -> None:
        self._function = function
        self._name = name
        self._clock = clock
        self._timeout_s = timeout_s
        self._takes = _parameters(function, name)

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """The function's name and the SHA-256 of its module's source."""
        return {"kind": "function", "function": self._name, "code": _code_digest(self._function)}

    def request(self, sample: Sample) -> Json:
        """The sample's content: a function may read all of it but the reference."""
        return {name: value for name, value in sample.as_json().items() if name not in ("references", "id")}

    async def generate(self, sample: Sample, request: Json, repeat: int) -> Generation | Failure:
        """One answer within the deadline."""
        arguments = {parameter: _value(sample, what) for parameter, what in self._takes.items()}
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                if inspect.iscoroutinefunction(self._function):
                    answer = await self._function(**arguments)
                else:
                    answer = await asyncio.to_thread(self._function, **arguments)
                    if inspect.isawaitable(answer):
                        answer = await answer
            return _generation(answer, self._clock.monotonic() - started)
        except TimeoutError:
            return Failure(reasons.TIMEOUT, f"{self._name} did not answer in {self._timeout_s:g} s")
        except Exception as exc:
            return Failure(reasons.TARGET_RAISED, redact("".join(traceback.format_exception(exc, limit=-4))))

    async def aclose(self) -> None:
        """Nothing to give back."""


def load_function(path: str, root: Path) -> Callable[..., Any]:
    """Import `module:function`, with the project's root on the import path. Raises ConfigError."""
    module_name, _, attribute = path.partition(":")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as exc:
        raise ConfigError(f"target.function: {path}: {exc}; modules are looked for in {root} first") from exc
    if not callable(found):
        raise ConfigError(f"target.function: {path} is a {type(found).__name__}, not a callable")
    return found  # type: ignore[no-any-return]  # whatever was named, checked to be callable


def _parameters(function: Callable[..., Any], name: str) -> dict[str, str]:
    required = [
        p for p in inspect.signature(function).parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if len(required) == 1 and required[0].name not in _ARGUMENTS:
        return {required[0].name: "input"}
    unknown = [p.name for p in required if p.name not in _ARGUMENTS and p.default is p.empty]
    if unknown:
        raise ConfigError(f"target.function: {name} asks for {', '.join(unknown)}; offered are {', '.join(_ARGUMENTS)}")
    return {p.name: p.name for p in required if p.name in _ARGUMENTS}


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


def _generation(answer: Any, latency_s: float) -> Generation | Failure:
    if isinstance(answer, Generation | Failure):
        return answer
    if isinstance(answer, str):
        answer = {"output": answer}
    if not isinstance(answer, Mapping):
        raise TypeError(f"the function returned {type(answer).__name__}; expected a text, a mapping or a Generation")
    output = answer.get("output", answer.get("answer"))
    if not isinstance(output, str):
        raise TypeError("the function's mapping has no text under 'output' (or 'answer')")
    if not output:
        return Failure(reasons.EMPTY, "the function returned an empty answer")
    contexts, calls, usage = answer.get("contexts"), answer.get("tool_calls"), answer.get("usage")
    return Generation(
        output=output,
        contexts=None if contexts is None else tuple(str(context) for context in contexts),
        tool_calls=None if calls is None else tuple(ToolCall(c["name"], c.get("arguments", {})) for c in calls),
        usage=None if usage is None else Usage(**usage),
        cost_usd=answer.get("cost_usd"),
        latency_s=latency_s,
    )


def _code_digest(function: Callable[..., Any]) -> str | None:
    try:
        source = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:
        return None
    return hashlib.sha256(Path(source).read_bytes()).hexdigest() if source and Path(source).is_file() else None
