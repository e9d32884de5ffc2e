"""A TCP proxy before a real server on this machine, which can be dead, slow, or a black hole of two kinds.

with Outage(5432) as way:
    way.becomes("dead")        # connections are refused, and those there were are reset
    way.becomes("slow")        # every reply comes `late_s` seconds after it was there
    way.becomes("black hole")  # connections are taken, and nothing that comes is ever answered
    way.becomes("unreachable") # no connection is ever made: what asks for one is dropped without a word
    way.becomes("there")       # all is well again
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Literal, Self

Weather = Literal["there", "dead", "slow", "black hole", "unreachable"]
_PIECE = 65_536
_FILLING = 4
"""So many connections that nobody takes fill the shortest queue of a listening socket."""


class Outage:
    """Listens on `port` of 127.0.0.1. Another thread's loop does the work."""

    def __init__(self, upstream: int, late_s: float = 3.0) -> None:
        self.upstream, self.late_s = upstream, late_s
        self.weather: Weather = "there"
        self._let_through = 0
        self.met = threading.Event()
        """Set by the first connection or bytes that come after a change of weather."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open: set[asyncio.StreamWriter] = set()
        self._ways: set[asyncio.Task[None]] = set()
        self._deaf: list[socket.socket] = []
        self._server: asyncio.Server | None = None
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def becomes(self, weather: Weather, after: int = 0) -> None:
        """Change what goes through, of connections that are open as well. On return it is so.

        A black hole may first let so many pieces of replies through.
        """
        self._do(lambda: self._become(weather, after))

    async def _become(self, weather: Weather, after: int) -> None:
        before, self.weather, self._let_through = self.weather, weather, after
        self.met.clear()
        if weather == "dead" or before in ("black hole", "unreachable"):
            self._reset()
        for one in self._deaf:
            one.close()
        self._deaf = []
        if weather in ("dead", "unreachable"):
            await self._close()
        else:
            await self._listen()
        if weather == "unreachable":
            self._fill()

    def _fill(self) -> None:
        """Listen with the shortest queue and fill it: the kernel drops whoever asks for a connection then."""
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        deaf.bind(("127.0.0.1", self.port))
        deaf.listen(0)
        self._deaf = [deaf]
        for _ in range(_FILLING):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", self.port))
            self._deaf.append(waiting)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._begin, "127.0.0.1", self.port)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = self._loop.create_task(self._take(reader, writer))
        self._ways.add(way)
        way.add_done_callback(self._ways.discard)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _stop(self) -> None:
        await self._close()
        self._reset()
        for one in self._deaf:
            one.close()
        for way in (ways := list(self._ways)):
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

    def _reset(self) -> None:
        for one in self._open:
            one.transport.abort()
        self._open.clear()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self.met.set()
        with suppress(OSError):  # whoever is at either end has gone, or the weather has changed
            there, back = await asyncio.open_connection("127.0.0.1", self.upstream)
            self._open.add(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, back, is_reply=False))
                both.create_task(self._pump(there, writer, is_reply=True))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_reply: bool) -> None:
        with suppress(OSError):
            while data := await source.read(_PIECE):
                self.met.set()
                if self.weather == "slow" and is_reply:
                    await asyncio.sleep(self.late_s)
                if self.weather in ("black hole", "unreachable"):
                    if self._let_through <= 0:
                        continue  # swallowed
                    self._let_through -= is_reply
                sink.write(data)
                await sink.drain()
        self._open.discard(sink)
        sink.close()

    def _do(self, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(what(), self._loop).result(30)
