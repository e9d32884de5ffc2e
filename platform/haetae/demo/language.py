"""The n-gram model on the wire: completions with echo, chats, and their log-probabilities.

A token is one character, so the tokens of a text concatenate to it whatever its script.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from haetae.core.canonical import Json
from haetae.demo.ngram import CharacterModel
from haetae.demo.wire import ApiError, Call, field

MAX_CHARACTERS = 32_768
MAX_PROMPTS = 256
MAX_NEW = 1024


def complete(model: CharacterModel, body: Mapping[str, Any], call: Call, randoms: list[Random]) -> list[Json]:
    """The choices of a completion request: `choices` for each prompt, in order. Raises ApiError 400."""
    echo = field(body, "echo", bool, False)
    limit = _new_tokens(16 if call.max_tokens is None else call.max_tokens)
    choices: list[Json] = []
    for prompt in prompts(body):
        for random in randoms:
            made = model.generate(prompt, limit, call.temperature, random)
            text = prompt + made if echo else made
            chosen = None
            if call.logprobs is not None:
                chosen = _legacy_logprobs(model, "" if echo else prompt, text, call.logprobs)
            choices.append({"index": len(choices), "text": text, "logprobs": chosen, "finish_reason": "length"})
    return choices


def prompts(body: Mapping[str, Any]) -> list[str]:
    """The prompts of a completion request: one text or a list of texts. Raises ApiError 400."""
    given = body.get("prompt")
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, list) or not 0 < len(found) <= MAX_PROMPTS:
        raise ApiError(400, f"prompt takes a text or a list of 1 to {MAX_PROMPTS} texts", "prompt")
    for prompt in found:
        if not isinstance(prompt, str):
            raise ApiError(400, "prompt holds something other than text; token ids are not known here", "prompt")
        _fits(prompt)
    return found


def chat(model: CharacterModel, prompt: str, call: Call, random: Random) -> tuple[str, Json]:
    """The prompt continued, and its log-probabilities in the shape of chats (None where none are wanted)."""
    _fits(prompt)
    made = model.generate(
        prompt, _new_tokens(64 if call.max_tokens is None else call.max_tokens), call.temperature, random
    )
    if call.logprobs is None:
        return made, None
    content = []
    for at, character in enumerate(made):
        history = prompt + made[:at]
        entry = _token(character, model.logprob(history, character))
        entry["top_logprobs"] = [_token(other, logprob) for other, logprob in model.top(history, call.logprobs)]
        content.append(entry)
    return made, {"content": content, "refusal": None}


def _fits(prompt: str) -> None:
    if len(prompt) > MAX_CHARACTERS:
        message = f"the prompt has {len(prompt):,} characters; this model's maximum context is {MAX_CHARACTERS:,}"
        raise ApiError(400, message, "prompt", "context_length_exceeded")


def _new_tokens(wanted: int) -> int:
    if wanted > MAX_NEW:
        raise ApiError(400, f"at most {MAX_NEW:,} tokens are generated at once", "max_tokens", "invalid_value")
    return wanted


def _token(character: str, logprob: float) -> dict[str, Json]:
    return {"token": character, "logprob": logprob, "bytes": list(character.encode("utf-8", "replace"))}


def _legacy_logprobs(model: CharacterModel, before: str, text: str, top: int) -> Json:
    """Tokens, their log-probabilities and the `top` likeliest at each place; the very first token has none."""
    logprobs: list[float | None] = []
    alternatives: list[dict[str, float] | None] = []
    for at, character in enumerate(text):
        history = before[-32:] + text[max(0, at - 32) : at]
        if not history:
            logprobs.append(None)
            alternatives.append(None)
            continue
        logprob = model.logprob(history, character)
        logprobs.append(logprob)
        alternatives.append({**dict(model.top(history, top)), character: logprob} if top else None)
    return {
        "tokens": list(text),
        "token_logprobs": logprobs,
        "top_logprobs": alternatives if top else None,
        "text_offset": [len(before) + at for at in range(len(text))],
    }
