"""The guard of the process that sends an alert: what it may connect to, and what it may start."""

from __future__ import annotations

import re

import pytest

from haetae.trackers.alert_process import Outcome, _why
from haetae.trackers.outgoing import Guard


def _guard(*allowed: str) -> Guard:
    return Guard(allowed, lambda: None)


@pytest.mark.parametrize("event", ["socket.connect", "socket.sendto", "socket.sendmsg"])
def test_only_public_addresses_are_connected_to(event: str) -> None:
    guard = _guard()
    guard.judge(event, (None, ("1.1.1.1", 443)))
    assert guard.refused is None
    with pytest.raises(PermissionError, match=r"10\.0\.0\.1 is a private address; HAETAE_ALERTS_ALLOW"):
        guard.judge(event, (None, ("::ffff:10.0.0.1", 443, 0, 0)))
    assert guard.refused is not None


@pytest.mark.parametrize("address", ["/run/dbus/system_bus_socket", b"\0abstract", ("chat.example", 443), ()])
def test_neither_sockets_of_the_machine_nor_names_are_connected_to(address: object) -> None:
    with pytest.raises(PermissionError, match=r"socket of this machine|it is a name"):
        _guard("127.0.0.0/8").judge("socket.connect", (None, address))


def test_what_is_sent_over_a_judged_connection_is_not_judged_again() -> None:
    _guard().judge("socket.sendmsg", (None, None))


def test_networks_and_addresses_can_be_allowed_but_never_what_hands_out_credentials() -> None:
    guard = _guard("10.1.0.0/16", "::1", "0.0.0.0/0", "::/0")
    for allowed in ("10.1.2.3", "::1", "192.168.0.1"):
        guard.judge("socket.connect", (None, (allowed, 80)))
    clouds = ("169.254.169.254", "::ffff:169.254.169.254", "::ffff:0:169.254.169.254", "2606:4700::5efe:a9fe:a9fe")
    for never in (*clouds, "100.100.100.200", "fd00:ec2::254"):
        with pytest.raises(PermissionError, match="metadata"):
            guard.judge("socket.connect", (None, (never, 80)))


def test_a_network_of_ipv4_that_is_allowed_is_so_in_each_form_of_its_addresses() -> None:
    guard = _guard("10.1.0.0/16")
    guard.judge("socket.connect", (None, ("::ffff:10.1.2.3", 80, 0, 0)))
    for never in ("::ffff:10.2.0.1", "::ffff:0:10.1.2.3"):
        with pytest.raises(PermissionError):
            guard.judge("socket.connect", (None, (never, 80, 0, 0)))


def test_a_name_that_is_allowed_allows_what_it_resolved_to_and_no_other_name_does() -> None:
    where = {"chat.internal": "10.0.0.5", "elsewhere.example": "10.0.0.6"}

    def resolve(host: str, port: int) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", (where[host.rstrip(".").lower()], port))]

    guard = _guard("Chat.internal")
    guard._resolve(resolve, "chat.INTERNAL.", 443)
    guard._resolve(resolve, "elsewhere.example", 443)
    guard.judge("socket.connect", (None, ("10.0.0.5", 443)))
    with pytest.raises(PermissionError):
        guard.judge("socket.connect", (None, ("10.0.0.6", 443)))


@pytest.mark.parametrize("event", ["subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "syslog.syslog"])
def test_nothing_is_started_and_no_log_of_the_machine_is_written(event: str) -> None:
    with pytest.raises(PermissionError, match=re.escape(event)):
        _guard("0.0.0.0/0").judge(event, ("sh", ["sh"], None, None))


def test_it_says_once_that_it_connects() -> None:
    said: list[int] = []
    guard = Guard((), lambda: said.append(1))
    for _ in range(3):
        guard.judge("socket.connect", (None, ("1.1.1.1", 443)))
    assert said == [1]


@pytest.mark.parametrize(
    ("log", "outcome"),
    [
        ("Failed to send JSON notification: Not found, error=404.", "it answers 404: there is no such channel"),
        ("Failed: error=503.", "it answers 503"),
        ("HTTPConnectionPool(host='canary'): timed out. (connect timeout=2)", "nobody answers there"),
        ("[Errno 111] Connection refused canary", "the connection is refused"),
        ("Temporary failure in name resolution: canary", "its host is not known"),
        ("SSL: CERTIFICATE_VERIFY_FAILED canary", "its certificate is not trusted"),
        ("Socket Exception: (535, b'5.7.8 canary')", "the mail server answers 535: the user or password is wrong"),
        ("something canary", "Apprise could not deliver it"),
    ],
)
def test_why_it_failed_is_said_in_words_of_ours(log: str, outcome: str) -> None:  # SEC-08
    found = _why(log, _guard())
    assert outcome in str(found.error)
    assert "canary" not in str(found.error)
    assert not found.unsure


def test_what_was_sent_and_not_answered_may_have_arrived() -> None:
    assert _why("Read timed out. (read timeout=3)", _guard()) == Outcome("it was sent, and no answer came", unsure=True)
