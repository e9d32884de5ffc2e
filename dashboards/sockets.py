"""WebSockets that end with the session that opened them: a page is asked over one that may stay open for days."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NOT_ALLOWED = 1008


class Sockets:
    """The WebSockets that are open, by session."""

    def __init__(self) -> None:
        self._open: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def end(self, session: str) -> None:
        """Close all of a session."""
        for over in self._open.get(session, ()):
            over.set()

    async def serve(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, session: str, left_s: float
    ) -> None:
        """Serve one until it closes, its session is ended, or these seconds are over."""
        over = asyncio.Event()
        timer = asyncio.get_running_loop().call_later(left_s, over.set)
        self._open[session].add(over)
        try:
            await _until(over, app, scope, receive, send)
        finally:
            timer.cancel()
            self._open[session].discard(over)
            if not self._open[session]:
                del self._open[session]


async def _until(over: asyncio.Event, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """The app hears that the browser has gone, and says nothing more; then the browser hears that it is over."""
    ending = asyncio.ensure_future(over.wait())

    async def heard() -> Message:
        message = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({message, ending}, return_when=asyncio.FIRST_COMPLETED)
            return {"type": "websocket.disconnect", "code": _NOT_ALLOWED} if over.is_set() else message.result()
        finally:
            message.cancel()

    async def said(message: Message) -> None:
        if not over.is_set():
            await send(message)

    try:
        await app(scope, heard, said)
    finally:
        ending.cancel()
    if over.is_set():
        with suppress(RuntimeError, OSError):  # it may have closed by itself meanwhile
            await send({"type": "websocket.close", "code": _NOT_ALLOWED})
