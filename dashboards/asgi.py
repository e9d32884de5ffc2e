"""The dashboard as a server: security headers, host names, a health check; without a login on loopback only."""

from __future__ import annotations

import ipaddress
import os
import socket
from contextlib import suppress
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from haetae import HaetaeError, load_settings
from haetae.dashboards import login, look
from haetae.dashboards.signing_in import guarding

_LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
_HEADERS = {
    "content-security-policy": (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' ws: wss:; "
        "img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with none, a browser would not say whose the login's form is
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_OPTIONS = {
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.showEmailPrompt": False,
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "type",
    "client.toolbarMode": "minimal",
    "runner.magicEnabled": False,
    "client.disableDataExport": True,  # its CSV would keep formulas; the pages offer one that does not
    "theme.base": "light",
    "theme.primaryColor": look.ACCENT,
    "theme.backgroundColor": "#ffffff",
    "theme.secondaryBackgroundColor": "#f5f7f9",
    "theme.textColor": look.INK,
    "theme.borderColor": look.LINE,
    "theme.baseRadius": "8px",
    "theme.baseFontSize": 15,
    "theme.font": look.FONT,
    "theme.headingFont": look.FONT,
    "theme.headingFontSizes": ["1.75rem", "1.3rem", "1.15rem", "1rem", "1rem", "1rem"],
    "theme.showWidgetBorder": True,
}


class HostRefused(HaetaeError):
    """The dashboard was asked to listen where anyone could read it."""

    exit_code = 2


class Headers:
    """Adds the security headers to every HTTP response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                kept = [(name, value) for name, value in message["headers"] if name.decode().lower() not in _HEADERS]
                message = {**message, "headers": [*kept, *ours]}
            await send(message)

        await self._app(scope, receive, send_with_headers)


def create_app() -> st.App:
    """The ASGI application. One per process. Where HAETAE_DASHBOARD_LOGIN is set, it is for those who sign in.

    Only requests for a loopback name are answered, so that no page elsewhere can read it by a name of
    its own; `HAETAE_DASHBOARD_HOSTS` lists further names.
    """
    users = login.users(os.environ)
    return st.App(
        Path(__file__).with_name("app.py"),
        routes=[Route("/healthz", _health)],
        middleware=[
            Middleware(Headers),
            Middleware(TrustedHostMiddleware, allowed_hosts=_hosts(), www_redirect=False),
            *(guarding(users, login.signing_key(os.environ), _kept()) if users else []),
        ],
    )


def serve(host: str = "127.0.0.1", port: int = 8501, ledger_url: str | None = None) -> None:
    """Serve the dashboard until Ctrl-C or SIGTERM. `ledger_url` is the ledger, default the HAETAE_* settings.

    Raises HostRefused for an address that is not loopback where no login is set; LoginRefused for a login that is
    none, or too easy; HaetaeError for a port that is taken.
    """
    if login.users(os.environ) is None and not is_loopback(host):
        raise HostRefused(
            f"the dashboard has no login yet and listens on loopback addresses only, not on {host}; set "
            "HAETAE_DASHBOARD_LOGIN to NAME:PASSWORD and HAETAE_DASHBOARD_HOSTS to the names it is shown under, "
            "or leave it on 127.0.0.1 and put an authenticating proxy in front"
        )
    _check_free(host.strip("[]"), port)
    if ledger_url is not None:
        os.environ["HAETAE_LEDGER"] = ledger_url
    config = {**_OPTIONS, "server.address": host, "server.port": port, "server.allowedHosts": _hosts()}
    with suppress(KeyboardInterrupt):  # the server has closed by then
        create_app().run(config=config)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _check_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise HaetaeError(f"port {port} of {host} cannot be had ({exc.strerror}); choose another one") from exc


def _kept() -> Path | None:
    """Where it stays who signed out. Without a secret no cookie outlives this process, and nothing has to stay."""
    return load_settings().home / "signed-out" if os.environ.get("HAETAE_DASHBOARD_SECRET") else None


def _hosts() -> list[str]:
    more = os.environ.get("HAETAE_DASHBOARD_HOSTS", "")
    return [*_LOOPBACK, *(name.strip() for name in more.split(",") if name.strip())]


async def _health(_request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})
