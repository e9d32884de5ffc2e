"""A Python function of somebody's project: found by its name, called in a thread, known by its code.

Targets and metrics are both made of such functions, under one rule: what belongs to Python itself is refused.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import inspect
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from haetae.core import reasons
from haetae.core.generation import Failure
from haetae.core.secrets import redact
from haetae.engine.contained import as_exception, awaited, contained
from haetae.engine.importing import import_from
from haetae.errors import ConfigError

T = TypeVar("T")


def load_function(path: str, folder: Path, root: Path, takes: Collection[str] = ()) -> Callable[..., Any]:
    """Import `module:function`. Raises ConfigError.

    Modules are looked for in the suite's `folder`, then in its project's `root`, then where Python looks.
    What belongs to Python itself is refused: `os:system` would run whatever a dataset holds. So is what lies
    outside the project, unless what it asks for is called as in `takes`: `joblib:load` would open, and run, whatever
    file a dataset names.
    """
    module_name, _, attribute = path.partition(":")
    first = list(dict.fromkeys((str(folder), str(root))))
    try:
        with contained():  # a module runs when it is imported, and may raise anything
            found: Any = import_from(first, module_name)
            for part in attribute.split("."):
                module_name = found.__name__ if inspect.ismodule(found) else module_name
                found = getattr(found, part)
    except ConfigError as exc:  # a function of the module that is decorated wrongly, perhaps another one
        wish = f"{module_name} cannot be imported before that is mended"
        problems = [replace(p, file=_short(p.file, root), message=f"{p.message}; {wish}") for p in exc.problems]
        raise ConfigError(problems) from exc
    except Exception as exc:
        why = redact(f"{type(exc).__name__}: {exc}")
        raise ConfigError(f"{path}: {why}; modules are looked for in {' and '.join(first)} first") from exc
    if not callable(found):
        raise ConfigError(f"{path} is a {type(found).__name__}, not a callable")
    module = _module(found, module_name)
    inside = _lies_in(module, root)
    if module.partition(".")[0] in sys.stdlib_module_names and not inside:
        raise ConfigError(f"{path} belongs to Python itself; name a function of an application")
    if takes and not inside and not set(asked := _asked(found)) <= set(takes):
        wish = f"call it from a function of the project; of others, parameters are called {' or '.join(takes)}"
        raise ConfigError(f"{path} lies outside the project {root} and asks for {', '.join(asked)}; {wish}")
    return found  # type: ignore[no-any-return]  # whatever was named, checked to be callable


def _short(file: str | None, root: Path) -> str | None:
    """A file of the project, named from its root."""
    return str(Path(file).relative_to(root)) if file is not None and Path(file).is_relative_to(root) else file


def _module(found: Callable[..., Any], named: str) -> str:
    """Where a function or class was written; an object belongs to the module that it was found in."""
    written = inspect.isroutine(found) or inspect.isclass(found)
    return getattr(found, "__module__", None) or named if written else named


def _lies_in(module: str, root: Path) -> bool:
    """Whether a module's file is of the project, and not of a Python that is installed within it (`.venv`)."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or not Path(file).resolve().is_relative_to(root.resolve()):
        return False
    installed = [Path(place).resolve() for place in sysconfig.get_paths().values()]
    installed = [place for place in installed if place.is_relative_to(root.resolve()) and place != root.resolve()]
    return not any(Path(file).resolve().is_relative_to(place) for place in installed)


def _asked(function: Callable[..., Any]) -> list[str]:
    """What a function must be given, or its first parameter where it need not be given anything."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some built-in functions tell none
        return ["something that it does not tell"]
    named = [p for p in parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return [p.name for p in named if p.default is p.empty] or [p.name for p in named[:1]]


async def answered(
    function: Callable[..., Any], arguments: Mapping[str, Any], name: str, timeout_s: float, read: Callable[[Any], T]
) -> T | Failure:
    """What `read` makes of the answer of a function, sync (in a thread of its own) or async, within the deadline.

    What either of the two raises is a Failure.
    """
    try:
        answer = await called(function, arguments, name, timeout_s)
        with contained():  # reading asks an object of others for its items
            return read(answer)
    except Late as exc:
        return Failure(reasons.TIMEOUT, str(exc))
    except Exception as exc:
        return Failure(reasons.TARGET_RAISED, redact("".join(traceback.format_exception(exc, limit=-4))))


class Late(Exception):
    """A call of code of others did not end before its deadline."""


async def called(function: Callable[..., Any], arguments: Mapping[str, Any], name: str, timeout_s: float | None) -> Any:
    """What a function returns, sync (in a thread of its own) or async. Raises Late; all else it raises is its own."""
    try:
        async with asyncio.timeout(timeout_s) as deadline:
            if inspect.iscoroutinefunction(function):
                return await awaited(function(**arguments))
            answer = await in_thread(function, arguments)
            return await awaited(answer) if inspect.isawaitable(answer) else answer
    except TimeoutError as exc:
        if deadline.expired():
            raise Late(f"{name} did not answer in {timeout_s:g} s") from exc
        raise


async def in_thread(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call in a daemon thread of its own: a call that never ends holds up no other, nor the end of the program.

    Whatever it raises is an Exception.
    """
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(answer: Any, error: Exception | None) -> None:
        if not done.done():  # the deadline may have passed
            done.set_result((answer, error))

    def work() -> None:
        answer, error = None, None
        try:
            answer = context.run(function, **arguments)
        except BaseException as exc:
            error = as_exception(exc)
        with suppress(RuntimeError):  # the loop is closed: the run has ended without this answer
            loop.call_soon_threadsafe(settle, answer, error)

    threading.Thread(target=work, name="haetae-function", daemon=True).start()
    answer, error = await done
    if error is not None:
        raise error
    return answer


def code_digest(function: Callable[..., Any]) -> str | None:
    """SHA-256 of the source of the function's module; None where it has no file."""
    try:
        source = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:
        return None
    return hashlib.sha256(Path(source).read_bytes()).hexdigest() if source and Path(source).is_file() else None
