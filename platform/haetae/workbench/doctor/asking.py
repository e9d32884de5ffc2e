"""One plain question to a server: no client library, no redirect followed, and an answer within seconds or none."""

from __future__ import annotations

import base64
import http.client
import ssl
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from haetae.core.secrets import redact
from haetae.core.url_login import without_login

ANSWER_S = 4.0
"""How long a server may take to answer."""
_MOST = 1 << 20
_MOST_SHOWN = 200
"""Characters of why there is no answer: a server may have written it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. `ahead_s` is how far its clock is before ours, to the second; None where it tells no time."""

    status: int
    body: bytes
    ahead_s: float | None


def ask(url: str, authorization: str | None = None) -> Answer | str:
    """The answer to a GET of an http(s) address; why there is none, in words, where there is none.

    A login in the address is sent as its header where there is no other `authorization`, and never shown.
    """
    heard: list[Answer | str] = []
    thread = threading.Thread(target=lambda: heard.append(_ask(url, authorization)), daemon=True, name="haetae-doctor")
    thread.start()
    thread.join(ANSWER_S)  # over all: the look-up of a name and an answer in drops have no deadline of their own
    return heard[0] if heard else _why(TimeoutError())


def basic(name_and_password: str) -> str:
    """The header of a name and a password."""
    return "Basic " + base64.b64encode(name_and_password.encode()).decode()


def is_near(url: str) -> bool:
    """Whether an address is of this machine, so that nobody hears what goes to it."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class _Stay(urllib.request.HTTPRedirectHandler):
    """A password goes to the server that was named, and to no other that it names."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _ask(url: str, authorization: str | None) -> Answer | str:
    try:
        bare, login = without_login(url)
    except ValueError as exc:
        return str(exc)
    header = authorization or (basic(login) if login else None)
    opener = urllib.request.build_opener(_Stay)
    try:
        request = urllib.request.Request(bare, headers={"Authorization": header} if header else {})  # noqa: S310  # http(s), see its callers
        with opener.open(request, timeout=ANSWER_S) as reply:
            return _heard(reply.status, reply.read(_MOST), reply.headers["Date"])
    except urllib.error.HTTPError as refused:
        return _heard(refused.code, b"", refused.headers["Date"])
    except urllib.error.URLError as exc:
        return _why(exc.reason)
    except TimeoutError as exc:
        return _why(exc)
    except (ValueError, http.client.InvalidURL):  # their words repeat a part of the URL, or the key
        return "it cannot be asked: its URL, that of a proxy, or the key has characters that none may have"
    except (OSError, http.client.HTTPException) as exc:
        return _line(f"{type(exc).__name__}: {exc}")


def _heard(status: int, body: bytes, date: str | None) -> Answer:
    try:
        ahead = None if date is None else parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, OverflowError):
        ahead = None
    return Answer(status, body, ahead)


def _why(reason: str | BaseException) -> str:
    if isinstance(reason, TimeoutError):
        return f"no answer within {ANSWER_S:g} s"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return _line(f"its certificate is not trusted ({reason})")
    return _line(str(reason))


def _line(text: str) -> str:
    """One line of it, without what looks like a secret."""
    return " ".join(redact(text).split())[:_MOST_SHOWN]
