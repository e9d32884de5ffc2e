"""Whether a tracking server, or database, answers at all: asked before anything heavy is loaded or sent."""

from __future__ import annotations

import http.client
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from haetae.core.secrets import redact
from haetae.core.url_login import without_login
from haetae.errors import TrackerAway
from haetae.trackers.patience import HURRIED

QUESTION_TO_MLFLOW = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default"
"""What an MLflow server looks up in its database: one whose database is away says at /health that all is well."""
_DATABASES = frozenset({"postgresql", "mysql", "mssql"})
_MOST_SHOWN = 200
"""Characters of what a server may have written itself."""


def check_reachable(uri: str, timeout_s: float = HURRIED.there_s, question: str = "/health") -> None:
    """Return when `GET <uri><question>` is answered, or `SELECT 1` by a database; at once for what is neither, as a
    file is.

    The deadline is hard: it covers the name look-up, and an answer that comes a byte at a time. Any
    answer below 500 will do, because a proxy may not know the path and the client itself speaks of
    wrong keys and certificates. Raises TrackerAway otherwise.
    """
    ask: Callable[[], str | None]
    if uri.lower().startswith(("http://", "https://")):
        ask = partial(_ask, uri, question, timeout_s)
    elif uri.partition(":")[0].partition("+")[0] in _DATABASES:
        ask = partial(_ask_database, uri)
    else:
        return
    trouble: list[str | None] = []
    asking = threading.Thread(target=lambda: trouble.append(ask()), daemon=True, name="haetae-reach")
    asking.start()
    asking.join(timeout_s)
    why = trouble[0] if trouble else _late(timeout_s)
    if why is not None:
        raise TrackerAway(f"{redact(uri)} cannot be reached: {redact(why)}")


def _late(timeout_s: float) -> str:
    return f"no answer within {timeout_s:g} s"


def _ask_database(uri: str) -> str | None:
    """Why no query is answered; None when one is. It may take for ever."""
    import sqlalchemy as sa

    try:
        engine = sa.create_engine(uri, poolclass=sa.NullPool, hide_parameters=True)
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    except ModuleNotFoundError as exc:
        return f"the package {exc.name}, by which {uri.partition(':')[0]}: is reached, is not installed"
    except Exception as exc:  # of whatever driver
        return str(getattr(exc, "orig", None) or exc).strip().partition("\n")[0][:_MOST_SHOWN]
    return None


def _ask(uri: str, question: str, timeout_s: float) -> str | None:
    """Why the server is not there; None when it is."""
    try:
        parts = urlsplit(without_login(uri)[0])
    except ValueError as exc:
        return str(exc)
    place = parts._replace(path=parts.path.rstrip("/"), query="", fragment="").geturl()
    try:
        with urllib.request.urlopen(place + question, timeout=timeout_s):  # noqa: S310  # http(s) only, see above
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
