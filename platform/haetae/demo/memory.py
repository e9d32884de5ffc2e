"""The translation memory: it gives back the English side of the entry whose Korean is nearest.

An entry is one line `한국어 ||| English`, in the prompt or given at start. It translates nothing that
it was not given: a near match is returned as it stands, as translators' tools do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

SEPARATOR = "|||"
NOTHING = "No entry of the translation memory is near this text."
ENOUGH = 0.15
"""The least similarity, 0 to 1, of an entry that is given back."""

_MARK = re.compile(r"^\s*(?:\[\d+\]|[-*•]|\d+[.)])\s*")
_HEADING = re.compile(r"^#{1,6}[^\n]*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One remembered translation."""

    korean: str
    english: str


def entries(lines: Iterable[str]) -> tuple[Entry, ...]:
    """The entries among the lines; a line without the separator, or with an empty side, is none."""
    found = []
    for line in lines:
        korean, separator, english = (part.strip() for part in _MARK.sub("", line).partition(SEPARATOR))
        if separator and korean and english:
            found.append(Entry(korean, english))
    return tuple(found)


@lru_cache(maxsize=16384)
def _bigrams(text: str) -> frozenset[str]:
    letters = "".join(character for character in text.lower() if character.isalnum())
    return frozenset(letters[i : i + 2] for i in range(len(letters) - 1)) or frozenset({letters})


def similarity(one: str, other: str) -> float:
    """Dice coefficient of the character bigrams of two texts, letters and digits only; 0 to 1."""
    a, b = _bigrams(one), _bigrams(other)
    return 2 * len(a & b) / (len(a) + len(b))


def translate(prompt: str, known: Sequence[Entry], random: Random, slip: float = 0.0) -> str:
    """The English of the entry nearest to what stands under the prompt's last heading.

    Entries in the prompt come before the `known` ones. With probability `slip` (0 to 1) it is the
    second-nearest entry's. `NOTHING` where no entry is near enough.
    """
    given = entries(prompt.splitlines())
    headings = list(_HEADING.finditer(prompt))
    source = prompt[headings[-1].end() :] if headings else prompt
    source = "\n".join(line for line in source.splitlines() if SEPARATOR not in line).strip()
    ranked = sorted(given or known, key=lambda entry: -similarity(source, entry.korean))[:2]
    near = [entry.english for entry in ranked if similarity(source, entry.korean) >= ENOUGH]
    if not near:
        return NOTHING
    return near[1] if len(near) > 1 and random.random() < slip else near[0]
