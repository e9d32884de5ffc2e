"""How the lexical judge grades an answer: shared words where there is evidence, and features of form."""

from __future__ import annotations

import re

from haetae.demo.judge_prompt import JudgePrompt
from haetae.demo.text import coverage, features, is_korean, overlap, sentences

_TO_THE_JUDGE = re.compile(
    r"\b(?:ignore|disregard|forget)\b.*\b(?:instruction|rubric|above|previous|prompt)|"
    r"\b(?:give|award|assign)\b.{0,40}\b\d+\b|\b(?:rate|grade|score)\b (?:it|this|the)\b.{0,40}\b\d+\b|"
    r"\b(?:score|grade|rating|verdict)\b[\"']?\s*[:=]|"
    r"(?:점수|만점|평점|채점).{0,20}(?:줘|주세요|주십시오|부여|매겨)|\d+\s*점.{0,12}(?:줘|주세요|주십시오|부여|매겨)|지시.{0,12}무시|"
    r"^</?\w+-[0-9a-f]{8,}>$|^#{1,6}\s",  # a forged fence, a forged heading
    re.IGNORECASE,
)
_ENDED = re.compile(r"[.!?。][\"'”’)\]]*$|(?:다|요|오)$")
_POLITE = re.compile(r"(?:니다|니까|세요|시오|[가-힣]요)[.!?。]*$")
_CONSIDERATE = re.compile(r"주세요|드립|드려|드릴|하실|하시|으실|으시|고객님|부탁")


def quality(prompt: JudgePrompt) -> float:
    """0 to 1: words shared with the reference, the passages and the question where they are given, and form.

    Sentences that speak to the judge (asking for a score, against its rubric) are left out first, so
    that they neither raise nor lower the grade. Form alone earns nothing where there is evidence that
    the answer shares no word with.
    """
    answer = " ".join(sentence for sentence in sentences(prompt.text("answer")) if not _TO_THE_JUDGE.search(sentence))
    if not features(answer):
        return 0.0
    question, contexts = prompt.text("question"), prompt.text("contexts")
    evidence = []
    if references := prompt.texts.get("reference"):
        evidence.append((0.5, max(overlap(answer, reference) for reference in references)))
    if contexts:
        evidence.append((0.2, coverage(answer, contexts)))
    if not any(value for _, value in evidence) and evidence:
        return 0.0
    if question and is_korean(question) == is_korean(answer):
        # a good answer takes about three in ten of its question's words
        evidence.append((0.1, min(1.0, coverage(question, answer) / 0.3)))
    parts = [*evidence, (0.2, form(answer))]
    return sum(weight * value for weight, value in parts) / sum(weight for weight, _ in parts)


def form(answer: str) -> float:
    """0 to 1: half for ending as a sentence does, the rest for courtesy (Korean) or a readable length (English)."""
    ended = 0.5 * bool(_ENDED.search(answer))
    if not is_korean(answer):
        return ended + 0.5 * (4 <= len(answer.split()) <= 60)
    said = sentences(answer)
    polite = sum(bool(_POLITE.search(sentence)) for sentence in said) / len(said)
    return ended + 0.3 * polite + 0.2 * bool(_CONSIDERATE.search(answer))
