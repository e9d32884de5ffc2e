"""What the headers of a reply say about pace: how much of its quotas is left, and when they are full again.

OpenAI's `x-ratelimit-*` and the `RateLimit` fields of the IETF (draft-ietf-httpapi-ratelimit-headers, in its older
and newer form). What cannot be read is passed over: an endpoint's headers never cost a call.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from haetae.core.pace import Quota, Told

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(h|ms|m|s))")
_LONGEST = 64
"""Characters of a header's value that is looked at at all."""


def told(headers: Mapping[str, str]) -> Told | None:
    """The quotas that a reply tells; None where it tells none."""
    requests = _named(headers, "x-ratelimit", "-requests") or _ietf(headers) or _named(headers, "ratelimit", "")
    tokens = _named(headers, "x-ratelimit", "-tokens")
    return Told(requests, tokens) if requests or tokens else None


def _named(headers: Mapping[str, str], prefix: str, what: str) -> Quota | None:
    left = _count(headers.get(f"{prefix}-remaining{what}"))
    if left is None:
        return None
    reset_s = duration(headers.get(f"{prefix}-reset{what}"))
    return None if reset_s is None else Quota(left, reset_s, _count(headers.get(f"{prefix}-limit{what}")))


def _ietf(headers: Mapping[str, str]) -> Quota | None:
    """Of several quotas, each with `r` left for `t` seconds, the one with the least left; its `q` is in the policy."""
    value = headers.get("ratelimit")
    if value is None:
        return None
    policies = {name: _count(given.get("q")) for name, given in _items(headers.get("ratelimit-policy") or "")}
    found = []
    for name, given in _items(value):
        left, reset_s = _count(given.get("r")), duration(given.get("t"))
        if left is not None and reset_s is not None:
            found.append(Quota(left, reset_s, policies.get(name)))
    whole = dict(pair for _, given in _items(value.replace(",", ";")) for pair in given.items())
    left, reset_s = _count(whole.get("remaining")), duration(whole.get("reset"))
    if left is not None and reset_s is not None:
        found.append(Quota(left, reset_s, _count(whole.get("limit"))))
    return min(found, key=lambda quota: quota.left, default=None)


def _items(value: str) -> list[tuple[str, dict[str, str]]]:
    """Items of a list, each a name with parameters: `"default";r=50;t=30, "daily";r=900;t=7200`."""
    items = []
    for item in value[:1024].split(","):
        parts = [part.strip() for part in item.split(";")]
        given = dict(part.split("=", 1) for part in parts if "=" in part)
        items.append((parts[0].strip('"') if "=" not in parts[0] else "", given))
    return items


def duration(value: str | None) -> float | None:
    """Seconds, from `20ms`, `6m0s`, `1h2m3.5s` or a plain number of seconds; None for anything else."""
    seconds = _number(value)
    if seconds is not None or value is None or len(value) > _LONGEST:
        return seconds
    value = value.strip()
    parts = list(_DURATION.finditer(value))
    if not parts or "".join(part.group() for part in parts) != value:
        return None
    return sum(float(part.group(1)) * _UNITS[part.group(2)] for part in parts)


def _number(value: str | None) -> float | None:
    """A finite number, not below 0; None for anything else, a negative one is 0."""
    if value is None or len(value) > _LONGEST:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _count(value: str | None) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
