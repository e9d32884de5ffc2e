"""An OpenAI-compatible server on loopback whose five models are small, deterministic and say what they are.

    async with DemoServer() as server:
        server.base_url                      # http://127.0.0.1:40123/v1
        server.night = 3                     # another seed of sampling noise
        server.judge_revision = 2            # the judge drifts behind its name

    python -m haetae.demo.server --port 8765

Only loopback addresses are bound, and only requests that name a loopback host are answered, so that a
web page cannot reach it under a name of its own. There is no CORS, no streaming and no key.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import click
import orjson
from aiohttp import web

from haetae.core.canonical import Json
from haetae.demo.models import DemoModels
from haetae.demo.wire import ApiError, parse
from haetae.errors import ConfigError

_log = logging.getLogger(__name__)

MAX_BODY = 4 * 2**20
"""Largest request, in bytes."""


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class DemoServer(DemoModels):
    """The models behind a port. Enter it as an async context, or `start` and `stop` it.

    `port` 0 takes a free one; the rest is said at `DemoModels`, whose attributes may be set while it
    serves. Raises ConfigError for a host that is not loopback.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, corpus: Iterable[str] = (), entries: Iterable[str] = ()
    ) -> None:
        if not is_loopback(host):
            raise ConfigError(f"{host} is not a loopback address: this server has no key and stays on this machine")
        super().__init__(corpus=corpus, entries=entries)
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """Where clients find it, `/v1` included. Raises ConfigError before the start."""
        if self._runner is None:
            raise ConfigError("the demonstration server is not started")
        host, port = self._runner.addresses[0][:2]
        return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"

    async def start(self) -> None:
        """Listen. Raises ConfigError where the port is taken."""
        app = web.Application(client_max_size=MAX_BODY, middlewares=[_errors, _loopback_only])
        app.add_routes(
            [
                web.get("/v1/models", self._list),
                web.post("/v1/chat/completions", _post(self.chat)),
                web.post("/v1/completions", _post(self.complete)),
                web.post("/v1/embeddings", _post(self.embed)),
            ]
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as exc:
            await runner.cleanup()
            raise ConfigError(f"cannot listen on {self._host}:{self._port}: {exc.strerror or exc}") from exc
        self._runner = runner

    async def stop(self) -> None:
        """Close every connection and the port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _list(self, _: web.Request) -> web.Response:
        return _json(self.listing())


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _post(answer: Callable[[dict[str, Any]], Json]) -> Handler:
    """The handler of an address whose answer is a function of the body."""

    async def handler(request: web.Request) -> web.Response:
        return _json(answer(parse(await request.read())))

    return handler


def _json(value: Json, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error in OpenAI's shape; what aiohttp refuses (no such address, too large) likewise."""
    try:
        return await handler(request)
    except ApiError as error:
        return _json(error.as_json(), error.status)
    except web.HTTPException as exc:
        message = f"the body is over {MAX_BODY:,} bytes" if exc.status == 413 else exc.reason
        return _json(ApiError(exc.status, message).as_json(), exc.status)
    except Exception:
        _log.exception("%s %s", request.method, request.path)
        return _json(ApiError(500, "the server failed; its log says how").as_json(), 500)


@web.middleware
async def _loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a request under a foreign name, and one that a web page of another place has sent.

    The first came through somebody else's DNS (rebinding); the second needs none.
    """
    named = request.headers.get("Host", "")
    host = named.rpartition(":")[0] if named.rpartition(":")[2].isdigit() else named
    if not is_loopback(host):
        raise ApiError(403, "this server answers under a loopback name only", None, "forbidden_host")
    origin = request.headers.get("Origin")
    if origin is not None and not is_loopback(_host_of(origin)):
        raise ApiError(403, "this server answers no web page of another place", None, "forbidden_origin")
    return await handler(request)


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


async def serve(server: DemoServer, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `announce` is told the base URL."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with server:
        announce(server.base_url)
        await stop.wait()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--night", default=0, show_default=True, help="Seed of the sampling noise.")
@click.option("--judge-revision", default=1, show_default=True, type=click.IntRange(1, 2), help="2 is stricter.")
@click.option(
    "--corpus",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A text that the n-gram model reads; may be given more than once.",
)
def main(host: str, port: int, night: int, judge_revision: int, corpus: tuple[Path, ...]) -> None:
    """Serve the demonstration models until interrupted."""
    try:
        server = DemoServer(host, port, corpus=[path.read_text(encoding="utf-8") for path in corpus])
        server.night, server.judge_revision = night, judge_revision
        asyncio.run(serve(server, lambda url: click.echo(f"haetae demo models at {url}")))
    except ConfigError as error:
        raise click.UsageError(str(error)) from error


if __name__ == "__main__":
    main()
