"""The part of the OpenAI wire that is spoken here: requests checked, replies shaped. No I/O."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from haetae.core.canonical import Json, digest
from haetae.demo.text import token_count

MAX_CHOICES = 16
MAX_MESSAGES = 1000


class ApiError(Exception):
    """An error in OpenAI's shape: HTTP status, message, the parameter at fault, a code."""

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code

    def as_json(self) -> Json:
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True, slots=True)
class Call:
    """What chat completions and completions have in common, checked.

    `max_tokens` is None where the request sets no limit; `logprobs` is how many alternatives are
    wanted beside each token, None for no log-probabilities at all.
    """

    model: str
    temperature: float
    seed: int
    max_tokens: int | None
    choices: int
    logprobs: int | None


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat completion request: (role, text) of each message, and the answer's JSON schema if it has one."""

    call: Call
    messages: tuple[tuple[str, str], ...]
    schema: Mapping[str, Any] | None
    wants_json: bool

    @property
    def prompt(self) -> str:
        """The last user message."""
        return next((text for role, text in reversed(self.messages) if role == "user"), "")

    @property
    def system(self) -> str:
        """The system messages, one after the other."""
        return "\n".join(text for role, text in self.messages if role in ("system", "developer"))

    @property
    def everything(self) -> str:
        """All messages as one text: what a seed of randomness is made of."""
        return "\n\0".join(text for _, text in self.messages)


def parse(raw: bytes) -> dict[str, Any]:
    """The body as a JSON object. Raises ApiError 400."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise ApiError(400, f"the body is not JSON: {exc}") from exc
    if not isinstance(body, dict):
        raise ApiError(400, "the body is not a JSON object")
    if body.get("stream"):
        raise ApiError(400, "streaming is not offered here", "stream", "unsupported_value")
    return body


def field(body: Mapping[str, Any], name: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
    """A field of the body, of the kind told, or its default where it is absent or null. Raises ApiError 400."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ApiError(400, f"{name} has the wrong type: {type(value).__name__}", name, "invalid_type")
    return value


def read_call(body: Mapping[str, Any]) -> Call:
    """The common fields. Raises ApiError 400."""
    model = field(body, "model", str)
    if not model:
        raise ApiError(400, "model is missing", "model", "missing_required_parameter")
    limit = field(body, "max_completion_tokens", int, field(body, "max_tokens", int))
    choices, temperature = field(body, "n", int, 1), float(field(body, "temperature", (int, float), 1.0))
    for name, value, low, high in (
        ("n", choices, 1, MAX_CHOICES),
        ("temperature", temperature, 0, 2),
        ("max_tokens", 0 if limit is None else limit, 0, 1_000_000),
    ):
        if not low <= value <= high:
            raise ApiError(400, f"{name} is {value}; it goes from {low} to {high}", name, "invalid_value")
    return Call(model, temperature, field(body, "seed", int, 0), limit, choices, _alternatives(body))


def _alternatives(body: Mapping[str, Any]) -> int | None:
    """Chats say `logprobs: true, top_logprobs: 5`; completions say `logprobs: 5`."""
    wanted = body.get("logprobs")
    if wanted is None or wanted is False:
        return None
    count = field(body, "top_logprobs", int, 0) if wanted is True else field(body, "logprobs", int)
    if not 0 <= count <= 20:
        raise ApiError(400, f"{count} log-probabilities a token are wanted; there are 0 to 20", "logprobs")
    return int(count)


def read_chat(body: Mapping[str, Any]) -> Chat:
    """A chat completion request. Raises ApiError 400."""
    turns = field(body, "messages", list, [])
    if not 0 < len(turns) <= MAX_MESSAGES:
        raise ApiError(400, f"messages has {len(turns)} entries; it takes 1 to {MAX_MESSAGES}", "messages")
    messages = tuple(_message(turn, f"messages[{at}]") for at, turn in enumerate(turns))
    form = field(body, "response_format", dict, {})
    kind = form.get("type", "text")
    if kind not in ("text", "json_object", "json_schema"):
        raise ApiError(400, f"response_format.type {kind!r} is not known", "response_format")
    schema = None
    if kind == "json_schema":
        described = form.get("json_schema")
        schema = described.get("schema") if isinstance(described, dict) else None
        if not isinstance(schema, dict):
            raise ApiError(400, "response_format.json_schema.schema is missing", "response_format")
        schema = {"title": described.get("name"), **schema}
    return Chat(read_call(body), messages, schema, kind != "text")


def _message(turn: Any, where: str) -> tuple[str, str]:
    if not isinstance(turn, dict) or not isinstance(turn.get("role"), str):
        raise ApiError(400, f"{where} has no role", where)
    content = turn.get("content")
    if isinstance(content, list):
        content = "".join(_text(part, where) for part in content)
    if not isinstance(content, str):
        raise ApiError(400, f"{where} has no text", where)
    return turn["role"], content


def _text(part: Any, where: str) -> str:
    """What a part of a message says. A picture says nothing here: no model sees it. Raises ApiError 400."""
    if isinstance(part, dict) and part.get("type") == "image_url":
        return ""
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    raise ApiError(400, f"{where} has a part that is neither text nor a picture", where)


def usage(given: Sequence[str], made: Sequence[str]) -> Json:
    """Estimated token counts of what was read and what was written."""
    prompt, completion = token_count(given), token_count(made)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def envelope(kind: str, model: str, choices: list[Json], counts: Json) -> Json:
    """What surrounds the choices of a reply; the id is the digest of the answer."""
    prefix = "chatcmpl" if kind == "chat.completion" else "cmpl"
    return {
        "id": f"{prefix}-{digest(model, choices)[:24]}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
        "choices": choices,
        "usage": counts,
    }
