"""The Prefect server: which it is, and what is said to people where it cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from haetae import HaetaeError
from haetae.flows.address import address_fault, with_api, without_login
from haetae.flows.refused import Refused

_NOT_THERE = (404, 405)


def server() -> str | None:
    """The address of the Prefect server as people are shown it, from PREFECT_API_URL or the profile of Prefect: without
    the login that may stand in it. None where none is named, also by a variable that is empty."""
    address = _named()
    if address is None:
        return None
    try:
        return without_login(address)[0]
    except ValueError:
        return "the address in PREFECT_API_URL"


@contextmanager
def asking() -> Iterator[None]:
    """While the block asks the server, what goes wrong there becomes a HaetaeError that says what to do.

    A login in the address goes to the server in a header meanwhile: no sentence of Prefect's or httpx's repeats it.
    Raises Refused, before anything is asked, where what is named is no address.
    """
    address = _named()
    if address is not None and (fault := address_fault(address)):
        raise Refused(fault)
    try:
        with temporary_settings(_apart(address)):
            yield
    except PrefectHTTPStatusError as exc:
        raise _said_of(exc) from exc
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
        said = str(exc) or type(exc).__name__
        raise HaetaeError(f"the Prefect server at {server()} cannot be asked: {said}; is it running there?") from exc


def may_pass(exc: httpx.TransportError | PrefectHTTPStatusError) -> bool:
    """Whether the server is away, and may be back: not where it was there, and refused."""
    return not isinstance(exc, PrefectHTTPStatusError) or exc.response.status_code >= 500


def _named() -> str | None:
    address: str | None = PREFECT_API_URL.value()
    return (address or "").strip() or None


def _apart(address: str | None) -> dict[Any, str]:
    place, login = (None, None) if address is None else without_login(address)
    return {} if place is None or login is None else {PREFECT_API_URL: place, PREFECT_API_AUTH_STRING: login}


def _said_of(exc: PrefectHTTPStatusError) -> HaetaeError:
    status, text, named = exc.response.status_code, exc.response.text, server()
    if status in (401, 403):
        return HaetaeError(
            f"the Prefect server at {named} asks for a login ({status}): set PREFECT_API_AUTH_STRING to the "
            "user:password of its PREFECT_SERVER_API_AUTH_STRING"
        )
    if status in _NOT_THERE and named is not None and (right := with_api(named)):
        return Refused(
            f"there is no Prefect server at {named} ({status}): its address ends in /api; set PREFECT_API_URL={right}"
        )
    if "database is locked" in text or status == 503:
        return HaetaeError(
            f"the Prefect server at {named} is overloaded ({status}): its own SQLite is locked. Give it Postgres: "
            "PREFECT_SERVER_DATABASE_CONNECTION_URL=postgresql+asyncpg://user@host/prefect"
        )
    return HaetaeError(f"the Prefect server at {named} refused ({status}): {text[:500]}")
