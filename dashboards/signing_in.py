"""The door of the dashboard: nothing but /healthz and /login is answered to anybody who has not signed in.

Pages and WebSockets alike: Streamlit shows everything over one WebSocket, which ends with its session. What another
site sends, which browsers mark with its origin, is refused.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from haetae.dashboards.attempts import Attempts
from haetae.dashboards.ended import Ended
from haetae.dashboards.login import Users, normal
from haetae.dashboards.login_page import asking, leaving, words
from haetae.dashboards.sockets import Sockets

_WORKING_DAY_S = 12 * 3600
_MOST_BYTES = 4096
_OPEN = ("/healthz", "/login")


def guarding(users: Users, key: str, kept: Path | None = None) -> list[Middleware]:
    """What stands before the dashboard: sessions, and the door. In the folder `kept` it keeps who signed out."""
    return [Middleware(Sessions, key=key), Middleware(Door, users=users, kept=kept)]


class Sessions:
    """The signed cookie: not for scripts, not for other sites, and over https for https alone."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._plain, self._secure = (
            SessionMiddleware(app, key, "haetae_session", _WORKING_DAY_S, same_site="lax", https_only=secure)
            for secure in (False, True)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sessions = self._secure if scope.get("scheme") in ("https", "wss") else self._plain
        await sessions(scope, receive, send)


class Door:
    """Lets in who has signed in; shows everybody else where to."""

    def __init__(self, app: ASGIApp, users: Users, kept: Path | None) -> None:
        self._app, self._users = app, users
        self._attempts = Attempts()
        self._ended, self._sockets = Ended(kept, _WORKING_DAY_S), Sockets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        asked = HTTPConnection(scope)
        name = self._known(asked.session)
        if _is_foreign(asked):
            answer: ASGIApp = PlainTextResponse(
                "refused: another site asks this, or a proxy does not pass the Host header on", 403
            )
        elif scope["type"] == "http" and scope["path"] == "/login":
            answer = await self._login(Request(scope, receive))
        elif scope["type"] == "http" and scope["path"] == "/logout" and name:
            answer = self._logout(Request(scope, receive), name)
        elif name or scope["path"] in _OPEN:
            answer = self._app
        else:
            answer = _shown_the_way(asked)
        if scope["type"] == "http":
            await answer(scope, receive, send)
        elif name and answer is self._app:
            left_s = asked.session["until"] - time.time()
            await self._sockets.serve(self._app, scope, receive, send, asked.session["id"], left_s)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _known(self, session: Mapping[str, Any]) -> str | None:
        """Whose session it is, None where it is over, or none."""
        if session.get("until", 0) <= time.time() or session["id"] in self._ended:
            return None
        return str(session["name"])

    async def _login(self, request: Request) -> Response:
        if request.method != "POST":
            return asking(request)
        if (given := await _form(request)) is None:
            return PlainTextResponse("a name and a password are shorter", 413)
        name, password = given
        who = (f"address {request.client.host if request.client else ''}", f"name {normal(name)}")
        if wait := self._attempts.wait(*who):
            seconds = str(int(wait) + 1)
            return asking(request, words(request)["wait"].format(seconds), 429, {"retry-after": seconds})
        self._attempts.failed(*who)  # counted before it is looked at: many may be under way
        if not await self._users.know(name, password):
            return asking(request, words(request)["wrong"], 401)
        self._attempts.succeeded(*who)
        request.session.update(name=name, id=secrets.token_hex(8), until=time.time() + _WORKING_DAY_S)
        return RedirectResponse(_within(request.query_params.get("next", "")), 303)

    def _logout(self, request: Request, name: str) -> Response:
        if request.method != "POST":
            return leaving(request, name)
        self._ended.add(request.session["id"])
        self._sockets.end(request.session["id"])
        request.session.clear()
        return RedirectResponse("/login", 303)


def _is_foreign(asked: HTTPConnection) -> bool:
    """Whether another site's page sends this. Browsers say so for all that changes anything, and for WebSockets."""
    origin = asked.headers.get("origin")
    reads = asked.scope["type"] == "http" and asked.scope["method"] in ("GET", "HEAD")
    return origin is not None and not reads and origin.partition("://")[2] != asked.headers.get("host")


def _shown_the_way(asked: HTTPConnection) -> Response:
    if "text/html" not in asked.headers.get("accept", ""):
        return PlainTextResponse("sign in at /login", 401)
    there = quote(asked.url.path + (f"?{asked.url.query}" if asked.url.query else ""))
    return RedirectResponse(f"/login?next={there}", 303)


def _within(there: str) -> str:
    """The address to go on to, where it is one of this dashboard."""
    return there if re.fullmatch(r"/(?![/\\])[!-~]*", there) else "/"


async def _form(request: Request) -> tuple[str, str] | None:
    """The name and the password, None where it is more than any form of ours would send."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            return None
    fields = parse_qs(body.decode("utf-8", "replace"))
    return fields.get("name", [""])[0], fields.get("password", [""])[0]
