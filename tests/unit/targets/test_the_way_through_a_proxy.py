"""The environment says which proxy an endpoint is asked through; a netrc says nothing."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from haetae.core.clock import SystemClock
from haetae.core.generation import Generation
from haetae.core.secrets import redact
from haetae.errors import ConfigError
from haetae.targets.endpoint import Endpoint
from haetae.targets.proxy import proxy_of

Asked = Callable[..., list[Any]]
_VARIABLES = [name for low in ("http_proxy", "https_proxy", "no_proxy", "all_proxy") for name in (low, low.upper())]


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "no_proxy", "proxy"),
    [
        ("http://model.example/v1", "", "http://proxy.example:3128"),
        ("https://model.example/v1", "", None),
        ("http://model.example/v1", "other.example,model.example", None),
        ("http://api.model.example/v1", ".model.example", None),
        ("http://model.example:8000/v1", "model.example:8000", None),
        ("http://model.example:8001/v1", "model.example:8000", "http://proxy.example:3128"),
        ("http://[::1]:8000/v1", "::1", None),
        ("http://127.0.0.1:8000/v1", "*", None),
    ],
)
def test_a_proxy_is_for_its_scheme_and_for_no_host_that_is_left_out(
    url: str, no_proxy: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert proxy_of(url) == proxy


def test_a_call_goes_through_the_proxy_with_the_login_that_it_wants(
    asked: Asked, answered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str | None]] = []

    async def proxy(request: web.Request) -> web.Response:
        seen.append((str(request.url), request.headers.get("Proxy-Authorization")))
        return answered()  # type: ignore[no-any-return]  # what the fixture makes

    async def through(here: Endpoint) -> Any:
        address = here.base_url.removeprefix("http://").partition("/")[0]
        monkeypatch.setenv("http_proxy", f"http://me:word@{address}")
        far = Endpoint(
            base_url="http://model.example/v1", model="m", clock=SystemClock(), fingerprint={"parameters": {}}
        )
        try:
            return await far.chat([])
        finally:
            await far.aclose()

    (found,) = asked(proxy, through)
    assert isinstance(found, Generation)
    login = base64.b64encode(b"me:word").decode()
    assert seen == [("http://model.example/v1/chat/completions", f"Basic {login}")]


@pytest.mark.parametrize("url", ["http://model.example/v1", "https://model.example/v1"])
@pytest.mark.parametrize(
    ("proxy", "why"),
    [
        ("us:canary@127.0.0.1:1", "does not begin with http://"),
        ("127.0.0.1:1", "does not begin with http://"),
        ("http://us:can/canary@127.0.0.1:1", "holds none of /"),
        ("http://us:80/canary@127.0.0.1:1", "holds none of /"),
        ("http://us:can@canary@127.0.0.1:1", "holds none of /"),
        ("http://us:canary@127.0.0.1:port", "not a URL"),
        ("http://us:canary@", "names no host"),
        ("http://us:canary@a..b:3128", "no name that can be looked up"),
        ("socks5://us:canary@127.0.0.1:1", "expected an http or https URL"),
    ],
)
def test_a_proxy_that_is_none_is_refused_at_the_door_without_its_login(
    proxy: str, why: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # SEC-07
    variable = f"{url.partition(':')[0].upper()}_PROXY"
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(ConfigError, match=f"variable {variable} holds no proxy: .*{why}") as caught:
        Endpoint(base_url=url, model="m", clock=SystemClock(), fingerprint={})
    assert "canary" not in str(caught.value)
    assert redact(str(caught.value)) == str(caught.value)  # what it says of logins does not look like one
    monkeypatch.setenv("NO_PROXY", "model.example")
    assert Endpoint(base_url=url, model="m", clock=SystemClock(), fingerprint={}) is not None


def test_a_login_of_the_proxy_that_comes_back_is_not_shown(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:  # SEC-07
    async def proxy(request: web.Request) -> web.Response:
        said = f"{request.headers['Proxy-Authorization']} is cana/ry7, cana%2Fry7"
        return web.json_response({"error": {"message": said}}, status=500)

    async def through(here: Endpoint) -> Any:
        address = here.base_url.removeprefix("http://").partition("/")[0]
        monkeypatch.setenv("http_proxy", f"http://me:cana%2Fry7@{address}")
        far = Endpoint(base_url="http://model.example/v1", model="m", clock=SystemClock(), fingerprint={})
        try:
            return await far.chat([])
        finally:
            await far.aclose()

    (found,) = asked(proxy, through)
    assert found.message.endswith(": Basic *** is ***, ***")


def test_a_login_in_a_netrc_does_not_go_beside_the_key(
    asked: Asked, answered: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password word\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    keys: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        keys.append(request.headers.get("Authorization"))
        return answered()  # type: ignore[no-any-return]  # what the fixture makes

    asked(handler, headers={"Authorization": "Bearer key"})
    asked(handler)
    assert keys == ["Bearer key", None]
