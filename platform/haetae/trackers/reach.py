"""Whether a tracking server answers at all: asked before anything heavy is loaded or sent."""

from __future__ import annotations

import http.client
import ssl
import threading
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from haetae.core.secrets import redact
from haetae.core.url_login import without_login
from haetae.errors import TrackerAway
from haetae.trackers.patience import HURRIED

_MOST_SHOWN = 200
"""Characters of what a server may have written itself."""


def check_reachable(uri: str, timeout_s: float = HURRIED.there_s) -> None:
    """Return when `GET <uri>/health` is answered; at once for what is no http(s) address.

    The deadline is hard: it covers the name look-up, and an answer that comes a byte at a time. Any
    answer below 500 will do, because a proxy may not know the path and the client itself speaks of
    wrong keys and certificates. Raises TrackerAway otherwise.
    """
    if not uri.lower().startswith(("http://", "https://")):
        return
    trouble: list[str | None] = []
    asking = threading.Thread(target=lambda: trouble.append(_ask(uri, timeout_s)), daemon=True, name="haetae-reach")
    asking.start()
    asking.join(timeout_s)
    why = trouble[0] if trouble else _late(timeout_s)
    if why is not None:
        raise TrackerAway(f"{redact(uri)} cannot be reached: {redact(why)}")


def _late(timeout_s: float) -> str:
    return f"no answer within {timeout_s:g} s"


def _ask(uri: str, timeout_s: float) -> str | None:
    """Why the server is not there; None when it is."""
    try:
        parts = urlsplit(without_login(uri)[0])
    except ValueError as exc:
        return str(exc)
    address = parts._replace(path=parts.path.rstrip("/") + "/health")
    try:
        with urllib.request.urlopen(address.geturl(), timeout=timeout_s):  # noqa: S310  # http(s) only, see above
            return None
    except urllib.error.HTTPError as answer:
        return f"it answers {answer.code}" if answer.code >= 500 else None
    except urllib.error.URLError as exc:
        if isinstance(exc.reason, TimeoutError):
            return _late(timeout_s)
        return None if isinstance(exc.reason, ssl.SSLCertVerificationError) else str(exc.reason)
    except TimeoutError:
        return _late(timeout_s)
    except (ValueError, http.client.InvalidURL):  # their words repeat a part of the URL
        return "it has characters that no URL may have"
    except (OSError, http.client.HTTPException) as exc:
        return " ".join(f"{type(exc).__name__}: {exc}".split())[:_MOST_SHOWN]
