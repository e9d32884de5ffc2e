"""Who is told of alerts, as real servers on this machine: a webhook and a mail server, which can be down or silent."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Webhook:
    """Takes JSON at any path. `answer(path)` gives status and headers; `got` is what was posted, in order."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.logins: list[str | None] = []
        self.answer: Callable[[str], tuple[int, dict[str, str]]] = lambda path: (200, {})
        self._http: ThreadingHTTPServer | None = None
        self.port = 0
        self.up()

    @property
    def address(self) -> str:
        """For HAETAE_ALERTS, with a secret in its path."""
        return f"json://127.0.0.1:{self.port}/canary-of-the-hook"

    def up(self) -> None:
        """Listen, on the same port as before."""
        self._http = _Quiet(("127.0.0.1", self.port), _handler(self))
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def down(self) -> None:
        """Refuse connections."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *arguments: Any) -> None:
        """A client that was ended is no news here."""


def _handler(hook: Webhook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            raw = self.rfile.read(int(self.headers["Content-Length"] or 0))
            hook.paths.append(self.path)
            hook.logins.append(self.headers["Authorization"])
            hook.got.append(json.loads(raw))
            status, headers = hook.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815  # the library's name; what a redirect becomes

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    return Handler


class Mailbox:
    """Takes mail by SMTP for anybody; `got` are the messages. It asks for no password and offers no TLS."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        mailbox = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self._say("220 here")
                while line := self.rfile.readline():
                    word = line[:4].upper().strip()
                    if word == b"DATA":
                        self._say("354 go on")
                        mailbox.got.append(_message(self._body()))
                    elif word == b"QUIT":
                        self._say("221 bye")
                        return
                    self._say("250 fine")

            def _body(self) -> bytes:
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line[1:] if line.startswith(b"..") else line)
                return b"".join(lines)

            def _say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Session)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def address(self) -> str:
        """For HAETAE_ALERTS."""
        return f"mailto://127.0.0.1:{self.port}?from=haetae@example.com&to=team@example.com"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _message(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message
