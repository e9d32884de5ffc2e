"""Code of others ends itself at most: what it raises to end a program, a task or a test comes out as an Exception.

`sys.exit(0)` in a function under test would otherwise be the gate's own exit, and say that it passed; a
CancelledError would read as Ctrl-C.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Left(RuntimeError):
    """Code of others raised what is no Exception; its cause is what it raised."""


def as_exception(error: BaseException) -> Exception:
    """The error itself, or one that holds it where it is no Exception."""
    if isinstance(error, Exception):
        return error
    left = Left(f"{type(error).__name__}: {error} was raised by code that may end neither a run nor a program")
    left.__cause__ = error
    return left


@contextmanager
def contained() -> Iterator[None]:
    """Around a call of code of others, not around an await. Ctrl-C stays what it is."""
    try:
        yield
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as exc:
        raise as_exception(exc) from exc


async def awaited(given: Awaitable[T]) -> T:
    """What an awaitable of others gives. It has a task of its own: a cancellation of that task which was not asked
    of ours is its own doing.
    """

    async def run() -> T:
        try:
            return await given
        except (Exception, KeyboardInterrupt, asyncio.CancelledError):
            raise
        except BaseException as exc:
            raise as_exception(exc) from exc

    ours = asyncio.current_task()
    assert ours is not None  # noqa: S101  # a coroutine is awaited in a task
    try:
        return await asyncio.create_task(run())
    except asyncio.CancelledError as exc:
        if inspect.iscoroutine(given):
            given.close()  # where the cancellation came before its first step
        if ours.cancelling():
            raise
        raise as_exception(exc) from exc
