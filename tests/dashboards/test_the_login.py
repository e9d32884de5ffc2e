"""Signing in as people and attackers try it: the real server, a real browser, and WebSockets without a cookie."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from haetae.dashboards.login import hash_of

pytestmark = pytest.mark.real
EVERYWHERE = "0.0.0.0"  # noqa: S104  # to be refused
HAETAE = ("-c", "from haetae.cli.main import main; main()")
PASSWORD = "tidal-orchid-93"
KOREAN = "모래-언덕-고래-바람-7"


@pytest.fixture(scope="module")
def port(seeded: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a dashboard with a login on every address of this machine, started by its own command."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("login")
    login = f"minji:{PASSWORD} 민지:{hash_of(KOREAN)} slow:{hash_of(PASSWORD)}"
    env = {
        **os.environ,
        "HAETAE_DASHBOARD_LOGIN": login,
        "HAETAE_LEDGER": seeded.url,
        "FORWARDED_ALLOW_IPS": "127.0.0.1",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *HAETAE, "dashboard", "--port", str(port)],
            cwd=folder, env=env, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while not answers(port):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "the dashboard did not answer"
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def answers(port: int) -> bool:
    try:
        return asked(port, "GET", "/healthz").status == 200
    except OSError:
        return False


def asked(port: int, method: str, path: str, body: str = "", **headers: str) -> http.client.HTTPResponse:
    """One request; its answer has the text as `text`. Names of headers are written with `_`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body.encode() if body else None, headers=sent)
        answer = connection.getresponse()
        answer.text = answer.read().decode("utf-8", "replace")  # type: ignore[attr-defined]
        return answer
    finally:
        connection.close()


def signed_in(port: int, name: str = "minji", password: str = PASSWORD, **headers: str) -> http.client.HTTPResponse:
    # each call from an address of its own, so that no test has to wait for another's attempts
    headers.setdefault("X_Forwarded_For", f"203.0.113.{abs(hash((name, password))) % 200}")
    return asked(port, "POST", "/login", urlencode({"name": name, "password": password}), **headers)


def cookie(answer: http.client.HTTPResponse) -> str:
    return (answer.getheader("set-cookie") or "").partition(";")[0]


def test_without_a_cookie_nothing_is_answered_but_whether_it_lives(port: int) -> None:
    assert asked(port, "GET", "/healthz").status == 200
    for path in ("/", "/run", "/_stcore/health", "/_stcore/host-config", "/static/none.js", "/media/x", "/healthz/x"):
        assert asked(port, "GET", path).status == 401, path
    shown = asked(port, "GET", "/run?run=support-ko.8", Accept="text/html")
    assert (shown.status, shown.getheader("location")) == (303, "/login?next=/run%3Frun%3Dsupport-ko.8")


def test_a_websocket_without_a_cookie_is_refused_and_with_one_it_opens(port: int) -> None:
    stream = f"ws://127.0.0.1:{port}/_stcore/stream"
    forged = "haetae_session=eyJuYW1lIjoibWluamkifQ==.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb"
    for headers in ({}, {"Cookie": forged}):
        with pytest.raises(InvalidStatus, match="403"):
            connect(stream, additional_headers=headers, open_timeout=30).close()
    mine = {"Cookie": cookie(signed_in(port))}
    connect(stream, additional_headers=mine, origin=f"http://127.0.0.1:{port}", open_timeout=30).close()
    for origin in ("https://evil.example", f"http://localhost:{port + 1}", "null"):
        with pytest.raises(InvalidStatus, match="403"):
            connect(stream, additional_headers=mine, origin=origin, open_timeout=30).close()  # type: ignore[arg-type]


def test_the_cookie_is_not_for_scripts_nor_other_sites_and_over_https_for_https_alone(port: int) -> None:
    plain = signed_in(port).getheader("set-cookie") or ""
    assert "httponly" in plain
    assert "samesite=lax" in plain
    assert "Max-Age=43200" in plain
    assert "secure" not in plain
    behind = signed_in(port, X_Forwarded_Proto="https").getheader("set-cookie") or ""
    assert behind.endswith("; secure")


def test_another_site_can_neither_sign_in_nor_out(port: int) -> None:  # SEC-12
    mine = cookie(signed_in(port))
    for origin in ("https://evil.example", "null", "http://[", f"http://127.0.0.1:{port + 1}"):
        assert signed_in(port, Origin=origin).status == 403
        assert asked(port, "POST", "/logout", Cookie=mine, Origin=origin).status == 403
    assert asked(port, "GET", "/", Host="evil.example", Cookie=mine).status == 400
    assert asked(port, "GET", "/_stcore/host-config", Cookie=mine).status == 200
    assert signed_in(port, Origin=f"http://127.0.0.1:{port}").status == 303


def test_whoever_signed_out_is_out_with_that_cookie_too(port: int) -> None:
    mine = cookie(signed_in(port))
    assert asked(port, "GET", "/_stcore/health", Cookie=mine).status == 200
    left = asked(port, "POST", "/logout", Cookie=mine)
    assert (left.status, left.getheader("location")) == (303, "/login")
    assert asked(port, "GET", "/_stcore/health", Cookie=mine).status == 401


def test_it_leads_to_pages_of_its_own_only(port: int) -> None:
    for there, expected in {
        "/run?run=번역-ko-en.4": "/",  # not as browsers write it
        "/run?run=%EB%B2%88": "/run?run=%EB%B2%88",
        "//evil.example": "/",
        "/\\evil.example": "/",
        "/\t/evil.example": "/",
        "https://evil.example": "/",
        "": "/",
    }.items():
        body = urlencode({"name": "minji", "password": PASSWORD})
        answer = asked(port, "POST", f"/login?next={quote(there)}", body, X_Forwarded_For="203.0.113.250")
        assert answer.getheader("location") == expected, there


def test_guessing_is_slowed_down_also_for_the_right_password(port: int) -> None:
    for number in range(200):
        guess = signed_in(port, "slow", f"guess-number-{number}", X_Forwarded_For=f"198.51.100.{number}")
        assert guess.status in (401, 429)
        if int(guess.getheader("retry-after") or 0) > 2:
            break
    assert signed_in(port, "slow", PASSWORD, X_Forwarded_For="198.51.100.250").status == 429
    assert signed_in(port).status == 303  # others sign in


def test_a_form_that_is_none_of_ours_breaks_nothing(port: int) -> None:
    far = {"X_Forwarded_For": "198.51.100.77"}
    assert asked(port, "POST", "/login", "x" * 5_000, **far).status == 413
    assert asked(port, "POST", "/login", "name=%ff&password=%00&" + "&" * 900, **far).status == 401


def test_what_was_typed_wrongly_is_said_in_the_language_of_the_browser(port: int) -> None:
    wrong = signed_in(port, "<b>x</b>", "no-such-password", Accept_Language="ko-KR,ko;q=0.9")
    assert "이름 또는 비밀번호가 맞지 않습니다." in wrong.text  # type: ignore[attr-defined]
    assert "<b>x" not in wrong.text  # type: ignore[attr-defined]
    english = asked(port, "GET", "/login", Accept_Language="de")
    assert "Sign in" in english.text  # type: ignore[attr-defined]
    assert not re.search(r'(src|href|url\()\s*=?\s*["\']?https?:', english.text)  # type: ignore[attr-defined]


def test_a_person_signs_in_sees_the_page_that_was_asked_for_and_signs_out(
    port: int, browser: Any, tmp_path: Path
) -> None:
    folder = Path(os.environ.get("HAETAE_SCREENSHOTS") or tmp_path)
    page = browser.new_context(locale="ko-KR", viewport={"width": 1200, "height": 800}).new_page()
    asked_for: list[str] = []
    page.on("request", lambda request: asked_for.append(request.url))
    page.goto(f"http://127.0.0.1:{port}/run?run=support-ko.8")
    page.get_by_role("button", name="로그인").wait_for()
    page.screenshot(path=str(folder / "login-ko.png"))
    assert len(asked_for) <= 3  # the page that sent here, and this one with what a browser asks of every site
    page.get_by_label("이름").fill("민지")
    page.get_by_label("비밀번호").fill(KOREAN)
    page.get_by_role("button", name="로그인").click()
    page.get_by_role("heading", name="Estimates").wait_for(timeout=60_000)
    assert page.url.endswith("/run?run=support-ko.8")
    page.get_by_role("link", name="Sign out").click()
    page.get_by_text("민지 님으로 로그인되어 있습니다.").wait_for()
    page.get_by_role("button", name="로그아웃").click()
    page.get_by_role("button", name="로그인").wait_for()
    page.goto(f"http://127.0.0.1:{port}/")
    page.get_by_role("button", name="로그인").wait_for()
    assert [url for url in asked_for if not url.startswith((f"http://127.0.0.1:{port}/", "data:", "blob:"))] == []
    page.context.close()


def started(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *HAETAE, "dashboard", *arguments]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("HAETAE_")}
    return subprocess.run(command, env={**ours, **env}, capture_output=True, text=True, check=False, timeout=120)


def test_where_anyone_could_read_it_it_does_not_start_without_a_login() -> None:  # SEC-13, DSH-14
    done = started("--host", EVERYWHERE)
    assert done.returncode == 2
    assert "listens on loopback addresses only, not on 0.0.0.0; set HAETAE_DASHBOARD_LOGIN" in done.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", EVERYWHERE])
def test_nor_with_a_password_that_anybody_would_try(host: str) -> None:  # SEC-13
    done = started("--host", host, HAETAE_DASHBOARD_LOGIN="admin:password1234")
    assert done.returncode == 2
    assert "the password of admin is one of those that are tried first" in done.stderr
    assert "password1234" not in done.stderr
