"""Text that others wrote (ids, slices, answers, messages) made inert in what continuous integration shows."""

from __future__ import annotations

import re

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "$": "&#36;"}
_MARKUP = frozenset("\\`*_[]~^#")
_LINKED = re.compile(r"(?<=[@#!])|(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)
_APART = "\u200b"
"""Zero width: keeps a forge or a chat from making `@name`, `#12`, `https://` and `www.` into a mention or a link."""
_IN_CHAT = re.compile(
    r"(?<=\])(?=[(:])"  # [words](address)
    r"|(?<=[^\s/.]\.)(?=[^\W\d_]{2})"  # evil.example, without a schema
    r"(?!(?:ya?ml|jsonl?|csv|tsv|txt|toml|parquet|db|usd)(?![\w-]|\.\w)|[\w.-]*\.\d+(?![\w-]|\.\w))"
    r"|(?<=/)(?=/)|(?<=mailto)(?=:)"
    r"|(?<=:)(?=[a-z+-][\w+-]*:)"  # :skull:
    r"|(?<=&)(?=\w+;)|(?<=\$)(?=\$)",  # &period; and $$formulas$$
    re.IGNORECASE,
)
_EDGES = re.compile(r"(?<!\w)_+|_+(?!\w)")
"""Around words, where `_` marks them; within one it is a part of its name."""
_ALIKE = str.maketrans({"<": "‹", ">": "›", "*": "∗", "`": "ˋ", "~": "∼", "|": "∣"})


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


def in_chat(text: str, limit: int = 1000) -> str:
    """The text on one line of a chat's message: no mention, link, picture, HTML or emphasis, whatever marks it knows.

    Signs become others that look like them. What people copy stays as it is: numbers, `rouge_l`, `[language=ko]`, names
    of runs (`bot.12`, `rag.ko.12`) and of files (`suite.yaml`), but of none that ends like a country's sites (`.py`).
    """
    apart = _IN_CHAT.sub(_APART, _LINKED.sub(_APART, one_line(text, limit)))
    return _EDGES.sub(lambda found: "ˍ" * len(found[0]), apart).translate(_ALIKE)
