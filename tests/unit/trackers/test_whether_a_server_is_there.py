"""Whether a tracking server answers: why not is said in words that hold no password, and nothing is said beside."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from haetae.errors import TrackerAway
from haetae.trackers.reach import check_reachable


@contextmanager
def answering(*lines: bytes) -> Iterator[int]:
    """A server that answers each question so; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            for line in lines:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(10_000)
                    connection.sendall(line)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


def test_a_server_is_found_by_an_address_with_a_login() -> None:
    with answering(b"HTTP/1.0 401 No\r\n\r\n") as port:
        check_reachable(f"http://user:canary@127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "uri",
    ["http://u:canary/Pw55@127.0.0.1", "http://u:canary@[::1", "http://u:canary@127.0.0.1/a b", "http://:canary@"],
)
def test_an_address_that_cannot_be_asked_is_said_at_once_and_without_its_password(
    uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TrackerAway, match=r"cannot be reached: (its host and port cannot|it has characters)") as away:
        check_reachable(uri)
    assert "canary" not in str(away.value)
    assert capsys.readouterr().err == ""


def test_what_speaks_no_http_is_said_in_one_line() -> None:
    with answering(b"SSH-2.0-OpenSSH\r\n") as port, pytest.raises(TrackerAway, match="BadStatusLine") as away:
        check_reachable(f"http://127.0.0.1:{port}")
    assert "\n" not in str(away.value)


@pytest.mark.parametrize("rest", ["127.0.0.1:1/d", "/d?host=127.0.0.1:1&host=127.0.0.2:1", "/d?host=/nowhere"])
def test_a_database_that_cannot_be_connected_to_is_said_in_one_line_without_its_password(rest: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(TrackerAway, match="cannot be reached: connection") as away:
        check_reachable(f"postgresql+psycopg://me:canary-pw@{rest}")
    assert "canary" not in str(away.value)
    assert "\n" not in str(away.value)


def test_a_database_without_its_driver_is_said_at_once() -> None:
    with pytest.raises(TrackerAway, match=r"the package psycopg2, by which postgresql: is reached, is not installed"):
        check_reachable("postgresql://me@127.0.0.1:1/mlflow")


@pytest.mark.real
def test_a_database_that_answers_is_there(postgres_url: str) -> None:
    check_reachable(postgres_url.replace("postgresql://", "postgresql+psycopg://"))


@pytest.mark.parametrize("uri", ["sqlite:////srv/mlflow.db", "file:///srv", "[", ""])
def test_what_is_no_server_is_not_asked(uri: str) -> None:
    check_reachable(uri)
