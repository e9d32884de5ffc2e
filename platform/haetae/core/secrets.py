"""Redaction: nothing that looks like a secret leaves through a message, a ledger row or a tracker."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from haetae.core.canonical import Json

MASK = "***"

_URLS = re.compile(
    r"""
    "[A-Za-z][\w+.-]{0,30}://(?P<double>(?:\\.|[^\s"]|"(?=\w))+)
    | '[A-Za-z][\w+.-]{0,30}://(?P<single>(?:\\.|[^\s']|'(?=\w))+)
    | ://(?P<bare>\S+)
    """,
    re.VERBOSE,
)
"""What follows `://`: up to the quote that it stands in, else up to a blank. It may hold further URLs."""
_USER = re.compile(r"(?:\[[^\]/\s]*\])?+[^/?#:]*:(?!\d{1,5}(?:[/?#]|$))")
"""A user and the colon before a password; a host and its port are none, nor is an address of IPv6."""
_OF_A_NAME = r"(?:[\w-]*[_-]|(?-i:[\w-]*[a-z0-9](?=[A-Z])))?"
"""What a secret's name may begin with: `OPENAI_` of a key, `X-`, `access` of an `accessToken`."""
_IS = r"\\{0,4}[\"']?\s*[=:]\s*"
_QUOTED = r"(?P<open>\\{0,4}[\"'])(?:(?!(?P=open))[^\n]){4,}(?=(?P=open))"
"""Up to the quote that it began with, which in JSON within JSON has backslashes before it."""
_NAMED = (
    re.compile(
        rf"(?i)(?<![\w-])(?P<name>{_OF_A_NAME}auth(?:orization)?)(?P<is>{_IS})"
        rf"(?:{_QUOTED}|\\{{0,4}}+[\"']?+(?!\*{{3}})(?P<bare>[^\s\"'\\;,)}}][^\n\"'\\;,)}}]{{3,}}))"
    ),  # scheme and all
    re.compile(
        rf"(?i)(?<![\w-])(?P<name>{_OF_A_NAME}(?:key|apikey|token|secret|password|passwd|passphrase|pwd|signature|sig"
        rf"|credential)s?)(?P<is>{_IS})(?:{_QUOTED}|\\{{0,4}}+[\"']?+(?!\*{{3}})(?P<bare>(?:[^\s\"'&;,)}}\\]|\\(?![\"'])){{4,}}))"
    ),
)
_COUNT = re.compile(r"-?\d{1,9}(?:\.\d{0,6})?\]?")
_COUNTED = re.compile(r"(?i)(?:key|token)s?")
"""What there may be many of: `max_tokens=4096` says how many."""
_SAID_OF_IT = re.compile(r"(?i)(?:key|token)s?:\s+(?-i:[A-Za-z][a-z]{3,14})")
"""`no such key: answer`, `the key: check it`: a sentence. A few letters and nothing else are a word, and no key."""
_PATTERNS = (
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(r"(?i)(?<=basic )[A-Za-z0-9+/=]{12,}"),
    re.compile(r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{12,}"),
    re.compile(
        r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|hf_|AIza|AKIA|ASIA|ya29\.|npm_|pypi-)[A-Za-z0-9_.-]{12,}"
    ),
    re.compile(  # looked for once in each run of its characters: without `(?>` a text of `-eyJ-eyJ…` takes hours
        r"(?<![A-Za-z0-9_-])(?>(?:[A-Za-z0-9_-]*?-)??eyJ[A-Za-z0-9_-]{8,})\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    ),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.S),
)
_SECRET_FIELD = re.compile(
    rf"(?i){_OF_A_NAME}(?:api_?key|key|token|secret|password|passwd|passphrase|pwd|auth|authorization|signature"
    r"|credentials?)"
)
_FROM_OUTSIDE = re.compile(r"\$.*|(?:Bearer|Basic|Token) \$\{\w+\}", re.IGNORECASE | re.DOTALL)
"""A value that only says from which variable of the environment a secret comes."""
_FEWEST_HELD = 8
"""Characters: a shorter value, or a word, stands in texts that mean something else by it."""
_held: tuple[str, ...] = ()


def hold_back(env: Mapping[str, str]) -> None:
    """From now on `redact` and `masked` mask what the variables of these names hold whose names are a secret's.

    Of the whole process: an application's error may show any of them. A path, a word and what is short are not held
    back.
    """
    global _held  # what a process knows to be secret is secret wherever it writes
    secret = {value for name, value in env.items() if len(value) >= _FEWEST_HELD and is_secret_field(name)}
    held = {value for value in secret if not value.isalpha() and value[0] not in "/~."}
    _held = tuple(sorted(held.union(_held), key=len, reverse=True))  # what holds another first


def masked(text: str, known: tuple[str, ...] = ()) -> str:
    """The text with those in `known`, and what is held back, replaced by `***`, whatever they look like."""
    for secret in (*known, *_held):
        if len(secret) >= 4:
            text = text.replace(secret, MASK)
    return text


def masked_json(value: Json) -> Json:
    """A JSON value whose texts are `masked`."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {name: masked_json(inner) for name, inner in value.items()}
    return [masked_json(inner) for inner in value] if isinstance(value, list | tuple) else value


def redact(text: str, known: tuple[str, ...] = ()) -> str:
    """The text with secrets replaced by `***`: those in `known`, what is held back, and what looks like one."""
    return _without_shapes(masked(text, known))


def _without_shapes(text: str) -> str:
    text = _URLS.sub(_without_logins, text)
    for pattern in _PATTERNS:
        text = pattern.sub(MASK, text)
    for pattern in _NAMED:
        text = pattern.sub(_unnamed, text)
    return text


def _without_logins(match: re.Match[str]) -> str:
    """A URL without what stands between the first `user:` in it and its last `@`.

    Where a password holds `/`, `?` or `#` as they are, nobody can tell its end: a piece of a path is masked sooner
    than a piece of a password is shown. One walk, however many URLs a text holds.
    """
    rest = match[match.lastgroup]  # type: ignore[index]  # one of the three has matched
    before, last, begin = match[0].removesuffix(rest), rest.rfind("@"), 0
    while begin <= last:
        user = _USER.match(rest, begin)
        if user is not None and user.end() < last:
            return before + rest[:begin] + MASK + rest[last:]
        further = rest.find("://", begin)
        if further < 0:
            break
        begin = further + len("://")
    return match[0]


def _unnamed(match: re.Match[str]) -> str:
    """A name and `***`; a sentence stays, and what only counts something, outside of a URL's query."""
    bare, before = match["bare"], match.string[match.start() - 1 : match.start()]
    if bare and _COUNT.fullmatch(bare) and _COUNTED.search(match["name"]) and before not in {"?", "&", "#"}:
        return match[0]
    if _SAID_OF_IT.fullmatch(match[0]):
        return match[0]
    return f"{match['name']}{match['is']}{match['open'] or ''}{MASK}"


def looks_secret(text: str) -> bool:
    """Whether something in the text has the shape of a secret."""
    return _without_shapes(text) != text


def is_secret_field(name: str) -> bool:
    """Whether a field of this name holds a secret (`api_key`, `OPENAI_API_KEY`, `password`)."""
    return _SECRET_FIELD.fullmatch(name) is not None


def redact_json(value: Json, known: tuple[str, ...] = ()) -> Json:
    """A JSON value with every secret text, and every field named like a secret, replaced by `***`."""
    if isinstance(value, str):
        return redact(value, known)
    if isinstance(value, dict):
        out: dict[str, Any] = {}
        for name, inner in value.items():
            secret = isinstance(inner, str) and is_secret_field(name) and not _FROM_OUTSIDE.fullmatch(inner)
            out[name] = MASK if secret else redact_json(inner, known)
        return out
    if isinstance(value, list | tuple):
        return [redact_json(inner, known) for inner in value]
    return value
