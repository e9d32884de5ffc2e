"""Reading a judge's reply: the last complete top-level JSON object of a text, or nothing.

Models wrap JSON in thoughts, fences and prose, and write it almost right. What is read, in order:

1. `<think>…</think>` is passed over; so is all before a `</think>` that was never opened. Neither tag counts
   inside quoted text of an object: there a judge quotes what it judges.
2. The text is cut into top-level `{…}` spans, with regard to quoted text, and never looked into: an
   object quoted inside a broken one is not taken for the verdict. Where a brace, a quote inside braces or a
   `<think>` has no partner, something was cut off or broken, and nothing is read at all.
3. The last span that is an object wins. One that is not JSON is tried again after two declared repairs:
   single-quoted text becomes double-quoted, and commas before a closing bracket are dropped. Where that does
   not make it JSON either, nothing is read: an object before it was not the verdict. A span without a
   colon (`{a, b}`) is prose.

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
_MARK = re.compile(r"</?think>|[{}]")
_INSIDE = re.compile(r"""</think>|[{}"']""")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"|\'(?:[^\'\\]|\\.)*+\'', re.DOTALL)
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*+"|\'(?:[^\'\\]|\\.)*+\'|,(?=\s*[}\]])', re.DOTALL)
_REFUSAL = re.compile(
    r"\bi\s*(am|['’]m)\s+(sorry|unable|not able)|\b(i|we)\s+(can\s*not|can['’]t|won['’]t|will not|must decline)\b"
    r"|\bas an ai\b|\bunable to (assist|help|comply)|죄송|(도와\s*드릴|응답할|평가할|답변할)\s*수\s*없",
    re.IGNORECASE,
)


def read_object(text: str) -> dict[str, Json] | None:
    """The last complete top-level object of the text, or None."""
    text = text[-MAX_REPLY:].strip()
    if text.startswith("{") and (whole := _parsed(text)) is not None:  # all of it is the one span: mostly so
        return whole
    for span in reversed(_spans(text)):
        found = _parsed(span) or _parsed(_PIECE.sub(_mend, span))
        if found is not None:
            return found
        if ":" in span:
            return None
    return None


def _parsed(span: str) -> dict[str, Json] | None:
    try:
        found = json.loads(span, parse_constant=_refuse, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def is_refusal(text: str) -> bool:
    """Whether a reply that holds no verdict begins by declining, in English or Korean."""
    return _REFUSAL.search(text.rpartition(_CLOSE)[2].strip()[:300]) is not None


def number(value: Json) -> float | None:
    """A JSON number as a float; None for text, booleans, null and what is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _spans(text: str) -> list[str]:
    """The balanced `{…}` spans at the top level after the thoughts; none where a mark lacks its partner."""
    spans: list[str] = []
    paired, place = True, 0
    while mark := _MARK.search(text, place):
        place = mark.end()
        if mark.group() == _CLOSE:
            spans, paired = [], True
        elif mark.group() == "}":
            paired = False
        else:
            end = _end_of_thoughts(text, place) if mark.group() == _OPEN else _end_of_object(text, place)
            if end is None:
                return []
            if mark.group() == "{":
                spans.append(text[mark.start() : end])
            place = end
    return spans if paired else []


def _end_of_thoughts(text: str, place: int) -> int | None:
    end = text.find(_CLOSE, place)
    return None if end == -1 else end + len(_CLOSE)


def _end_of_object(text: str, place: int) -> int | None:
    """Where the object that was opened before `place` ends, or where a `</think>` outside its quoted text
    shows that the brace was a thought's; None where it is not closed."""
    depth = 1
    while mark := _INSIDE.search(text, place):
        place = mark.end()
        if mark.group() == _CLOSE:
            return mark.start()
        if mark.group() in "\"'":
            quoted = _STRING.match(text, mark.start())
            if quoted is None:
                return None
            place = quoted.end()
            continue
        depth += 1 if mark.group() == "{" else -1
        if depth == 0:
            return place
    return None


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
