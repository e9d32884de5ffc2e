"""Whether a tracking server answers at all: asked before anything heavy is loaded or sent."""

from __future__ import annotations

import ssl
import threading
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from haetae.core.secrets import redact
from haetae.errors import TrackerError

PATIENCE_S = 3.0
"""How long a server may take to say that it is there."""


def check_reachable(uri: str, timeout_s: float = PATIENCE_S) -> None:
    """Return when `GET <uri>/health` is answered; at once for what is no http(s) address.

    The deadline is hard: it covers the name look-up, and an answer that comes a byte at a time. Any
    answer below 500 will do, because a proxy may not know the path and the client itself speaks of
    wrong keys and certificates. Raises TrackerError otherwise.
    """
    if urlsplit(uri).scheme not in ("http", "https"):
        return
    trouble: list[str | None] = []
    asking = threading.Thread(target=lambda: trouble.append(_ask(uri, timeout_s)), daemon=True, name="haetae-reach")
    asking.start()
    asking.join(timeout_s)
    why = trouble[0] if trouble else f"no answer within {timeout_s:g} s"
    if why is not None:
        raise TrackerError(f"{redact(uri)} cannot be reached: {redact(why)}")


def _ask(uri: str, timeout_s: float) -> str | None:
    """Why the server is not there; None when it is."""
    parts = urlsplit(uri)
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2], path=parts.path.rstrip("/") + "/health")
    try:
        with urllib.request.urlopen(address.geturl(), timeout=timeout_s):  # noqa: S310  # http(s) only, see above
            return None
    except urllib.error.HTTPError as answer:
        return f"it answers {answer.code}" if answer.code >= 500 else None
    except urllib.error.URLError as exc:
        return None if isinstance(exc.reason, ssl.SSLCertVerificationError) else str(exc.reason)
    except (OSError, ValueError) as exc:
        return f"{type(exc).__name__}: {exc}"
