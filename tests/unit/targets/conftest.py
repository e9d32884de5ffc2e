"""A real HTTP server on loopback that answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from haetae.core.clock import SystemClock
from haetae.core.sample import Message
from haetae.targets.endpoint import Endpoint

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
QUESTION = [Message("user", "What is the capital of Korea?")]


def completion(content: str = "Seoul", **rest: Any) -> web.Response:
    return web.json_response({"choices": [{"message": {"content": content}, "finish_reason": "stop"}], **rest})


@pytest.fixture
def answered() -> Callable[..., web.Response]:
    return completion


@pytest.fixture
def asked() -> Callable[..., Any]:
    """asked(handler, *questions, **endpoint): what an Endpoint makes of a server with this handler."""

    def ask(handler: Handler, *calls: Callable[[Endpoint], Awaitable[Any]], **options: Any) -> list[Any]:
        async def work() -> list[Any]:
            app = web.Application(client_max_size=2**26)
            app.router.add_route("*", "/{path:.*}", handler)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            endpoint = Endpoint(
                **{
                    "base_url": f"http://{host}:{port}/v1/",
                    "model": "m",
                    "clock": SystemClock(),
                    "fingerprint": {"parameters": {}},
                    **options,
                }
            )
            try:
                default = [lambda it: it.chat(QUESTION)]
                return [await call(endpoint) for call in calls or default]
            finally:
                await endpoint.aclose()
                await runner.cleanup()

        return asyncio.run(work())

    return ask


@pytest.fixture
def bodies() -> list[Any]:
    """What a recording server was sent."""
    return []


@pytest.fixture
def recording(bodies: list[Any]) -> Callable[[Callable[[Any], web.Response]], Handler]:
    """A handler that keeps each body and answers by it."""

    def make(answer: Callable[[Any], web.Response]) -> Handler:
        async def handler(request: web.Request) -> web.Response:
            body = json.loads(await request.read())
            bodies.append(body)
            return answer(body)

        return handler

    return make
