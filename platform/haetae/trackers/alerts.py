"""Addresses of alerts, reached through Apprise: Slack, Teams, e-mail, webhooks and a hundred more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

from haetae.core.alert import Alert, AlertKind
from haetae.core.alert_address import AlertAddress
from haetae.errors import MissingExtra, TrackerAway, TrackerError

NO_ANSWER: Final = "it was sent, and no answer came"
"""How the error begins of a message that may have arrived."""
_NO_TIME: Final = "there was no time left for it"
_PASSED: Final = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TZ", "VIRTUAL_ENV")
_PASSED_BY_END: Final = ("_PROXY", "_CA_BUNDLE")
_MOODS: Final = {AlertKind.REGRESSION: "failure", AlertKind.ALARM: "failure", AlertKind.RECOVERY: "success"}
_LEAST_S: Final = 1.0
"""With less time left than this nothing is begun."""


class Messenger:
    """Tells one address. `left_s` says how many seconds it still has; each message is a process of its own, which is
    ended when they are over. `allowed` are hosts and networks that may be reached though they are not public."""

    def __init__(self, address: AlertAddress, allowed: tuple[str, ...], left_s: Callable[[], float]) -> None:
        if find_spec("apprise") is None:
            raise MissingExtra("apprise", "alerts")
        self._address = address
        self._allowed = allowed
        self._left_s = left_s

    def deliver(self, record: Alert, key: str) -> str:
        """When the address has taken the message. Raises TrackerError where it has not, TrackerAway where it cannot be
        reached."""
        seconds = self._left_s()
        if seconds < _LEAST_S:
            raise TrackerAway(_NO_TIME)
        mood = _MOODS.get(record.kind, "warning")
        return self._process(seconds, title=record.title, text=record.text, body=record.body, mood=mood)

    def look(self) -> None:
        """See whether Apprise knows the address; nobody is written to. Raises TrackerError where it does not."""
        self._process(self._left_s(), title="", text=None, body="", mood="warning")

    def _process(self, seconds: float, **message: str | None) -> str:
        until = time.monotonic() + seconds
        task = {"url": self._address.url, "until": until, "allowed": self._allowed, **message}
        command = [sys.executable, "-P", "-m", "haetae.trackers.alert_process"]
        try:
            done = subprocess.run(  # noqa: S603  # this very Python
                command,
                input=json.dumps(task).encode(),
                capture_output=True,
                timeout=seconds,
                check=False,
                env=_environment(),
            )
        except subprocess.TimeoutExpired as late:
            raise _cut_short(late.stdout or b"") from None
        return _read(done)


def _cut_short(said: bytes) -> TrackerError:
    """How far a process had come that was ended."""
    if b"connecting" in said:
        return TrackerError(NO_ANSWER)
    if b"ready" in said:
        return TrackerAway("it cannot be reached: its host was not found in time")
    return TrackerAway(_NO_TIME)


def _read(done: subprocess.CompletedProcess[bytes]) -> str:
    """What the process said with its last line."""
    if done.returncode:
        raise TrackerError(f"the process that tells it ended with code {done.returncode}")
    outcome = json.loads(done.stdout.splitlines()[-1])
    if outcome["error"] is None:
        return "told"
    if outcome["unsure"] or outcome["error"].startswith("it answers"):
        raise TrackerError(outcome["error"])
    raise TrackerAway(outcome["error"])


def _environment() -> dict[str, str]:
    """What Python and TLS need, and no key of anything else: nor the passwords in ~/.netrc, which a request would
    take with it to whatever host stands there."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED or name.startswith(("PYTHON", "LC_")) or name.upper().endswith(_PASSED_BY_END)
    }
    return passed | {"NETRC": os.devnull}
