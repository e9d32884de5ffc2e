"""Where alerts may go, tried with the process that sends them: every connection is judged, whoever resolved a name."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from haetae.core.alert import Alert, AlertKind
from haetae.core.alert_address import alert_addresses
from haetae.errors import TrackerAway, TrackerError
from haetae.trackers.alerts import Messenger
from tests.fakes.receivers import Webhook

ALERT = Alert("key", AlertKind.REGRESSION, "bot", "bot.3", "✗ 회귀: bot", "떨어졌습니다", "**떨어졌습니다**")
_PATIENT_S = 60.0


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with Webhook() as made:
        yield made


def _tell(url: str, *allowed: str) -> str:
    (address,) = alert_addresses(url)
    return Messenger(address, allowed, lambda: _PATIENT_S).deliver(ALERT, ALERT.key)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f000001", "2130706433"])
def test_this_machine_is_not_told_unless_it_is_allowed(host: str, hook: Webhook) -> None:  # SEC-01
    with pytest.raises(TrackerAway, match=r"it may not be reached: .* address; HAETAE_ALERTS_ALLOW"):
        _tell(f"json://{host}:{hook.port}/x")
    assert hook.got == []


def test_a_cloud_s_metadata_is_not_reached_though_all_networks_are_allowed() -> None:
    with pytest.raises(TrackerAway, match=r"169\.254\.169\.254 is a link-local or metadata address"):
        _tell("json://169.254.169.254/latest/meta-data", "0.0.0.0/0", "::/0")


def test_what_is_allowed_by_network_or_by_name_is_told_in_korean(hook: Webhook) -> None:
    assert _tell(f"json://127.0.0.1:{hook.port}/x", "127.0.0.0/8") == "told"
    assert _tell(f"json://localhost:{hook.port}/x", "localhost") == "told"
    assert [(got["title"], got["message"]) for got in hook.got] == [("✗ 회귀: bot", "떨어졌습니다")] * 2


def test_each_hop_of_a_redirect_is_judged(hook: Webhook) -> None:  # SEC-03
    with Webhook() as elsewhere:
        hook.answer = lambda path: (302, {"Location": f"http://127.0.0.2:{elsewhere.port}/inside"})
        with pytest.raises(TrackerAway, match=r"127\.0\.0\.2 is a loopback address"):
            _tell(f"json://127.0.0.1:{hook.port}/x", "127.0.0.1")
        assert elsewhere.got == []
    assert hook.paths == ["/x"]


def test_a_redirect_to_another_kind_of_url_is_not_followed(hook: Webhook) -> None:  # SEC-04
    hook.answer = lambda path: (302, {"Location": "file:///etc/passwd"})
    with pytest.raises(TrackerError):
        _tell(f"json://127.0.0.1:{hook.port}/x", "127.0.0.1")


_REBINDING = """
import runpy, socket
answers = iter({answers})
def resolve(host, port, *rest, **more):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]
socket.getaddrinfo = resolve
runpy.run_module("haetae.trackers.alert_process", run_name="__main__")
"""


def _with_a_resolver(answers: list[str], url: str, *allowed: str) -> dict[str, Any]:
    """What the process says where each look-up of a name is answered with the next address."""
    task = {"url": url, "title": "t", "text": "x", "body": "b", "mood": "warning"}
    task |= {"until": time.monotonic() + _PATIENT_S, "allowed": allowed}  # type: ignore[dict-item]  # goes out as JSON
    command = [sys.executable, "-c", _REBINDING.format(answers=answers)]
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, check=True, env=os.environ)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_a_name_that_turns_from_an_allowed_address_to_a_forbidden_one_is_refused(hook: Webhook) -> None:  # SEC-02
    hook.answer = lambda path: (302, {"Location": f"http://rebinding.example:{hook.port}/again"})
    said = _with_a_resolver(
        ["127.0.0.1", "127.0.0.3"], f"json://rebinding.example:{hook.port}/first?kwargs=no", "127.0.0.1"
    )
    assert "127.0.0.3 is a loopback address" in said["error"]
    assert hook.paths == ["/first"]


def test_a_name_of_a_private_address_is_refused_at_once(hook: Webhook) -> None:
    said = _with_a_resolver(["127.0.0.1"], f"json://public.example:{hook.port}/x")
    assert "127.0.0.1 is a loopback address" in said["error"]
    assert hook.got == []


def test_a_proxy_of_the_environment_is_an_address_like_any_other(
    hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{hook.port}")
    with pytest.raises(TrackerAway, match=r"127\.0\.0\.1 is a loopback address"):
        _tell("json://chat.example/x")
    assert _tell("json://chat.example/x", "127.0.0.1") == "told"
    assert hook.paths == ["http://chat.example/x"]


def test_the_process_is_given_no_other_secret(monkeypatch: pytest.MonkeyPatch) -> None:  # SEC-07
    from haetae.trackers.alerts import _environment

    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    monkeypatch.setenv("HAETAE_ALERTS", "slack://canary")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert "canary" not in str(_environment())
    assert _environment()["HTTPS_PROXY"] == "http://proxy:3128"


def test_no_password_of_the_netrc_goes_to_an_address(
    hook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # SEC-07
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password canary\ndefault login me password canary\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    assert _tell(f"json://127.0.0.1:{hook.port}/x", "127.0.0.1") == "told"
    assert _tell(f"json://me:mine@127.0.0.1:{hook.port}/x", "127.0.0.1") == "told"
    assert hook.logins == [None, "Basic bWU6bWluZQ=="]


def test_an_answer_without_an_end_is_read_to_a_part() -> None:
    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):  # until nobody reads any more
            connection.recv(100_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(b"x" * 65_536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        assert _tell(f"json://127.0.0.1:{listener.getsockname()[1]}/x", "127.0.0.1") == "told"


@pytest.mark.parametrize("url", ["nothing://x", "slack://too-short"])
def test_what_apprise_does_not_know_is_said_without_the_address(url: str) -> None:
    with pytest.raises(TrackerAway, match=r"^it is no address that Apprise knows"):
        _tell(url)
