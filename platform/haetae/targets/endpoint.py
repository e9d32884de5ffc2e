"""Any OpenAI-compatible endpoint: the one transport of targets, judges and embeddings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import orjson
from msgspec import structs

from haetae.core import reasons
from haetae.core.canonical import Json, dumps, loads
from haetae.core.clock import Clock
from haetae.core.generation import Failure, Generation
from haetae.core.model import Embeddings, Likelihood
from haetae.core.pace import Told
from haetae.core.sample import Message
from haetae.core.secrets import MASK, redact
from haetae.targets import likelihoods
from haetae.targets.content import pictured, wired, with_text
from haetae.targets.pacing_headers import told
from haetae.targets.proxy import proxy_of, secrets_of
from haetae.targets.room import Room
from haetae.targets.wire import Price, chat_reply, http_failure, malformed, usage_of

if TYPE_CHECKING:
    from haetae.targets.connections import Connections

MOST_PICTURED = 64 * 2**20
"""Bytes of pictures in calls under way; each is in memory some four times while it is sent."""

_MOST_QUOTED = 3
"""How deep JSON is quoted in JSON: a judge's verdict is JSON in the JSON of a reply, and may quote JSON itself."""

_LADDER = ("json_schema", "json_object", "text")


class Endpoint:
    """A model behind an OpenAI-compatible endpoint (OpenAI, Azure, vLLM, Ollama, llama.cpp, …).

    One call is one request: no retry, no limit, no cache happens here. Structured answers are asked for
    by the strictest way that the endpoint takes (`json_schema`, then `json_object`, then the schema in
    the prompt alone); the way that worked is remembered. `fingerprint` holds the base URL as registered
    (with its placeholders), the model's name, the decoding `parameters` that every chat sends, and where it
    is not the default the way of asking for a text's `likelihood` and the `bos` put before it. `on_quotas` is
    told what the headers of replies say of quotas. Raises ConfigError where the environment names a proxy that is none.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        clock: Clock,
        fingerprint: Mapping[str, Json],
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        price: Price | None = None,
        key_names: Sequence[str] = (),
        secrets: Sequence[str] = (),
        timeout_s: float = 60.0,
        connections: int = 64,
        on_quotas: Callable[[Told], None] | None = None,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._model = model
        self._clock = clock
        self._fingerprint = fingerprint
        self._parameters: Mapping[str, Json] = fingerprint.get("parameters", {})
        self._route: str = fingerprint.get("likelihood", "echo")
        self._bos: str = fingerprint.get("bos", "")
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        self._query = dict(query or {})
        self._price = price
        keys = ", ".join(f"${name}" for name in key_names)
        self._proxy = proxy_of(self._base)
        logins = secrets_of(self._proxy) if self._proxy else ()
        self._known = tuple(secret for secret in (*secrets, *logins) if len(secret) >= 4)
        host = urlsplit(self._base)
        shown = self._base if self._base == fingerprint.get("base_url") else f"{host.scheme}://{host.netloc}"
        self._place = redact(f"{shown} (model {model}, {f'key from {keys}' if keys else 'no key'})", self._known)
        self._secrets = tuple({form.encode() for secret in self._known for form in _spellings(secret)})
        self._timeout_s = timeout_s
        self._most_connections = connections
        self._on_quotas = on_quotas
        self._connections: Connections | None = None
        self._pictures = Room(MOST_PICTURED)
        self._rung = 0
        self._renamed_limit = False

    @property
    def base_url(self) -> str:
        """Where calls go: limits are kept per base URL."""
        return self._base

    @property
    def deterministic(self) -> bool:
        """No: what runs behind its name is not known."""
        return False

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """What fixes the answers; no key, no header."""
        return self._fingerprint

    async def chat(
        self, messages: Sequence[Message], *, schema: Json = None, **overrides: Json
    ) -> Generation | Failure:
        """See `LanguageModel.chat`. Pictures are read when there is room for them."""
        size = pictured(messages)
        if not size:
            return await self._chat(messages, schema, overrides)
        async with self._pictures.take(size):
            return await self._chat(messages, schema, overrides)

    async def _chat(
        self, messages: Sequence[Message], schema: Json, overrides: Mapping[str, Json]
    ) -> Generation | Failure:
        turns = await wired(messages)
        if isinstance(turns, Failure):
            return turns
        rung, attempts = self._rung, 0
        while True:
            attempts += 1
            payload = {"model": self._model, "messages": turns, **self._parameters, **overrides}
            if schema is not None:
                self._ask_for_json(payload, schema, _LADDER[rung])
            if self._renamed_limit and "max_tokens" in payload:
                payload["max_completion_tokens"] = payload.pop("max_tokens")
            reply = await self._post("/chat/completions", payload)
            if not isinstance(reply, Failure):
                answer = chat_reply(reply[0], reply[1], self._price)
                if isinstance(answer, Generation):  # only a way that worked is remembered
                    self._rung = max(self._rung, rung)
                return structs.replace(answer, attempts=attempts) if attempts > 1 else answer
            reply = structs.replace(reply, attempts=attempts)
            if reply.fatal or not (reply.reason == reasons.REJECTED or _is_of_the_form(reply)):
                return reply
            if "max_completion_tokens" in reply.message and "max_tokens" in payload:
                self._renamed_limit = True
            elif schema is not None and rung < len(_LADDER) - 1:
                rung += 1
            else:
                return reply

    def _ask_for_json(self, payload: dict[str, Json], schema: Json, way: str) -> None:
        if way == "json_schema":
            name = schema.get("title", "answer")
            payload["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": name, "strict": True, "schema": schema},
            }
            return
        *before, last = payload["messages"]
        told = f"Reply with one JSON object that follows this JSON schema:\n{dumps(schema)}"
        payload["messages"] = [*before, with_text(last, told)]
        if way == "json_object":
            payload["response_format"] = {"type": "json_object"}

    async def embed(self, texts: Sequence[str]) -> Embeddings | Failure:
        """See `LanguageModel.embed`."""
        reply = await self._post("/embeddings", {"model": self._model, "input": list(texts), **self._parameters})
        if isinstance(reply, Failure):
            return reply
        try:
            body = loads(reply[0])
            rows = sorted(body["data"], key=lambda row: row["index"])
            vectors = tuple(tuple(map(float, row["embedding"])) for row in rows)
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            return malformed(reply[0], exc)
        if len(vectors) != len(texts) or len({len(vector) for vector in vectors}) > 1:
            return malformed(reply[0])
        usage = usage_of(body)
        cost = self._price.of(usage) if self._price and usage else None
        return Embeddings(vectors, usage, cost, body.get("model"))

    async def likelihood(self, text: str, *, prompt: str = "") -> Likelihood | Failure:
        """See `LanguageModel.likelihood`; how the tokens are told apart is said in likelihoods.py."""
        whole = await self._reading(self._bos + prompt + text)
        if isinstance(whole, Failure):
            return whole
        found = likelihoods.located(whole, self._bos, prompt, text)
        if found is None:
            prefix = self._bos + prompt
            before = await self._reading(prefix) if prefix else None
            found = before if isinstance(before, Failure) else likelihoods.after(whole, before, self._bos)
        if isinstance(found, Failure):  # what was read is paid for all the same
            return structs.replace(found, usage=whole.usage, cost_usd=whole.cost_usd)
        return found

    async def _reading(self, text: str) -> likelihoods.Reading | Failure:
        reply = await self._post("/completions", likelihoods.request(self._route, self._model, text))
        if isinstance(reply, Failure):
            return likelihoods.refused(reply)
        return likelihoods.reading(self._route, reply[0], self._price)

    async def _post(self, path: str, payload: Json) -> tuple[bytes, float] | Failure:
        """The body of a 200 and the seconds it took; anything else as a Failure."""
        started = self._clock.monotonic()
        reply = await self._connected().post(self._base + path, _encode(payload), self._headers, self._query)
        if isinstance(reply, Failure):
            return reply
        status, headers, body = reply
        if self._on_quotas is not None and (quotas := told(headers)) is not None:
            self._on_quotas(quotas)
        raw = self._without_secrets(body)
        if status != 200:
            return http_failure(status, headers, raw, self._place, self._clock.now())
        return raw, self._clock.monotonic() - started

    def _without_secrets(self, raw: bytes) -> bytes:
        """An endpoint that echoes our key (in an error, in an answer) does not get it stored."""
        for secret in self._secrets:
            if secret in raw:
                raw = raw.replace(secret, MASK.encode())
        return raw

    def _connected(self) -> Connections:
        if self._connections is None:
            from haetae.targets.connections import Connections  # with aiohttp, which only a call needs

            self._connections = Connections(
                self._proxy,
                limit=self._most_connections,
                timeout_s=self._timeout_s,
                place=self._place,
                secrets=self._known,
            )
        return self._connections

    async def aclose(self) -> None:
        """Close the connections."""
        if self._connections is not None:
            await self._connections.aclose()
            self._connections = None


def _is_of_the_form(failure: Failure) -> bool:
    """Whether a server's fault is that it does not know a form of structured answers; some say 500 for it."""
    named = any(word in failure.message for word in ("response_format", "json_schema", "json_object"))
    return failure.reason == reasons.SERVER_ERROR and named


def _spellings(secret: str) -> set[str]:
    """A secret as it may come back: as it is, inside a URL, inside JSON, and inside JSON quoted in JSON."""
    forms = {secret, quote(secret), quote(secret, safe="")}
    for _ in range(_MOST_QUOTED):
        forms |= {json.dumps(form)[1:-1] for form in forms}
    return forms | {form.replace("/", "\\/") for form in forms}


def _encode(payload: Json) -> bytes:
    try:
        return orjson.dumps(payload)
    except TypeError:  # a lone surrogate, which UTF-8 cannot hold: escape it
        return dumps(payload).encode()
