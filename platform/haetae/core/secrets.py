"""Redaction: nothing that looks like a secret leaves through a message, a ledger row or a tracker."""

from __future__ import annotations

import re
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
_PATTERNS = (
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(r"(?i)(?<=basic )[A-Za-z0-9+/=]{12,}"),
    re.compile(
        r"(?i)(?:(?<=[?&;\s\"'{,(])|^)((?:[\w-]*[_-])?(?:key|apikey|token|secret|password|passwd|pwd|signature|sig"
        r"|authorization|credential)s?)(\"?'?\s*[=:]\s*\"?'?)(?!\s|\d+\b)([^\s\"'&;,)}]{4,})"
    ),
    re.compile(r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{12,}"),
    re.compile(
        r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|hf_|AIza|AKIA|ASIA|ya29\.|npm_|pypi-)[A-Za-z0-9_.-]{12,}"
    ),
    re.compile(  # looked for once in each run of its characters: without `(?>` a text of `-eyJ-eyJ…` takes hours
        r"(?<![A-Za-z0-9_-])(?>(?:[A-Za-z0-9_-]*?-)??eyJ[A-Za-z0-9_-]{8,})\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    ),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.S),
)
_SECRET_FIELD = re.compile(r"(?i)(?:^|[_-])(?:api_?key|key|token|secret|password|passwd|authorization|credentials?)$")
_FROM_OUTSIDE = re.compile(r"\$.*|(?:Bearer|Basic|Token) \$\{\w+\}", re.IGNORECASE | re.DOTALL)
"""A value that only says from which variable of the environment a secret comes."""


def redact(text: str, known: tuple[str, ...] = ()) -> str:
    """The text with secrets replaced by `***`: those in `known`, and what looks like one."""
    for secret in known:
        if len(secret) >= 4:
            text = text.replace(secret, MASK)
    text = _URLS.sub(_without_logins, text)
    for pattern in _PATTERNS:
        text = pattern.sub(_masked, text)
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


def _masked(match: re.Match[str]) -> str:
    if match.re.groups:
        return f"{match[1]}{match[2]}{MASK}"
    return MASK


def looks_secret(text: str) -> bool:
    """Whether redaction would change the text."""
    return redact(text) != text


def is_secret_field(name: str) -> bool:
    """Whether a field of this name holds a secret (`api_key`, `OPENAI_API_KEY`, `password`)."""
    return _SECRET_FIELD.search(name) is not None


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
