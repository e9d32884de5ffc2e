"""How the lexical judge chooses: the answer of the best quality, or the label that a quality falls on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from haetae.demo.grading import quality
from haetae.demo.judge_prompt import JudgePrompt

_SAME = 1e-6
TIE = "tie"
STEPS = (
    "Look for the words of the answer in the reference and the passages, where they are given.",
    "Look for the words of the question in the answer.",
    "See whether the answer ends as a sentence does, and whether its length and its tone are those of an answer.",
)
"""What the lexical judge does, as steps; it writes no others, whatever the criteria say."""


def choose(prompt: JudgePrompt, choices: Sequence[str]) -> tuple[str, str]:
    """The label of the best answer, and the reason. `choices` are the answers' labels in order, perhaps with `tie`."""
    labels = [label for label in choices if label != TIE]
    answers = prompt.texts.get("answer", [])
    shares = [quality(replace(prompt, texts={**prompt.texts, "answer": [answer]})) for answer in answers[: len(labels)]]
    if not shares:
        return choices[-1], "there is no answer to compare"
    best = max(shares)
    reason = "quality by shared words: " + ", ".join(
        f"{label} {share:.2f}" for label, share in zip(labels, shares, strict=False)
    )
    equal = sum(best - share < _SAME for share in shares) > 1
    return TIE if equal and TIE in choices else labels[shares.index(best)], reason


def label_of(share: float, labels: Sequence[str]) -> str:
    """The label that a quality of 0 to 1 falls on; the best label is the first."""
    place = int((1 - min(max(share, 0.0), 1.0)) * len(labels))
    return labels[min(place, len(labels) - 1)]
