"""Reading a judge's reply: the last complete top-level JSON object of a text, or nothing.

Models wrap JSON in thoughts, fences and prose, and write it almost right. What is read, in order:

1. `<think>…</think>` is dropped; so is all before a `</think>` that was never opened.
2. The text is cut into top-level `{…}` spans, with regard to quoted text, and never looked into: an
   object quoted inside a broken one is not taken for the verdict.
3. The last span that is JSON wins. One that is not is tried again after two declared repairs:
   single-quoted text becomes double-quoted, and commas before a closing bracket are dropped.

NaN, infinity and an object that names one key twice are not JSON here. Numbers in prose are never read.
"""

from __future__ import annotations

import json
import math
import re

from haetae.core.canonical import Json

MAX_REPLY = 100_000
"""Characters of a reply that are read, from its end: the verdict stands last."""

_OPEN, _CLOSE = "<think>", "</think>"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"|\'(?:[^\'\\]|\\.)*+\'', re.DOTALL)
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*+"|\'(?:[^\'\\]|\\.)*+\'|,(?=\s*[}\]])', re.DOTALL)
_REFUSAL = re.compile(
    r"\bi\s*(am|['’]m)\s+(sorry|unable|not able)|\b(i|we)\s+(can\s*not|can['’]t|won['’]t|will not|must decline)\b"
    r"|\bas an ai\b|\bunable to (assist|help|comply)|죄송|(도와\s*드릴|응답할|평가할|답변할)\s*수\s*없",
    re.IGNORECASE,
)


def read_object(text: str) -> dict[str, Json] | None:
    """The last complete top-level object of the text, or None."""
    for span in reversed(_spans(_answer(text))):
        for candidate in (span, _PIECE.sub(_mend, span)):
            try:
                found = json.loads(candidate, parse_constant=_refuse, object_pairs_hook=_unique)
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict):
                return found
    return None


def is_refusal(text: str) -> bool:
    """Whether a reply that holds no verdict begins by declining, in English or Korean."""
    return _REFUSAL.search(_answer(text)[:300]) is not None


def number(value: Json) -> float | None:
    """A JSON number as a float; None for text, booleans, null and what is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _answer(text: str) -> str:
    return _without_thoughts(text).rpartition(_CLOSE)[2].strip()[-MAX_REPLY:]


def _without_thoughts(text: str) -> str:
    """The text between `<think>…</think>`, found in one walk however often either stands there."""
    kept, place = [], 0
    while (start := text.find(_OPEN, place)) != -1 and (end := text.find(_CLOSE, start)) != -1:
        kept.append(text[place:start])
        place = end + len(_CLOSE)
    return "".join(kept) + text[place:]


def _spans(text: str) -> list[str]:
    """The balanced `{…}` spans at the top level. A brace or quote never closed ends them: it was cut off."""
    spans: list[str] = []
    place = text.find("{")
    while place != -1:
        start, depth = place, 0
        while place < len(text):
            character = text[place]
            if character in "\"'":
                quoted = _STRING.match(text, place)
                if quoted is None:
                    return spans
                place = quoted.end()
                continue
            depth += (character == "{") - (character == "}")
            place += 1
            if depth == 0:
                break
        else:
            return spans
        spans.append(text[start:place])
        place = text.find("{", place)
    return spans


def _mend(piece: re.Match[str]) -> str:
    found = piece.group()
    if found == ",":
        return ""
    if found.startswith('"'):
        return found
    return '"' + found[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")
