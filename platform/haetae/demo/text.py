"""Words, sentences and overlap: all that the demonstration models know of language.

Nothing here understands anything. Features are word stems for Latin script and syllable bigrams for
Hangul, whose particles change the end of a word; both languages are treated by the same lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_TOKEN = re.compile(r"[가-힣]+|[a-z0-9]+(?:[._/-][a-z0-9]+)*", re.IGNORECASE)
_PART = re.compile(r"[._/-]")
_SENTENCE_END = re.compile(r"(?<=[.!?。])[\"'”’)\]]*\s+|\n+")
_STOP_WORDS = (
    "a an and any are as at be been but by can could did do does doing for from get gets give given had has have "
    "he her here his how i if in into is it its just me mean means must my need no not of on once or our out over "
    "own please say she should so some than that the their them then there these they this to up us use used was "
    "we were what when where which who whom why will with without would you your"
)
_STOP = frozenset(_STOP_WORDS.split())
_SUFFIXES = ("ations", "ation", "ings", "ing", "ies", "ied", "ed", "es", "s", "ly", "e", "y")


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order, stripped."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def stem(word: str) -> str:
    """A word without its commonest English ending: `retries` and `retried` meet in `retr`."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)]
    return word


@lru_cache(maxsize=8192)
def features(text: str) -> frozenset[str]:
    """What two texts may share: stems of content words, and bigrams of Hangul syllables.

    `server.port` counts as a whole and in its parts.
    """
    found: set[str] = set()
    for token in _TOKEN.findall(text.lower()):
        if token[0] >= "가":
            found.update(token[i : i + 2] for i in range(len(token) - 1)) if len(token) > 1 else found.add(token)
            continue
        parts = [part for part in _PART.split(token) if part]
        found.update(stem(part) for part in parts if part not in _STOP)
        if len(parts) > 1:
            found.add(token)
    return frozenset(found)


def coverage(text: str, source: str) -> float:
    """The share of the text's features that the source has too, 0 to 1; 0 for a text without any."""
    wanted = features(text)
    return len(wanted & features(source)) / len(wanted) if wanted else 0.0


def overlap(one: str, other: str) -> float:
    """F1 of the features of two texts, 0 to 1."""
    a, b = features(one), features(other)
    return 2 * len(a & b) / (len(a) + len(b)) if a and b else 0.0


def is_korean(text: str) -> bool:
    """Whether the text has Hangul syllables."""
    return any("가" <= character <= "힣" for character in text)


def token_count(texts: Iterable[str]) -> int:
    """An estimate of tokens: four ASCII characters, or one other character, to a token."""
    total = 0
    for text in texts:
        ascii_only = len(text.encode("ascii", "ignore"))
        total += -(-ascii_only // 4) + len(text) - ascii_only
    return total


def cut(text: str, tokens: int) -> str:
    """The longest beginning of the text, at a word's end where possible, of at most so many tokens."""
    if token_count((text,)) <= tokens:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if token_count((text[:middle],)) <= tokens else (low, middle - 1)
    return text[: text.rfind(" ", 0, low)] if " " in text[:low] else text[:low]
