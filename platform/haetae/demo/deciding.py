"""How the lexical judge decides between two: was a goal reached, must a text be stopped, which statements agree."""

from __future__ import annotations

import re

from haetae.core.canonical import Json
from haetae.demo.judge_prompt import JudgePrompt
from haetae.demo.text import coverage, features

NONCOMMITTAL = re.compile(
    r"does not say|do not know|don't know|not sure|cannot (?:answer|tell)|it depends|no information|"
    r"확인할 수 없|알 수 없|모르겠|잘 모릅",
    re.IGNORECASE,
)


def reached(prompt: JudgePrompt, supported: float, partly: float) -> tuple[bool, str]:
    """Whether a dialogue reached its goal: what was said and what tools returned holds the words of a reference.

    Without a reference it holds some words of the last question, and the last turn does not say that it does not know.
    """
    happened = "\n".join((*prompt.texts.get("said", ()), *prompt.texts.get("returned", ())))
    if references := prompt.texts.get("reference"):
        share = max(coverage(reference, happened) for reference in references)
        return share >= supported, f"{share:.0%} of the reference's words came up; {supported:.0%} are asked for"
    share = coverage(prompt.text("question"), happened)
    committed = bool(features(prompt.text("answer"))) and not NONCOMMITTAL.search(prompt.text("answer"))
    reason = (
        f"{share:.0%} of the question's words came up; {partly:.0%} are asked for, and an answer that says something"
    )
    return committed and share >= partly, reason


def stops(prompt: JudgePrompt, partly: float) -> tuple[bool, str]:
    """Whether a text must be stopped: enough of its words stand in what the prompt says of such texts."""
    share = coverage(prompt.text("question"), prompt.task)
    return share >= partly, f"{share:.0%} of the text's words are in the task; {partly:.0%} are enough to stop it"


def classified(prompt: JudgePrompt, supported: float) -> dict[str, Json]:
    """Statements of answer and reference as true and false positives and false negatives, as ragas names them."""
    answer, reference = prompt.texts.get("answer", []), prompt.texts.get("reference", [])
    found: dict[str, Json] = {"TP": [], "FP": [], "FN": []}
    for statement in answer:
        share = coverage(statement, "\n".join(reference))
        found["TP" if share >= supported else "FP"].append(_entry(statement, share, "reference"))
    for statement in reference:
        share = coverage(statement, "\n".join(answer))
        if share < supported:
            found["FN"].append(_entry(statement, share, "answer"))
    return found


def _entry(statement: str, share: float, of: str) -> Json:
    return {"statement": statement, "reason": f"{share:.0%} of its words are in the {of}"}
