"""The OpenAI wire: what a reply means. Pure functions; the transport is in endpoint.py."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from haetae.core import reasons
from haetae.core.amounts import is_count
from haetae.core.canonical import Json, dumps, loads
from haetae.core.generation import Alternative, Failure, Generation, Usage
from haetae.core.sample import ToolCall
from haetae.core.secrets import redact
from haetae.targets.returned import check_call

_WORTH_IT_BELOW_500 = frozenset({408, 409, 425})
_NOT_WORTH_IT_FROM_500 = frozenset({501, 505})
"""The server does not do what it is asked for, and will not a second later."""
_FILTERED = ("content_filter", "content management policy", "content_policy_violation")
_OVERLOADED = frozenset({503, 529})
_MOST_SHOWN = 600
"""Characters of an endpoint's own message that are kept."""
_LONGEST_WAIT_S = 365 * 86_400.0
"""A wait that is told is at most a year: more of it makes no difference, and is not printed digit by digit."""
_LONGEST_DATE = 64
"""Characters of a date that is read at all."""
_TOO_LONG = ("context_length", "maximum context", "too many tokens", "prompt is too long", "exceeds the context")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens. Cached input costs as much as input where nothing else is known."""

    input: float
    output: float
    cached_input: float | None = None

    def of(self, usage: Usage) -> float:
        """The cost of a call in US dollars; reasoning tokens are billed as output."""
        cached = self.input if self.cached_input is None else self.cached_input
        dollars = usage.input * self.input + usage.cached_input * cached
        return (dollars + (usage.output + usage.reasoning) * self.output) / 1e6


def usage_of(body: Json) -> Usage | None:
    """Token counts in disjoint buckets: the wire counts cached input in input, reasoning in output.

    None when the endpoint gave none, or gave what cannot be a count.
    """
    counts = body.get("usage")
    given, made = _count(counts, "prompt_tokens"), _count(counts, "completion_tokens")
    if given is None:
        return None
    made = made or 0
    cached = min(given, _count(counts.get("prompt_tokens_details"), "cached_tokens") or 0)
    reasoning = min(made, _count(counts.get("completion_tokens_details"), "reasoning_tokens") or 0)
    return Usage(given - cached, cached, made - reasoning, reasoning)


def _count(counts: Json, name: str) -> int | None:
    """A count of tokens; None for what cannot be one."""
    count = counts.get(name) if isinstance(counts, dict) else None
    return count if is_count(count) else None


def chat_reply(raw: bytes, latency_s: float, price: Price | None) -> Generation | Failure:
    """The answer in a chat completion's body; every way in which there is none is its own reason."""
    try:
        body = loads(raw)
        if isinstance(body.get("error"), dict) and not body.get("choices"):
            return _error_in_a_200(body["error"], raw)
        choice = body["choices"][0]
        message = choice["message"]
        content, finish = message.get("content"), choice.get("finish_reason")
        calls = tuple(_tool_call(call) for call in message.get("tool_calls") or ())
        if content is not None and not isinstance(content, str):
            content = "".join(part.get("text", "") for part in content)
        logprobs, alternatives = _logprobs(choice), _alternatives(choice)
        usage = usage_of(body)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as exc:
        return malformed(raw, exc)
    cost = price.of(usage) if price and usage else None

    def none(reason: str, why: str) -> Failure:
        return Failure(reason, why, usage=usage, cost_usd=cost)

    if finish == "content_filter":
        return none(reasons.CONTENT_FILTER, "the endpoint's content filter withheld the answer")
    one_token = len(alternatives) == 1 and alternatives[0]  # asked for with its alternatives, and whole
    if finish == "length" and not one_token:
        return none(reasons.TRUNCATED, "the answer reached the token limit (max_tokens)")
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        content, finish = refusal, "refusal"
    if not content and not calls:
        return none(reasons.EMPTY, "the endpoint returned an empty answer")
    return Generation(
        output=content or "",
        tool_calls=calls or None,
        usage=usage,
        cost_usd=cost,
        latency_s=latency_s,
        model=_text(body.get("model")),
        finish_reason=_text(finish),
        logprobs=logprobs,
        alternatives=alternatives,
    )


def _tool_call(call: Json) -> ToolCall:
    function = call["function"]
    name, arguments = function["name"], function.get("arguments") or "{}"
    arguments = loads(arguments) if isinstance(arguments, str) else arguments
    made = ToolCall(name, arguments)
    check_call(made)
    return made


def _logprobs(choice: Json) -> tuple[float, ...] | None:
    """The tokens' log probabilities; None where they are absent or not all numbers."""
    given = choice.get("logprobs")
    tokens = given.get("content") if isinstance(given, dict) else None
    found = [token.get("logprob") for token in tokens] if isinstance(tokens, list) else []
    finite = all(isinstance(p, int | float) and math.isfinite(p) for p in found)
    return tuple(float(p) for p in found) if found and finite else None


def _alternatives(choice: Json) -> tuple[tuple[Alternative, ...], ...]:
    """The likeliest tokens at each place; none where the endpoint told none that can be read."""
    given = choice.get("logprobs")
    places = given.get("content") if isinstance(given, dict) else None
    try:
        return tuple(
            tuple(Alternative(str(a["token"]), float(a["logprob"])) for a in place.get("top_logprobs") or ())
            for place in places or ()
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        return ()


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def malformed(raw: bytes, exc: Exception | None = None) -> Failure:
    """A 200 that is not an answer: an HTML page, a cut-off body. The excerpt is redacted."""
    excerpt = redact(raw[:200].decode("utf-8", "backslashreplace")).replace("\n", " ")
    why = f" ({type(exc).__name__}: {exc})" if exc else ""
    return Failure(reasons.MALFORMED, f"not a completion{why}: {excerpt!r}")


def _error_in_a_200(error: Json, raw: bytes) -> Failure:
    """What a router passes on of the endpoint behind it: the error, with its status as `code`."""
    code = error.get("code")
    status = code if isinstance(code, int) else 0
    reason = reasons.RATE_LIMITED if status == 429 else reasons.SERVER_ERROR if status >= 500 else reasons.MALFORMED
    return Failure(reason, f"HTTP 200 with an error: {redact(_error_text(raw))[:_MOST_SHOWN]}")


def http_failure(status: int, headers: Mapping[str, str], raw: bytes, place: str, now: datetime) -> Failure:
    """What a status other than 200 means. `place` names the endpoint and the key's variable for people."""
    detail = redact(_error_text(raw))[:_MOST_SHOWN]
    message = f"HTTP {status} from {place}: {detail}" if detail else f"HTTP {status} from {place}"
    if status == 429:
        quota = "insufficient_quota" in detail
        return Failure(
            reasons.RATE_LIMITED, message, retry_after_s=retry_after(headers, now), fatal=quota, overloaded=True
        )
    if status in _WORTH_IT_BELOW_500 or (status >= 500 and status not in _NOT_WORTH_IT_FROM_500):
        wait_s = retry_after(headers, now)
        return Failure(reasons.SERVER_ERROR, message, retry_after_s=wait_s, overloaded=status in _OVERLOADED)
    if status in (401, 402, 403, 404, 407) or 300 <= status < 400:
        return Failure(reasons.REJECTED, message, fatal=True)
    if status in (400, 413, 422) and any(mark in detail.lower() for mark in _TOO_LONG):
        return Failure(reasons.TOO_LONG, message)
    if status == 400 and any(mark in detail.lower() for mark in _FILTERED):
        return Failure(reasons.CONTENT_FILTER, message)
    return Failure(reasons.REJECTED, message)


def _error_text(raw: bytes) -> str:
    try:
        body = loads(raw)
        error = body.get("error", body) if isinstance(body, dict) else body
        text = error.get("message") or dumps(error) if isinstance(error, dict) else str(error)
        code = error.get("code") if isinstance(error, dict) else None
        return f"{text} ({code})" if code and str(code) not in text else str(text)
    except ValueError:
        return raw[:200].decode("utf-8", "backslashreplace").strip()


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait, from retry-after-ms, or from Retry-After as seconds or as an HTTP date; None when absent or
    unreadable. A date is counted from the reply's own: the clock here, `now`, may be wrong."""
    for name, unit in (("retry-after-ms", 1_000), ("Retry-After", 1)):
        try:
            seconds = float(headers.get(name, "nan")) / unit
        except ValueError:
            continue  # not a number: Retry-After may also hold a date
        if math.isfinite(seconds):
            return _bounded(seconds)
    moment = _moment(headers.get("Retry-After"))
    if moment is None:
        return None
    return _bounded((moment - (_moment(headers.get("Date")) or now)).total_seconds())


def _bounded(seconds: float) -> float:
    return min(max(0.0, seconds), _LONGEST_WAIT_S)


def _moment(date: str | None) -> datetime | None:
    """An HTTP date; None for what is none, or for one that no calendar holds. One without a zone is in UTC."""
    if date is None or len(date) > _LONGEST_DATE:
        return None
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
