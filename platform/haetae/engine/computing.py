"""Computing that takes long: in a thread, so that the loop turns on, and one piece after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from haetae.engine.functions import in_thread

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
