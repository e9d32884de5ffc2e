"""A Python callable as the target: an application that answers, with the contexts it retrieved."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import importlib
import inspect
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.clock import Clock
from haetae.core.generation import Failure, Generation
from haetae.core.sample import Sample
from haetae.core.secrets import redact
from haetae.engine.budget import Meter
from haetae.errors import ConfigError
from haetae.targets.returned import generation_of

_ARGUMENTS = ("input", "sample", "contexts", "metadata", "messages")


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
        return {"kind": "function", "function": self._name, "code": _code_digest(self._function)}

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
        try:
            async with asyncio.timeout(self._timeout_s) as deadline:
                if inspect.iscoroutinefunction(self._function):
                    answer = await self._function(**arguments)
                else:
                    answer = await _in_thread(self._function, arguments)
                    if inspect.isawaitable(answer):
                        answer = await answer
            return generation_of(answer, self._clock.monotonic() - started)
        except (Exception, SystemExit) as exc:
            if isinstance(exc, TimeoutError) and deadline.expired():
                return Failure(reasons.TIMEOUT, f"{self._name} did not answer in {self._timeout_s:g} s")
            return Failure(reasons.TARGET_RAISED, redact("".join(traceback.format_exception(exc, limit=-4))))

    async def aclose(self) -> None:
        """Nothing to give back."""


def load_function(path: str, folder: Path, root: Path) -> Callable[..., Any]:
    """Import `module:function`. Raises ConfigError.

    Modules are looked for in the suite's `folder`, then in its project's `root`, then where Python looks.
    What belongs to Python itself is refused: `os:system` would run whatever a dataset holds.
    """
    module_name, _, attribute = path.partition(":")
    first = list(dict.fromkeys((str(folder), str(root))))
    sys.path[:] = [*first, *(place for place in sys.path if place not in first)]
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as exc:  # a module runs when it is imported, and may raise anything
        why = redact(f"{type(exc).__name__}: {exc}")
        raise ConfigError(
            f"target.function: {path}: {why}; modules are looked for in {' and '.join(first)} first"
        ) from exc
    if not callable(found):
        raise ConfigError(f"target.function: {path} is a {type(found).__name__}, not a callable")
    if _is_pythons_own(found, module_name, root):
        raise ConfigError(f"target.function: {path} belongs to Python itself; name a function of an application")
    return found  # type: ignore[no-any-return]  # whatever was named, checked to be callable


def _is_pythons_own(found: Callable[..., Any], named: str, root: Path) -> bool:
    """Whether a function or class comes from the standard library, unless the project has a module of that name."""
    if not (inspect.isroutine(found) or inspect.isclass(found)):
        return False
    module = getattr(found, "__module__", None) or named
    file = getattr(sys.modules.get(module), "__file__", None)
    in_project = file is not None and Path(file).resolve().is_relative_to(root.resolve())
    return module.partition(".")[0] in sys.stdlib_module_names and not in_project


def _parameters(function: Callable[..., Any], name: str) -> dict[str, str]:
    try:
        signature = inspect.signature(function)
    except ValueError as exc:  # some built-in functions tell none
        raise ConfigError(f"target.function: {name} has no readable signature") from exc
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    required = [p for p in signature.parameters.values() if p.kind in by_name]
    if not required or any(p.kind is p.POSITIONAL_ONLY for p in signature.parameters.values()):
        raise ConfigError(f"target.function: {name} takes no parameter by name; offered are {', '.join(_ARGUMENTS)}")
    if len(required) == 1 and required[0].name not in _ARGUMENTS:
        return {required[0].name: "input"}
    unknown = [p.name for p in required if p.name not in _ARGUMENTS and p.default is p.empty]
    if unknown:
        raise ConfigError(f"target.function: {name} asks for {', '.join(unknown)}; offered are {', '.join(_ARGUMENTS)}")
    taken = {p.name: p.name for p in required if p.name in _ARGUMENTS}
    if not taken.keys() & {"input", "sample", "messages"}:
        raise ConfigError(f"target.function: {name} takes neither input, messages nor sample: it is asked nothing")
    return taken


def _open(sample: Sample) -> Sample:
    """The sample without what its answer is scored against."""
    return replace(sample, references=(), reference_contexts=None, tool_calls=None)


async def _in_thread(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call in a daemon thread of its own: a call that never ends holds up no other, nor the end of the program."""
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(answer: Any, error: BaseException | None) -> None:
        if not done.done():  # the deadline may have passed
            done.set_result((answer, error))

    def work() -> None:
        answer, error = None, None
        try:
            answer = context.run(function, **arguments)
        except BaseException as exc:
            error = exc
        with suppress(RuntimeError):  # the loop is closed: the run has ended without this answer
            loop.call_soon_threadsafe(settle, answer, error)

    threading.Thread(target=work, name="haetae-function", daemon=True).start()
    answer, error = await done
    if error is not None:
        raise error
    return answer


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


def _code_digest(function: Callable[..., Any]) -> str | None:
    try:
        source = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:
        return None
    return hashlib.sha256(Path(source).read_bytes()).hexdigest() if source and Path(source).is_file() else None
