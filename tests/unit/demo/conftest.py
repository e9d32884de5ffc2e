"""A demonstration server to talk to, and its models without a socket as the port of a language model."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp
import pytest

from haetae.core import reasons
from haetae.core.generation import Failure, Generation, Usage
from haetae.core.model import Embeddings
from haetae.core.sample import Message
from haetae.demo.models import DemoModels
from haetae.demo.server import DemoServer
from haetae.demo.wire import ApiError

Reply = tuple[int, Any]
Talk = Callable[..., list[Reply]]


@pytest.fixture
def talk() -> Talk:
    """`talk((path, body), …, night=3)`: one server, the requests in turn, (status, JSON) of each.

    A body that is None asks with GET; bytes are sent as they are.
    """

    async def conversation(requests: Sequence[tuple[Any, ...]], dials: Mapping[str, Any]) -> list[Reply]:
        replies = []
        async with DemoServer(corpus=dials.get("corpus", ())) as server, aiohttp.ClientSession() as session:
            for name in ("night", "judge_revision", "temperature_noise"):
                if name in dials:
                    setattr(server, name, dials[name])
            for path, body, *headers in requests:
                method = "GET" if body is None else "POST"
                sent = (
                    {"data": io.BytesIO(body)}
                    if isinstance(body, bytes)
                    else {"json": body}
                    if body is not None
                    else {}
                )
                address = server.base_url + path
                async with session.request(method, address, headers=headers[0] if headers else None, **sent) as reply:
                    replies.append((reply.status, await reply.json()))
        return replies

    return lambda *requests, **dials: asyncio.run(conversation(requests, dials))


class InProcess:
    """A demonstration model as the port of a language model."""

    def __init__(self, models: DemoModels, name: str) -> None:
        self.models, self.name = models, name
        self.fingerprint: Mapping[str, Any] = {"model": name}

    async def chat(self, messages: Sequence[Message], *, schema: Any = None, **overrides: Any) -> Generation | Failure:
        body: dict[str, Any] = {"model": self.name, "messages": [m.as_json() for m in messages], **overrides}
        if schema is not None:
            described = {"name": schema.get("title", "answer"), "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": described}
        try:
            reply = self.models.chat(body)
        except ApiError as exc:
            return Failure(reasons.REJECTED, str(exc))
        counts = Usage(reply["usage"]["prompt_tokens"], output=reply["usage"]["completion_tokens"])
        return Generation(reply["choices"][0]["message"]["content"], usage=counts, model=reply["model"])

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        rows = self.models.embed({"model": self.name, "input": list(texts)})["data"]
        return Embeddings(tuple(tuple(row["embedding"]) for row in rows))

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.fixture
def models() -> DemoModels:
    return DemoModels()


@pytest.fixture
def judge(models: DemoModels) -> InProcess:
    return InProcess(models, "lexical-judge")


@pytest.fixture
def embedder(models: DemoModels) -> InProcess:
    return InProcess(models, "hashed-embedder")
