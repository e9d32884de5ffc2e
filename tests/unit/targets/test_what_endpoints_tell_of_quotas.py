"""An endpoint hands on what the headers of its replies say of quotas, of a refusal as of an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from haetae.core.generation import Failure, Generation
from haetae.core.pace import Quota, Told

LEFT = {"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "20ms"}


def test_an_answer_tells_what_is_left(asked: Callable[..., Any], answered: Callable[..., web.Response]) -> None:
    async def handler(request: web.Request) -> web.Response:
        reply = answered()
        reply.headers.update(LEFT)
        return reply

    told: list[Told] = []
    [answer] = asked(handler, on_quotas=told.append)
    assert isinstance(answer, Generation)
    assert told == [Told(requests=Quota(3, 0.02))]
    assert "ratelimit" not in str(answer.as_json()).lower()  # it is no part of the answer


@pytest.mark.parametrize(("status", "overloaded"), [(429, True), (503, True), (529, True), (500, False), (502, False)])
def test_a_refusal_tells_it_too_and_whether_it_was_the_crowd(
    status: int, overloaded: bool, asked: Callable[..., Any]
) -> None:  # END-01
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "no"}}, status=status, headers={**LEFT, "Retry-After": "7"})

    told: list[Told] = []
    [failure] = asked(handler, on_quotas=told.append)
    assert isinstance(failure, Failure)
    assert (failure.overloaded, failure.retry_after_s) == (overloaded, 7.0)
    assert told == [Told(requests=Quota(3, 0.02))]


def test_who_tells_nothing_is_not_listened_to(asked: Callable[..., Any], answered: Callable[..., web.Response]) -> None:
    async def handler(request: web.Request) -> web.Response:
        return answered()

    told: list[Told] = []
    asked(handler, on_quotas=told.append)
    assert told == []
