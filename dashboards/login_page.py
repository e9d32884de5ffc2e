"""The pages on which one signs in and out, in English and Korean, with nothing that has to be fetched."""

from __future__ import annotations

import html
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse

from haetae.dashboards import look

_WORDS = {
    "en": {
        "sign in": "Sign in",
        "name": "Name",
        "password": "Password",
        "wrong": "The name or the password is wrong.",
        "wait": "Too many attempts. Try again in {} s.",
        "sign out": "Sign out",
        "leave": "You are signed in as {}.",
    },
    "ko": {
        "sign in": "로그인",
        "name": "이름",
        "password": "비밀번호",
        "wrong": "이름 또는 비밀번호가 맞지 않습니다.",
        "wait": "시도가 너무 많습니다. {}초 뒤에 다시 시도하세요.",
        "sign out": "로그아웃",
        "leave": "{} 님으로 로그인되어 있습니다.",
    },
}
_PAGE = """<!doctype html><html lang="{language}"><meta charset="utf-8"><title>Haetae · {title}</title>
<meta name="viewport" content="width=device-width"><style>
body {{ font: 16px/1.5 system-ui, "Noto Sans KR", "Noto Sans CJK KR", sans-serif; color: {look.INK};
  background: #f5f7f9; display: grid; place-items: center; min-height: 90vh; margin: 0 }}
form {{ background: #fff; border: 1px solid {look.LINE}; border-radius: 8px; padding: 2rem; width: min(20rem, 80vw) }}
h1 {{ font-size: 1.3rem; margin: 0 0 1rem }} label {{ display: block; margin-bottom: .8rem }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .5rem .6rem; border-radius: 6px }}
input {{ border: 1px solid {look.QUIET} }}
button {{ border: 0; background: {look.ACCENT}; color: #fff; cursor: pointer }}
[role=alert] {{ color: #b3261e }}</style>
<form method="post"><h1>Haetae</h1>{body}<button>{title}</button></form></html>"""


def asking(request: Request, said: str = "", status: int = 200, more: Mapping[str, str] | None = None) -> HTMLResponse:
    """The page that asks for a name and a password, with what is to be said about the last attempt."""
    known = words(request)
    body = f'<p role="alert">{html.escape(said)}</p>' if said else ""
    body += (
        f'<label>{known["name"]}<input name="name" autocomplete="username" required autofocus></label>'
        f"<label>{known['password']}"
        '<input name="password" type="password" autocomplete="current-password" required></label>'
    )
    return _page(request, "sign in", body, status, more or {})


def leaving(request: Request, name: str) -> HTMLResponse:
    """The page on which one signs out."""
    return _page(request, "sign out", f"<p>{html.escape(words(request)['leave'].format(name))}</p>", 200, {})


def words(request: Request) -> Mapping[str, str]:
    """The words in the language that the browser asks for first."""
    return _WORDS[_language(request)]


def _language(request: Request) -> str:
    return "ko" if request.headers.get("accept-language", "").lower().startswith("ko") else "en"


def _page(request: Request, title: str, body: str, status: int, more: Mapping[str, str]) -> HTMLResponse:
    page = _PAGE.format(language=_language(request), title=words(request)[title], body=body, look=look)
    return HTMLResponse(page, status, {"cache-control": "no-store", "vary": "Accept-Language", **more})
