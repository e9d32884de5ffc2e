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
_DASH = regex.compile(r"[‐-―](?=\p{Sc}?\.?\p{N})")
_RAISED = regex.compile(r"(?<=\p{Nd})(?=\p{No})")
"""Between 10 and ², of which NFKC would make 102."""
_KEPT = "|".join(
    (
        r"(?<=\p{N})[.,:/-](?=\p{N})",  # 3.5 is not 35
        r"(?<![\p{L}\p{N}])-(?=\p{Sc}?\.?\p{N})",  # -5 and -$5 are not 5 and $5; in 코로나-19 the hyphen joins
        r"(?<![\p{L}\p{N}.])\.(?=\p{N})",  # .5 is not 5
        r"(?<=\p{N}\s?)[%‰]",
        r"(?<=\p{L})#(?![\p{L}\p{N}])",  # C# is not C
    )
)
_TIGHT = regex.compile(rf"(?:{_KEPT})(*SKIP)(*FAIL)|[.'’]")
_LOOSE = regex.compile(rf"(?:{_KEPT})(*SKIP)(*FAIL)|\p{{P}}")


def squad_normalise(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, blanks made single.

    Source: `normalize_answer` of the SQuAD 1.1 evaluation script (Rajpurkar et al. 2016), after NFC.
    """
    return " ".join(_ARTICLE.sub(" ", nfc(text).lower().translate(_PUNCTUATION)).split())


def squad_answer(text: str) -> str:
    """The normal form of SQuAD; where nothing is left of an answer (A, the, ?!) its words stay, else its marks."""
    lowered = nfc(text).lower()
    return squad_normalise(text) or " ".join(lowered.translate(_PUNCTUATION).split()) or " ".join(lowered.split())


def unicode_normalise(text: str) -> str:
    """NFKC, case folded, without punctuation and unseen characters, blanks made single.

    Full stops and apostrophes are dropped (U.S. is US, don't is dont), other punctuation becomes a blank
    (서울,부산 is 서울 부산). What makes a number another number stays: a sign, also before a currency, whatever
    dash it is written with; the marks between digits and the point before them; a percent or per mille sign; an
    exponent (10² is 10^2). So does the # of C#. A text of punctuation alone stays as it is.
    """
    folded = normal_form("NFKC", normal_form("NFKC", _RAISED.sub("^", text)).casefold()).replace("−", "-")
    shown = _DASH.sub("-", _UNSEEN.sub("", folded))
    plain = " ".join(_LOOSE.sub(" ", _TIGHT.sub("", shown)).split())
    return plain or " ".join(shown.split()) or nfc(text)
