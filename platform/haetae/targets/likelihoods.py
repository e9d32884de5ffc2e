"""How probable an endpoint finds a text, read from its `/completions`: two dialects. Pure functions.

`echo` is OpenAI's own (`echo` with `logprobs`, no token made), `prompt_logprobs` is vLLM's. Many endpoints
take the request and answer what cannot be true (log probabilities of what they wrote themselves, zeros, a
floor in place of minus infinity): each such answer is a Failure with its own message, never a perfect text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from msgspec import structs

from haetae.core import reasons
from haetae.core.canonical import Json, loads
from haetae.core.generation import Failure, Usage
from haetae.core.model import Likelihood
from haetae.targets.wire import Price, malformed, usage_of

_FLOOR = -9999.0
"""What vLLM writes for minus infinity, which JSON cannot hold."""
_ROUND_OFF = 1e-6
_MOST_SPECIAL = 3
"""Special tokens that an endpoint puts before a text at most; all known ones put none, one or two."""
_CALL_IS_MISSING = ("HTTP 400", "HTTP 404", "HTTP 405", "HTTP 422", "HTTP 501")


@dataclass(frozen=True, slots=True)
class Reading:
    """The tokens of a text as an endpoint counts them, the special ones before it included.

    `pieces` are the tokens as text, the first one None where it is not told. `ids` tell tokens apart.
    The first token has no log probability: nothing stands before it.
    """

    logprobs: tuple[float, ...]
    pieces: tuple[str | None, ...]
    ids: tuple[Json, ...]
    counted: int | None
    usage: Usage | None
    cost_usd: float | None
    model: str | None


def request(route: str, model: str, text: str) -> Json:
    """The body that asks for the log probabilities of a text's tokens."""
    if route == "echo":
        return {"model": model, "prompt": text, "max_tokens": 0, "echo": True, "logprobs": 1}
    return {"model": model, "prompt": text, "max_tokens": 1, "prompt_logprobs": 1, "return_token_ids": True}


def refused(failure: Failure) -> Failure:
    """A refusal that says the endpoint has no such call (it only chats) gets a reason of its own."""
    if failure.reason != reasons.REJECTED or not failure.message.startswith(_CALL_IS_MISSING):
        return failure
    why = f"{failure.message}; log probabilities of a text are asked of /completions, which not every endpoint has"
    return structs.replace(failure, reason=reasons.NO_LOGPROBS, message=why)


def reading(route: str, raw: bytes, price: Price | None) -> Reading | Failure:
    """What a 200 says of the tokens; what cannot be true is a Failure."""
    try:
        body = loads(raw)
        choice = body["choices"][0]
        usage = usage_of(body)
        counted = None if usage is None else usage.input + usage.cached_input
        given = _echoed(choice) if route == "echo" else _prompt_logprobs(choice, body)
        fault = given if isinstance(given, str) else _fault(given[0], counted)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError) as exc:
        if "is not JSON" in str(exc):  # NaN, which is told like any other number
            return Failure(reasons.NO_LOGPROBS, "the endpoint told a log probability that is not a number")
        return malformed(raw, exc)
    cost = price.of(usage) if price and usage else None
    if isinstance(given, str) or fault:
        return Failure(reasons.NO_LOGPROBS, f"the endpoint {fault}", usage=usage, cost_usd=cost)
    values, pieces, ids = given
    named = body.get("model")
    return Reading(
        logprobs=tuple(map(float, values[1:])),
        pieces=tuple(pieces),
        ids=tuple(ids),
        counted=counted,
        usage=usage,
        cost_usd=cost,
        model=named if isinstance(named, str) else None,
    )


_Given = tuple[list[Json], list[str | None], list[Json]] | str
"""Log probabilities, pieces and ids of all tokens; or what the endpoint did instead of telling them."""


def _echoed(choice: Json) -> _Given:
    told = choice.get("logprobs")
    values = told.get("token_logprobs") if isinstance(told, dict) else None
    if not isinstance(values, list) or not values:
        return "returned no log probabilities: it ignores echo with logprobs"
    pieces = told.get("tokens")
    if not isinstance(pieces, list) or len(pieces) != len(values) or not all(isinstance(p, str) for p in pieces):
        return f"returned {len(values)} log probabilities without one token for each"
    return values, pieces, pieces


def _prompt_logprobs(choice: Json, body: Json) -> _Given:
    places = choice.get("prompt_logprobs") or body.get("prompt_logprobs")
    ids = choice.get("prompt_token_ids") or body.get("prompt_token_ids")
    if not isinstance(places, list) or not places:
        return "returned no prompt_logprobs: it is not vLLM, or an old one"
    if not isinstance(ids, list) or len(ids) != len(places):
        return "returned prompt_logprobs without prompt_token_ids: which of the candidates is the text's is not told"
    values: list[Json] = []
    pieces: list[str | None] = []
    for place, token in zip(places, ids, strict=True):
        own = None if place is None else place.get(str(token))
        if place is not None and own is None:
            return f"returned prompt_logprobs that lack the text's own token {token}"
        values.append(None if own is None else own["logprob"])
        pieces.append(None if own is None else own.get("decoded_token"))
    return values, pieces, ids


def _fault(values: Sequence[Json], counted: int | None) -> str | None:
    """What is wrong with log probabilities that a text cannot have; None for those that it can."""
    if counted is not None and len(values) < counted:
        return f"told the log probabilities of {len(values)} tokens where the text has {counted}: only of its own?"
    if values[0] is not None:
        return f"gave the first token a log probability ({values[0]!r}), before which nothing stands"
    scored = values[1:]
    if None in scored:
        return f"told no log probability of token {scored.index(None) + 1}"
    if wrong := [p for p in scored if type(p) not in (int, float) or math.isnan(p)]:
        return f"told a log probability that is not a number: {wrong[0]!r}"
    if wrong := [p for p in scored if p > _ROUND_OFF]:
        return f"told the log probability {wrong[0]:g}, a probability above 1"
    if wrong := [p for p in scored if p <= _FLOOR]:
        return f"told the log probability {wrong[0]:g}, which stands for minus infinity and is no measurement"
    if scored and all(p == 0 for p in scored):
        return f"told {len(scored)} log probabilities of exactly 0: it does not compute them"
    return None


def located(whole: Reading, bos: str, prompt: str, text: str) -> Likelihood | Failure | None:
    """The likelihood of the text alone; None where the pieces do not spell what was asked.

    They do not where an endpoint shows parts of a character as "�": then only the prompt's own tokens tell
    where the text begins. A token that holds the end of the prompt and the beginning of the text is the
    text's.
    """
    body = prompt + text
    pieces = _completed(whole.pieces, bos + body)
    ends = list(accumulate(map(len, pieces)))
    joined = "".join(pieces)
    fewest = 1 if bos or (whole.pieces[0] is None and not pieces[0]) else 0
    most = fewest if bos else _MOST_SPECIAL
    for special in range(fewest, min(most, len(pieces)) + 1):
        lead = ends[special - 1] if special else 0
        if joined.startswith(body, lead):
            break
    else:
        if bos and joined.endswith(body):
            return _not_one_token(bos)
        return _cut(joined, body) or _cut("".join(pieces[1:]), body)
    first = next((n for n in range(special, len(pieces)) if _end(pieces, ends, n) > lead + len(prompt)), len(pieces))
    last = next((n for n in range(first, len(pieces)) if ends[n] - len(pieces[n]) >= lead + len(body)), len(pieces))
    return _tokens(whole, first, last)


def after(whole: Reading, before: Reading | None, bos: str) -> Likelihood | Failure:
    """The likelihood of what follows the tokens of `before`: the prompt asked for alone, None for no prompt."""
    if whole.counted is None:
        why = "the endpoint's tokens do not spell the text and it counts none (usage.prompt_tokens)"
        return Failure(reasons.NO_LOGPROBS, f"{why}: which tokens are the text's is not told")
    if before is None:
        return _tokens(whole, 0, whole.counted)
    if bos and before.pieces[0] not in (None, bos):
        return _not_one_token(bos)
    if whole.ids[: len(before.ids)] != before.ids:
        why = "the prompt's last token becomes another one when the text follows, and the tokens do not spell them"
        return Failure(reasons.NO_LOGPROBS, f"{why}: let the prompt end with a line break")
    both = whole.usage + before.usage if whole.usage and before.usage else None
    cost = None if whole.cost_usd is None or before.cost_usd is None else whole.cost_usd + before.cost_usd
    return replace(_tokens(whole, len(before.ids), whole.counted), usage=both, cost_usd=cost)


def _tokens(whole: Reading, first: int, last: int) -> Likelihood:
    """The tokens from `first` to before `last`; the very first of all has no log probability."""
    scored = whole.logprobs[max(first, 1) - 1 : max(last, 1) - 1]
    return Likelihood(scored, last - first, whole.usage, whole.cost_usd, whole.model)


def _cut(shown: str, body: str) -> Failure | None:
    """What the pieces show is a part of the text and nothing else: the endpoint has read no more."""
    if not shown.strip() or shown not in body:
        return None
    why = f"the endpoint read {len(shown)} of {len(body)} characters: the text is longer than it takes"
    return Failure(reasons.TOO_LONG, why)


def _not_one_token(bos: str) -> Failure:
    why = f"the endpoint does not read {bos!r} as the one token before a text: it splits it, or puts its own before"
    return Failure(reasons.NO_LOGPROBS, f"{why}; mend bos in the model's file")


def _completed(pieces: Sequence[str | None], sent: str) -> list[str]:
    """The pieces, the first one found from the others where it is not told: what they leave of the text."""
    known = ["" if piece is None else piece for piece in pieces]
    rest = "".join(known)
    if pieces[0] is None and sent.endswith(rest):
        known[0] = sent.removesuffix(rest)
    return known


def _end(pieces: Sequence[str], ends: Sequence[int], place: int) -> int:
    """Where a token ends. One that shows no text is the beginning of the character that the next one shows."""
    following = next((n for n in range(place, len(pieces)) if pieces[n]), len(pieces) - 1)
    return ends[following]
