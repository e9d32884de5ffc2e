"""The extractive answerer: it copies the sentence of the passages that shares most with the question.

The prompt is the last user message: numbered passages (`[1] …`) and the question under the last
heading `### Question` or `### 질문`. It obeys one instruction, a limit of words, wherever it stands.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from random import Random

from haetae.demo.text import features, is_korean, sentences

UNKNOWN_EN = "The documentation does not say."
UNKNOWN_KO = "제공된 안내에서 확인할 수 없습니다."
ENOUGH = 0.1
"""The least share of the question's weight that the best passage must have for an answer."""
SECOND = 0.85
"""A second sentence is added when it scores at least this share of the best."""

_QUESTION = re.compile(r"^#{1,6}\s*(?:question|질문)[^\n]*\n", re.IGNORECASE | re.MULTILINE)
_PASSAGE = re.compile(r"^\[\d+\]\s*(.*?)(?=^\[\d+\]|^#{1,6}\s|\Z)", re.DOTALL | re.MULTILINE)
_LIMITS = (
    re.compile(r"in (?:at most|no more than|under) (\d{1,4}) words", re.IGNORECASE),
    re.compile(r"(\d{1,4})\s*단어\s*이내"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a prompt asks: the question, the passages, and the limit of words (None: no limit)."""

    question: str
    passages: tuple[str, ...]
    words: int | None


def read(prompt: str, system: str = "") -> Asked:
    """Find question, passages and word limit. Without a question heading the whole prompt is the question."""
    headings = list(_QUESTION.finditer(prompt))
    before, question = (prompt[: headings[-1].start()], prompt[headings[-1].end() :]) if headings else ("", prompt)
    passages = tuple(text for match in _PASSAGE.finditer(before) if (text := match.group(1).strip()))
    # a limit counts in the instructions only: passages and question are somebody else's text
    instructions = system + "\n" + _PASSAGE.sub("", before)
    limits = [int(match.group(1)) for limit in _LIMITS if (match := limit.search(instructions))]
    return Asked(question.strip(), passages, min(limits) if limits else None)


def answer(asked: Asked, random: Random, slip: float = 0.0) -> str:
    """One or two sentences of the passages, or the sentence that says there is no answer.

    With probability `slip` (0 to 1) the second-best sentence is taken for the best.
    """
    unknown = UNKNOWN_KO if is_korean(asked.question) else UNKNOWN_EN
    ranked = rank(asked)
    if not ranked:
        return unknown
    if len(ranked) > 1 and random.random() < slip:
        ranked = ranked[1:]
    score, best, passage = ranked[0]
    chosen = [best]
    for other_score, other, other_passage in ranked[1:2]:
        if other_passage == passage and other_score >= SECOND * score:
            chosen = sorted([best, other], key=asked.passages[passage].index)
    return _limited(chosen, best, asked.words)


def rank(asked: Asked) -> list[tuple[float, str, int]]:
    """(score, sentence, number of its passage), best first; empty where nothing overlaps enough.

    A sentence scores the question's features that it has, each weighted by how few passages have it,
    plus a part of its passage's score, over a mild power of its own length.
    """
    question = features(asked.question)
    shown = [features(passage) for passage in asked.passages]
    having = Counter(feature for found in shown for feature in found & question)
    weight = {feature: math.log1p(len(shown) / having[feature]) if feature in having else 1.0 for feature in question}
    whole = sum(weight.values())
    ranked = []
    for number, (passage, found) in enumerate(zip(asked.passages, shown, strict=True)):
        share = sum(weight[feature] for feature in found & question) / whole if whole else 0.0
        if share < ENOUGH:
            continue
        for sentence in sentences(passage):
            own = features(sentence)
            score = sum(weight[feature] for feature in own & question) / (len(own) + 1) ** 0.25
            ranked.append((score / whole + 0.5 * share, sentence, number))
    return sorted(ranked, key=lambda entry: -entry[0])


def _limited(chosen: list[str], best: str, words: int | None) -> str:
    """The chosen sentences within the limit; the best alone, cut short, where both are too long."""
    text = " ".join(chosen)
    if words is None or len(text.split()) <= words:
        return text
    return " ".join(best.split()[:words])
