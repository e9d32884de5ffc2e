"""The process that sends one message to one address, and ends: `python -m haetae.trackers.alert_process`.

It reads one JSON object (url, title, text, body, mood, until, allowed) and writes lines: `ready`, `connecting` before
it connects, and at last one JSON object, {"error": null} or {"error": "why", "unsure": whether it may have arrived}.
Where the object has no text, it looks at the address and sends nothing.
A process of its own can be ended whatever it hangs in, is guarded for good, and holds no secret but its address.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

import apprise
import requests

from haetae.trackers.outgoing import Guard

_OF_A_CHAT: Final = 5_000
"""Characters of which a chat takes no more: what takes more is mail."""
_PIECES: Final = 100
"""Of an answer, of 10 KiB each; the rest is not read."""
_TO_SAY_SO_S: Final = 0.25
_ANSWERED = re.compile(r"error=(\d{3})\b")
_SMTP = re.compile(r"\(?\b([45]\d\d)\b,? ?b?['\"]")
_SURE: Final = (
    (re.compile(r"connect timeout=|ConnectTimeout"), "it cannot be reached: nobody answers there"),
    (re.compile(r"Connection refused|Errno 111"), "it cannot be reached: the connection is refused"),
    (re.compile(r"Name or service|name resolution|Name does not|getaddrinfo|Errno -"), "its host is not known"),
    (re.compile(r"CERTIFICATE_VERIFY_FAILED|certificate verify"), "its certificate is not trusted"),
    (re.compile(r"unreachable|No route"), "it cannot be reached: there is no way to it"),
)


class Outcome(NamedTuple):
    """What became of a message. With an `error` it is `unsure` where it was sent and no answer came."""

    error: str | None = None
    unsure: bool = False


class _Kept(logging.Handler):
    """What Apprise would log, kept here: it may hold an address, so nobody is shown it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def send(url: str, title: str, text: str | None, body: str, mood: str, until: float, guard: Guard) -> Outcome:
    """Send a message: `body`, in Markdown, to what shows it whole (mail), `text` to all others; None sends nothing.

    `mood` is a word of Apprise (`failure`, `success`, `warning`) for the colour that chats give it, `until` when this
    process is ended, by the machine's monotonic clock.
    """
    kept = _Kept()
    log = logging.getLogger("apprise")
    log.handlers, log.propagate = [kept], False
    log.setLevel(logging.DEBUG)
    plugin = _address(url, until - time.monotonic())
    if plugin is None:
        web = ", or is it json:// (jsons:// over TLS)" if url.lower().startswith("http") else ""
        return Outcome(f"it is no address that Apprise knows{web}: look at its form in Apprise's documentation")
    if text is None:
        return Outcome()
    whole = plugin.notify_format is apprise.NotifyFormat.HTML and plugin.body_maxlen > _OF_A_CHAT
    form = apprise.NotifyFormat.MARKDOWN if whole else apprise.NotifyFormat.TEXT
    teller = apprise.Apprise(plugin)  # makes of a text what the address shows: of Markdown, HTML for mail
    try:
        done = teller.notify(
            body if whole else text, title=title, body_format=form, notify_type=apprise.NotifyType(mood)
        )
    except Exception as exc:
        kept.lines.append(f"{type(exc).__name__}: {exc}")
        done = False
    return Outcome() if done else _why("\n".join(kept.lines), guard)


def _address(url: str, left_s: float) -> Any:
    """Apprise's object for the address, None where it has none; it keeps no file and shows no picture of others."""
    asset = apprise.AppriseAsset(
        app_id="Haetae",
        app_desc="Haetae",
        image_url_mask="",
        image_url_logo="",
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    plugin = apprise.Apprise.instantiate(url, asset=asset)
    if plugin is None or not type(plugin).__module__.startswith("apprise.plugins."):
        return None
    plugin.socket_connect_timeout = max(0.5, 0.5 * left_s)
    plugin.socket_read_timeout = max(0.5, left_s - _TO_SAY_SO_S)
    plugin.retry = 0
    if "overflow=" not in url:
        plugin.overflow_mode = apprise.OverflowMode.TRUNCATE  # a long message is one message all the same
    return plugin


def _why(said: str, guard: Guard) -> Outcome:
    """The reason in words of ours: those of Apprise may repeat a part of the address."""
    if guard.refused is not None:
        return Outcome(f"it may not be reached: {guard.refused}")
    if answer := _ANSWERED.findall(said):
        return Outcome(f"it answers {answer[-1]}{_HINTS.get(answer[-1], '')}")
    for sign, words in _SURE:
        if sign.search(said):
            return Outcome(words)
    if "timed out" in said:
        return Outcome("it was sent, and no answer came", unsure=True)
    if answer := _SMTP.findall(said):
        return Outcome(f"the mail server answers {answer[-1]}{_HINTS.get(answer[-1], '')}")
    return Outcome("Apprise could not deliver it; look at the address: its keys, its channel, its recipients")


_HINTS: Final = {
    "401": ": the key or password is wrong",
    "403": ": the key is wrong, or may not write there",
    "404": ": there is no such channel or webhook, or not any more",
    "429": ": too many messages at once",
    "535": ": the user or password is wrong",
}


def _read_the_beginning_of_answers() -> None:
    """From now on: a receiver, or who answers in its place, may send more than this machine holds."""
    pieces = requests.Response.iter_content

    def first(answer: requests.Response, *how: Any, **more: Any) -> Iterator[Any]:
        return islice(pieces(answer, *how, **more), _PIECES)

    requests.Response.iter_content = first  # type: ignore[method-assign, assignment]  # wider than the overloads


def main() -> None:
    """Do it, under the guard."""
    task: dict[str, Any] = json.load(sys.stdin)
    _read_the_beginning_of_answers()
    guard = Guard(tuple(task.pop("allowed")), lambda: _say("connecting"))
    guard.install()
    _say("ready")
    _say(json.dumps(send(**task, guard=guard)._asdict()))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
