"""Text that others wrote (ids, slices, answers, messages) made inert in what continuous integration shows."""

from __future__ import annotations

import re

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "$": "&#36;"}
_MARKUP = frozenset("\\`*_[]~^#")
_LINKED = re.compile(r"(?<=[@#!])|(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)
_APART = "\u200b"
"""Zero width: keeps a forge from making `@name`, `#12`, `https://` and `www.` into a mention or a link."""


def one_line(text: str, limit: int = 1000) -> str:
    """The text on one line of at most `limit` characters.

    What does not print is escaped as Python writes it (`\\n`, `\\x1b`): control characters, marks of
    direction, lone surrogates. No character that XML or UTF-8 cannot hold is left.
    """
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def in_markdown(text: str, limit: int = 1000) -> str:
    """The text on one line of Markdown, also in a table's cell: no markup, HTML, link, image, mention or formula."""
    apart = _LINKED.sub(_APART, one_line(text, limit))
    return "".join(_ENTITIES.get(letter, f"\\{letter}" if letter in _MARKUP else letter) for letter in apart)


def in_command(text: str) -> str:
    """The message of a GitHub workflow command; its lines stay lines."""
    lines = "\n".join(map(one_line, text.split("\n")))
    return lines.replace("%", "%25").replace("\n", "%0A")


def in_property(text: str) -> str:
    """A property of a GitHub workflow command: `file`, `title`."""
    return one_line(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
