"""What a session leaves behind when it is over: no open WebSocket, and no cookie that works again."""

from __future__ import annotations

import asyncio
import os
import stat
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from haetae.dashboards import signing_in
from haetae.dashboards.ended import Ended
from haetae.dashboards.login import Users, hash_of
from haetae.dashboards.signing_in import guarding
from haetae.dashboards.sockets import Sockets

PASSWORD = "tidal-orchid-93"
USERS = Users(f"minji:{hash_of(PASSWORD)} 민지:{hash_of(PASSWORD)}")


async def page(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("the page")


async def echo(socket: WebSocket) -> None:
    """Says again what it hears, as a page does."""
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)


def dashboard(kept: Path | None = None) -> TestClient:
    """What stands before the dashboard, before something simple."""
    routes = [Route("/", page), WebSocketRoute("/stream", echo)]
    app = Starlette(routes=routes, middleware=guarding(USERS, "a key", kept))
    return TestClient(app, follow_redirects=False)


@pytest.fixture
def client() -> Iterator[TestClient]:
    with dashboard() as client:
        yield client


def sign_in(client: TestClient, name: str = "minji", password: str = PASSWORD) -> int:
    return client.post("/login", data={"name": name, "password": password}).status_code


def is_closed(socket: WebSocketTestSession) -> bool:
    """Whether the browser is told that it is over, and nothing else."""
    with pytest.raises(WebSocketDisconnect) as told:
        socket.receive_text()
    return told.value.code == 1008


def test_signing_out_closes_every_websocket_of_the_session_and_of_no_other(client: TestClient) -> None:
    sign_in(client)
    other = dict(client.cookies)
    client.cookies.clear()
    sign_in(client)
    with (
        client.websocket_connect("/stream") as first,
        client.websocket_connect("/stream") as second,
        client.websocket_connect("/stream", headers={"cookie": f"haetae_session={other['haetae_session']}"}) as kept,
    ):
        first.send_text("before")
        assert first.receive_text() == "before"
        assert client.post("/logout").status_code == 303
        first.send_text("after")
        assert is_closed(first)
        assert is_closed(second)
        kept.send_text("still here")
        assert kept.receive_text() == "still here"


def test_a_websocket_ends_when_its_cookie_runs_out(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_in, "_WORKING_DAY_S", 1.0)
    sign_in(client)
    with client.websocket_connect("/stream") as socket:
        socket.send_text("before")
        assert socket.receive_text() == "before"
        assert is_closed(socket)
    assert client.get("/").status_code == 401


def test_a_websocket_that_the_browser_closes_leaves_nothing() -> None:
    sockets = Sockets()

    async def gone() -> Message:
        return {"type": "websocket.disconnect", "code": 1001}

    async def app(_scope: object, receive: object, _send: object) -> None:
        assert (await receive())["code"] == 1001  # type: ignore[operator]

    async def refused(message: Message) -> None:
        raise AssertionError(message)

    asyncio.run(sockets.serve(app, {}, gone, refused, "a", 60.0))
    assert not sockets._open


def test_a_cookie_that_was_signed_out_stays_so_when_the_dashboard_is_started_again(tmp_path: Path) -> None:
    with dashboard(tmp_path / "signed-out") as client, dashboard(tmp_path / "signed-out") as beside:
        sign_in(client)
        mine = dict(client.cookies)
        assert beside.get("/", cookies=mine).status_code == 200
        client.post("/logout")
        assert beside.get("/", cookies=mine).status_code == 401
    with dashboard(tmp_path / "signed-out") as again:
        assert again.get("/", cookies=mine).status_code == 401
        assert sign_in(again) == 303
        assert again.get("/").text == "the page"


def test_who_signed_out_is_kept_no_longer_than_a_cookie_lives(tmp_path: Path) -> None:
    folder = tmp_path / "signed-out"
    ended = Ended(folder, 3600)
    ended.add("old")
    os.utime(folder / "old", (time.time() - 3601,) * 2)
    ended.add("new")
    assert [kept.name for kept in folder.iterdir()] == ["new"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "new" in Ended(folder, 3600)


def test_where_nothing_can_be_kept_signing_out_holds_until_the_restart_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").write_text("no folder")
    ended = Ended(tmp_path / "home" / "signed-out", 3600)
    ended.add("a")
    assert "a" in ended
    assert "who signed out is forgotten by a restart" in caplog.text


def test_a_name_has_five_attempts_in_all_its_spellings_together() -> None:
    name = unicodedata.normalize("NFC", "민지")
    apart = unicodedata.normalize("NFD", name)
    names = [first + last for first in (name[0], "\ubbf8" + apart[2], apart[:3]) for last in (name[1], apart[3:])]
    assert {unicodedata.normalize("NFC", spelling) for spelling in names} == {name}
    assert len(set(names)) == 6
    app = dashboard().app
    codes = []
    for number, spelling in enumerate(names * 3):  # each from an address of its own
        codes.append(sign_in(TestClient(app, client=(f"192.0.2.{number}", 1)), spelling, "wrong"))
    assert codes.count(401) == 5
    assert set(codes[5:]) == {429}
