"""Headers about quotas, as endpoints and gateways write them; what cannot be read is passed over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from haetae.core.pace import Quota, Told
from haetae.targets.pacing_headers import duration, told


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1s", 1.0),
        ("7.66s", 7.66),
        ("2m59.56s", 179.56),
        ("1h2m3s", 3723.0),
        ("12", 12.0),
        ("0.5", 0.5),
        (" 3s ", 3.0),
        ("0s", 0.0),
        ("-4", 0.0),
        ("", None),
        ("soon", None),
        ("1s later", None),
        ("5 s", None),
        ("nan", None),
        ("inf", None),
        ("9" * 100, None),
        ("2026-03-01T00:00:00Z", None),
    ],
)
def test_a_duration_is_read_in_every_unit(value: str, seconds: float | None) -> None:
    assert duration(value) == (seconds if seconds is None else pytest.approx(seconds))


def test_openai_tells_requests_and_tokens() -> None:
    headers = CIMultiDict(
        {
            "X-RateLimit-Limit-Requests": "60",
            "X-RateLimit-Remaining-Requests": "59",
            "X-RateLimit-Reset-Requests": "1s",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-tokens": "6m0s",
        }
    )
    assert told(headers) == Told(Quota(59, 1.0, 60), Quota(149_984, 360.0, 150_000))


@pytest.mark.parametrize(
    ("headers", "quota"),
    [
        ({"RateLimit": '"default";r=50;t=30'}, Quota(50, 30.0)),
        ({"RateLimit": '"default";r=50;t=30', "RateLimit-Policy": '"default";q=100;w=60'}, Quota(50, 30.0, 100)),
        (
            {
                "RateLimit": '"permin";r=50;t=30, "perday";r=9;t=7200',
                "RateLimit-Policy": '"permin";q=60;w=60,"perday";q=5000;w=86400;pk=:cHNk:',
            },
            Quota(9, 7200.0, 5000),
        ),
        ({"RateLimit": "limit=100, remaining=7, reset=12"}, Quota(7, 12.0, 100)),
        ({"RateLimit-Limit": "10", "RateLimit-Remaining": "0", "RateLimit-Reset": "4"}, Quota(0, 4.0, 10)),
    ],
)
def test_the_fields_of_the_ietf_are_read_in_every_form(headers: dict[str, str], quota: Quota) -> None:
    assert told(CIMultiDict(headers)) == Told(requests=quota)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "application/json"},
        {"x-ratelimit-remaining-requests": "3"},
        {"x-ratelimit-remaining-requests": "few", "x-ratelimit-reset-requests": "1s"},
        {"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "later"},
        {"ratelimit": ';;;=,=,"', "ratelimit-policy": "====,,,"},
        {"ratelimit": '"default";r=many;t=30'},
    ],
)
def test_what_cannot_be_read_says_nothing(headers: dict[str, str]) -> None:
    assert told(CIMultiDict(headers)) is None


_NAMES = st.sampled_from(
    ["ratelimit", "ratelimit-policy", "ratelimit-remaining", "ratelimit-reset", "x-ratelimit-limit-tokens"]
    + [f"x-ratelimit-{part}-{of}" for part in ("remaining", "reset") for of in ("requests", "tokens")]
)


@given(st.dictionaries(_NAMES, st.text(max_size=80) | st.from_regex(r"[a-z\"=;, 0-9.-]{0,60}", fullmatch=True)))
def test_no_header_costs_a_call(headers: dict[str, str]) -> None:
    found = told(CIMultiDict(headers))
    for quota in (found.requests, found.tokens) if found else ():
        assert quota is None or (quota.left >= 0 and 0 <= quota.reset_s < float("inf"))
