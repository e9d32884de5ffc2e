"""An event for the Prefect server, told without Prefect: it is told by commands that must not wait for its import."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPException, InvalidURL
from typing import Any
from urllib.request import Request, urlopen

from haetae.flows.address import WRITTEN, without_login

_PATIENCE_S = 3.0
ALIAS_MOVED = "haetae.alias.moved"


def alias_moved(
    env: Mapping[str, str], kind: str, name: str, alias: str, number: int, before: int | None
) -> str | None:
    """Tell the server that PREFECT_API_URL names that an alias has moved: it runs the suites that name it, as
    `haetae deploy` has set it up. Why that could not be told, None where it was, or where no server is named.
    """
    address = env.get("PREFECT_API_URL", "")
    if not address:
        return None
    event = {
        "event": ALIAS_MOVED,
        "id": str(uuid.uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": f"haetae.{kind}.{name}", "haetae.alias": alias},
        "payload": {"kind": kind, "name": name, "alias": alias, "number": number, "before": before},
    }
    what = f"was not told that {name}@{alias} moved"
    try:
        place, login = without_login(address)
    except ValueError:  # its words may repeat a piece of a password
        return f"the Prefect server {what}: PREFECT_API_URL is no address of http or https; {WRITTEN}"
    try:
        _post(place, event, login or env.get("PREFECT_API_AUTH_STRING"), env.get("PREFECT_API_KEY"))
    except (ValueError, InvalidURL):  # their words may repeat a part of the address, or the key
        return f"the Prefect server at {place} {what}: its address or its key has characters that none may have"
    except (OSError, HTTPException) as exc:
        return f"the Prefect server at {place} {what}: {' '.join(str(exc).split())}"
    return None


def _post(address: str, event: Mapping[str, Any], login: str | None, key: str | None) -> None:
    request = Request(f"{address.rstrip('/')}/events", json.dumps([event]).encode(), method="POST")  # noqa: S310
    request.add_header("Content-Type", "application/json")
    if login:
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    elif key:
        request.add_unredirected_header("Authorization", f"Bearer {key}")
    with urlopen(request, timeout=_PATIENCE_S):  # noqa: S310  # of http or https
        pass
