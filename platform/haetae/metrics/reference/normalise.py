"""Normal forms of an answer: what two texts may differ in and still be the same answer."""

from __future__ import annotations

import re
import string

import regex  # type: ignore[import-untyped]  # ships no types

from haetae.core.normal_form import normal_form
from haetae.metrics.text import nfc

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_UNSEEN = regex.compile(r"\p{Cf}")
_NUMERIC = r"(?<=\p{N})[.,:/-](?=\p{N})|(?<![^\s(])-(?=\p{N})|(?<=\p{N}\s?)%"  # 3.5, -5 and 50% are no 35, 5 and 50
_TIGHT = regex.compile(rf"(?:{_NUMERIC})(*SKIP)(*FAIL)|[.'’]")
_LOOSE = regex.compile(rf"(?:{_NUMERIC})(*SKIP)(*FAIL)|\p{{P}}")


def squad_normalise(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, blanks made single.

    Source: `normalize_answer` of the SQuAD 1.1 evaluation script (Rajpurkar et al. 2016), after NFC.
    """
    return " ".join(_ARTICLE.sub(" ", nfc(text).lower().translate(_PUNCTUATION)).split())


def unicode_normalise(text: str) -> str:
    """NFKC, case folded, without punctuation and unseen characters, blanks made single.

    Full stops and apostrophes are dropped (U.S. is US, don't is dont), other punctuation becomes a blank
    (서울,부산 is 서울 부산). What makes a number another number stays: a sign, the marks between digits, a
    percent sign. A text of punctuation alone stays as it is.
    """
    folded = normal_form("NFKC", normal_form("NFKC", text).casefold()).replace("−", "-")
    shown = _UNSEEN.sub("", folded)
    return " ".join(_LOOSE.sub(" ", _TIGHT.sub("", shown)).split()) or " ".join(shown.split())
