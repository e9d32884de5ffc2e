"""The transport against a real server: forms of structured answers, deadlines, limits, secrets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from haetae.core.clock import SystemClock
from haetae.core.generation import Failure, Generation, Usage
from haetae.core.model import Embeddings
from haetae.core.sample import Message
from haetae.targets.connections import MAX_BODY
from haetae.targets.endpoint import Endpoint
from haetae.targets.wire import Price

QUESTION = [Message("user", "q")]
SCHEMA = {"title": "grade", "type": "object"}
Asked = Callable[..., list[Any]]


def _chat(**options: Any) -> Callable[[Endpoint], Any]:
    return lambda endpoint: endpoint.chat(QUESTION, **options)


def test_a_question_is_one_post_with_the_decoding_parameters(asked: Asked, recording: Any, bodies: Any) -> None:
    parameters = {"temperature": 0.2, "seed": 1}
    handler = recording(lambda body: web.json_response({"choices": [{"message": {"content": "Seoul"}}]}))
    (found,) = asked(handler, _chat(seed=7), fingerprint={"parameters": parameters})
    assert isinstance(found, Generation)
    assert found.output == "Seoul"
    assert found.latency_s is not None
    assert bodies == [
        {"model": "m", "messages": [{"role": "user", "content": "q"}], "temperature": 0.2, "seed": 7},
    ]


def test_a_lone_surrogate_travels_escaped(asked: Asked, recording: Any, bodies: Any, answered: Any) -> None:  # DAT-11
    asked(recording(lambda body: answered()), lambda it: it.chat([Message("user", "a\ud835b")]))
    assert bodies[0]["messages"][0]["content"] == "a\ud835b"


def _way(body: Any) -> str:
    return str(body.get("response_format", {"type": "text"})["type"])


@pytest.mark.parametrize("takes", ["json_schema", "json_object", "text"])
def test_the_strictest_way_that_works_is_found_and_remembered(
    takes: str, asked: Asked, recording: Any, bodies: list[Any], answered: Any
) -> None:
    ladder = ["json_schema", "json_object", "text"]

    def answer(body: Any) -> web.Response:
        return answered("{}") if _way(body) == takes else web.json_response({"error": "no such format"}, status=400)

    found = asked(recording(answer), _chat(schema=SCHEMA), _chat(schema=SCHEMA))
    assert [type(reply) for reply in found] == [Generation, Generation]
    tried = ladder[: ladder.index(takes) + 1]
    assert [_way(body) for body in bodies] == [*tried, takes]
    told = "follows this JSON schema" in bodies[-1]["messages"][-1]["content"]
    assert told == (takes != "json_schema")


def test_one_question_that_no_way_can_ask_changes_nothing_for_the_next(
    asked: Asked, recording: Any, bodies: list[Any], answered: Any
) -> None:
    def answer(body: Any) -> web.Response:
        bad = "bad" in body["messages"][-1]["content"]
        return web.json_response({"error": "bad"}, status=400) if bad else answered("{}")

    first, second = asked(
        recording(answer), lambda it: it.chat([Message("user", "bad")], schema=SCHEMA), _chat(schema=SCHEMA)
    )
    assert first.reason == "request_rejected"
    assert isinstance(second, Generation)
    assert [_way(body) for body in bodies] == ["json_schema", "json_object", "text", "json_schema"]


def test_a_renamed_limit_of_tokens_is_learnt(asked: Asked, recording: Any, bodies: list[Any], answered: Any) -> None:
    def answer(body: Any) -> web.Response:
        wrong = {"error": {"message": "use 'max_completion_tokens' instead"}}
        return web.json_response(wrong, status=400) if "max_tokens" in body else answered()

    found = asked(recording(answer), _chat(max_tokens=5), _chat(max_tokens=6))
    assert all(isinstance(reply, Generation) for reply in found)
    assert [body.get("max_completion_tokens") for body in bodies] == [None, 5, 6]


async def _hang(request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def _drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("handler", [_hang, _drip], ids=["silence", "a byte at a time"])
def test_the_deadline_is_of_the_whole_call(handler: Any, asked: Asked) -> None:  # END-05
    (found,) = asked(handler, timeout_s=0.2)
    assert found.reason == "timeout"
    assert "in 0.2 s" in found.message


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_on_the_wall_that_jumps_makes_no_call_longer(hours: int, asked: Asked, answered: Any) -> None:  # END-17
    class Jumping(SystemClock):
        jumps = 0

        def now(self) -> datetime:
            self.jumps += 1
            return super().now() + timedelta(hours=hours * self.jumps)

    clock = Jumping()

    async def handler(request: web.Request) -> web.Response:
        clock.now()
        return answered()  # type: ignore[no-any-return]  # a response

    (found,) = asked(handler, clock=clock)
    assert clock.jumps >= 1
    assert 0 <= found.latency_s < 60


async def _reset(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [{"message": {"content": "half an ans')
    assert request.transport is not None
    request.transport.abort()
    return response


def test_a_connection_cut_in_the_middle_gives_no_answer(asked: Asked) -> None:  # END-04
    (found,) = asked(_reset)
    assert found.reason == "connection_failed"
    assert "half" not in found.message


async def _huge(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(40):
        await response.write(b" " * 2**20)
    return response


def test_a_reply_of_40_megabytes_is_not_read_to_its_end(asked: Asked) -> None:  # END-12
    (found,) = asked(_huge)
    assert found.reason == "malformed_response"
    assert f"over {MAX_BODY // 2**20} MiB" in found.message


def test_a_redirect_is_refused_and_not_followed(asked: Asked) -> None:  # SEC-03
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.path)
        raise web.HTTPFound("/elsewhere")

    (found,) = asked(handler)
    assert found.fatal
    assert seen == ["/v1/chat/completions"]


@pytest.mark.parametrize("key", ["canary-abcdef", "canary/with+slash=", 'canary"quote\\back'])
@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize("spelling", ["plain", "slashes"])
def test_a_key_that_is_echoed_never_comes_out(key: str, status: int, spelling: str, asked: Asked) -> None:  # SEC-07
    async def handler(request: web.Request) -> web.Response:
        said = f"you sent {request.headers['Authorization']}"
        body = {"choices": [{"message": {"content": said}}], "error": {"message": said}, "model": said}
        text = web.json_response(body, status=status).text or ""
        text = text.replace("/", "\\/") if spelling == "slashes" else text
        return web.Response(text=text, status=status, content_type="application/json")

    (found,) = asked(handler, headers={"Authorization": f"Bearer {key}"}, secrets=[key])
    assert key not in repr(found)
    assert key not in str(found.as_json())


def test_a_token_in_the_url_is_not_shown(asked: Asked) -> None:  # SEC-07
    async def work() -> Any:
        endpoint = Endpoint(
            base_url="http://127.0.0.1:9/canary-in-the-path/v1",
            model="m",
            clock=SystemClock(),
            fingerprint={"base_url": "http://127.0.0.1:9/${TOKEN}/v1"},
            secrets=["canary-in-the-path"],
        )
        try:
            return await endpoint.chat(QUESTION)
        finally:
            await endpoint.aclose()

    found = asyncio.run(work())
    assert found.reason == "connection_failed"
    assert "http://127.0.0.1:9" in found.message
    assert "canary" not in found.message


def _ask(base_url: str) -> Any:
    async def work() -> Any:
        endpoint = Endpoint(
            base_url=base_url, model="m", clock=SystemClock(), fingerprint={"base_url": base_url}, timeout_s=5
        )
        try:
            return await endpoint.chat(QUESTION)
        finally:
            await endpoint.aclose()

    return asyncio.run(work())


def test_a_refused_connection_names_the_endpoint_and_says_there_is_no_key() -> None:
    found = _ask("http://127.0.0.1:9/v1")
    assert found.reason == "connection_failed"
    assert "http://127.0.0.1:9/v1 (model m, no key)" in found.message


@pytest.mark.parametrize("host", ["a..b.example", "a" * 70 + ".example"])
def test_a_host_that_cannot_be_looked_up_is_a_failure_that_ends_the_run(host: str) -> None:
    found = _ask(f"http://{host}/v1")
    assert (found.reason, found.fatal) == ("connection_failed", True)
    assert "no connection can be made to such a host" in found.message


def test_a_head_of_a_reply_that_cannot_be_read_is_malformed(asked: Asked) -> None:  # END-07
    async def handler(request: web.Request) -> web.Response:
        return web.Response(headers={f"X-{n}": "1" for n in range(5_000)})

    async def work(here: Endpoint) -> Any:
        secret = Endpoint(
            base_url=f"{here.base_url}/canary-in-the-path",
            model="m",
            clock=SystemClock(),
            fingerprint={"base_url": "${URL}"},
        )
        try:
            return await secret.chat(QUESTION)
        finally:
            await secret.aclose()

    (found,) = asked(handler, work)
    assert found.reason == "malformed_response"
    assert "headers" in found.message
    assert "canary" not in found.message


def test_what_does_not_speak_http_is_no_connection() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        await writer.drain()
        writer.close()

    async def work() -> Any:
        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        endpoint = Endpoint(base_url=f"http://127.0.0.1:{port}/v1", model="m", clock=SystemClock(), fingerprint={})
        try:
            return await endpoint.chat(QUESTION)
        finally:
            await endpoint.aclose()
            server.close()
            await server.wait_closed()

    assert asyncio.run(work()).reason == "connection_failed"


def test_a_name_that_resolves_to_a_metadata_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:  # SEC-02
    async def resolve(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        return [{"hostname": host, "host": "169.254.169.254", "port": port, "family": 2, "proto": 0, "flags": 0}]

    monkeypatch.setattr("aiohttp.DefaultResolver.resolve", resolve)
    found = _ask("http://innocent.example/v1")
    assert found.reason == "connection_failed"
    assert "innocent.example resolves to what no request may go to" in found.message


def test_a_certificate_that_nobody_signed_names_the_host_and_stops_the_run(tmp_path: Any) -> None:  # END-11
    certificate = _self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def work() -> Any:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        base = f"https://127.0.0.1:{port}/v1"
        endpoint = Endpoint(base_url=base, model="m", clock=SystemClock(), fingerprint={"base_url": base})
        try:
            return base, await endpoint.chat(QUESTION)
        finally:
            await endpoint.aclose()
            server.close()

    base, found = asyncio.run(work())
    assert isinstance(found, Failure)
    assert found.fatal
    assert base in found.message


def _self_signed(folder: Any) -> str:
    import subprocess

    path = folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-keyout", str(path), "-out", str(folder / "only.pem")),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + (folder / "only.pem").read_text())
    return str(path)


def test_vectors_come_in_the_order_of_the_texts_with_their_price(asked: Asked) -> None:
    async def handler(request: web.Request) -> web.Response:
        rows = [{"index": 1, "embedding": [3, 4]}, {"index": 0, "embedding": [1, 2]}]
        return web.json_response({"data": rows, "usage": {"prompt_tokens": 8}, "model": "e"})

    (found,) = asked(handler, lambda it: it.embed(["a", "b"]), price=Price(1, 0))
    assert found == Embeddings(((1.0, 2.0), (3.0, 4.0)), Usage(input=8), 8e-6, "e")


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"data": []},
        {"data": [{"index": 0, "embedding": [1]}]},
        {"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]},
        {"data": [{"index": 0, "embedding": ["x"]}, {"index": 1, "embedding": [1]}]},
    ],
)
def test_vectors_that_do_not_fit_the_texts_are_malformed(body: Any, asked: Asked) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(body)

    (found,) = asked(handler, lambda it: it.embed(["a", "b"]))
    assert found.reason == "malformed_response"


def test_an_endpoint_that_cannot_embed_says_so(asked: Asked) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"error": "no"}, status=404)

    (found,) = asked(handler, lambda it: it.embed(["a"]))
    assert found.fatal
