"""The lexical judge: it answers a judge's questions by shared words, and says so in its reasons.

It is a stand-in with known behaviour, not a good judge: a paraphrase looks unfaithful to it and a
copied sentence looks perfect. Revision 2 is the same judge grown stricter, as hosted judges do
behind an unchanged name: its threshold is higher and its grades are about 0.6 lower on a scale of 1 to 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from haetae.core.canonical import Json
from haetae.demo.choosing import STEPS, choose, label_of
from haetae.demo.deciding import NONCOMMITTAL, classified, reached, stops
from haetae.demo.grading import quality
from haetae.demo.judge_prompt import JudgePrompt
from haetae.demo.text import coverage, features, is_korean, sentences
from haetae.demo.wire import ApiError

_CLAIM_END = re.compile(r";\s+")
_MARK = re.compile(r"^\s*(?:\[\d+\]|\(?\d+[.):]|[-*•])\s*")
_MOST_QUESTIONS = 100
_TEMPLATES = {
    False: ("{first}?", "What about this: {first}?", "What is said about {words}?"),
    True: ("{first} 맞나요?", "{first} 이 내용을 알려 주세요.", "{words} 어떻게 되나요?"),
}


@dataclass(frozen=True, slots=True)
class Strictness:
    """What a revision asks for: shares of words, 0 to 1, and the share of the scale that it takes off a grade."""

    supported: float
    relevant: float
    partly: float
    deduction: float


STRICTNESS = {1: Strictness(0.6, 0.4, 0.15, 0.0), 2: Strictness(0.8, 0.55, 0.25, 0.15)}


def reply(prompt: JudgePrompt, revision: int) -> Json:
    """The judge's answer: one JSON object that follows the prompt's schema.

    Raises ApiError 400 for a prompt without a schema, or with one of no known kind.
    """
    if prompt.schema is None:
        raise ApiError(400, "lexical-judge answers with JSON only: give a JSON schema", "response_format")
    strict, names = STRICTNESS[revision], _names(prompt.schema)
    if names & {"reached", "block", "TP"}:
        return _decision(prompt, strict, names)
    # a statement list with verdicts, as ragas asks for it, also has the name of a list without
    if {"attributed", "verdict", "verdicts"} & names:
        return _verdicts(prompt, strict)
    if {"relevance", "rating"} & names:
        return _relevance(prompt, strict)
    if {"questions", "question", "noncommittal"} & names:
        return _questions(prompt)
    if {"statements", "claims"} & names:
        listed = claims(prompt.text("answer"))
        return _fill(prompt.schema, {"statements": listed, "claims": listed})
    if "steps" in names:
        return _fill(prompt.schema, {"steps": list(STEPS)})
    if "best" in names:
        best, reason = choose(prompt, _enum(prompt.schema, "best"))
        return _fill(prompt.schema, {"best": best, "reason": reason, "reasoning": reason})
    if "label" in names:
        share = quality(prompt) - strict.deduction
        reason = f"quality by shared words {share:.2f} of 1"
        label = label_of(share, _enum(prompt.schema, "label"))
        return _fill(prompt.schema, {"label": label, "reason": reason, "reasoning": reason})
    if {"score", "grade"} & names:
        return _grade(prompt, strict)
    raise ApiError(400, f"lexical-judge knows no schema with {', '.join(sorted(names))}", "response_format")


def claims(answer: str) -> list[str]:
    """The sentences of an answer, and the halves of those with a semicolon."""
    return [claim.strip() for sentence in sentences(answer) for claim in _CLAIM_END.split(sentence) if claim.strip()]


def _decision(prompt: JudgePrompt, strict: Strictness, names: frozenset[str]) -> Json:
    schema = prompt.schema or {}
    if "TP" in names:
        return _fill(schema, classified(prompt, strict.supported))
    if "reached" in names:
        done, reason = reached(prompt, strict.supported, strict.partly)
    else:
        done, reason = stops(prompt, strict.partly)
    return _fill(schema, {"reason": reason, "reasoning": reason, "reached": int(done), "block": done})


def _verdicts(prompt: JudgePrompt, strict: Strictness) -> Json:
    contexts = prompt.text("contexts")
    schema = prompt.schema or {}
    statements = _statements(prompt) or claims(prompt.text("answer"))
    entries = []
    for number, statement in enumerate(statements, 1):
        share = coverage(statement, contexts)
        verdict = int(share >= strict.supported)
        entries.append(
            {
                "statement": statement,
                "number": number,
                "index": number,
                "reason": f"{share:.0%} of its words are in the passages; {strict.supported:.0%} are asked for",
                "verdict": verdict,
                "attributed": verdict,
                "supported": verdict,
            }
        )
    listed = {"statements": entries, "verdicts": entries, "classifications": entries}
    if listed.keys() & _properties(schema).keys():
        return _fill(schema, listed)
    # one verdict for the whole: was this passage of use for that answer?
    share = coverage(prompt.text("answer"), contexts)
    reason = f"{share:.0%} of the answer's words are in the passage; {strict.partly:.0%} are asked for"
    return _fill(schema, {"reason": reason, "verdict": int(share >= strict.partly)})


def _statements(prompt: JudgePrompt) -> list[str]:
    """The statements to judge, one a line, without their numbers."""
    lines = "\n".join(prompt.texts.get("statements", ())).splitlines()
    return [_MARK.sub("", line).strip() for line in lines if line.strip()]


def _questions(prompt: JudgePrompt) -> Json:
    answer, schema = prompt.text("answer"), prompt.schema or {}
    wanted = _properties(schema).get("questions", {}).get("minItems")
    wanted = wanted if isinstance(wanted, int) and 0 < wanted <= _MOST_QUESTIONS else 3
    first = (sentences(answer) or [""])[0].rstrip(".!?")
    words = sorted(features(first), key=lambda feature: (-len(feature), feature))
    asked = []
    for number in range(wanted):
        if number < 3:
            asked.append(_TEMPLATES[is_korean(answer)][number].format(first=first, words=" ".join(words[:6])))
        else:
            asked.append(f"{first} ({number + 1})?")
    noncommittal = int(bool(NONCOMMITTAL.search(answer)) or not words)
    return _fill(schema, {"questions": asked, "question": asked[1 % wanted], "noncommittal": noncommittal})


def _relevance(prompt: JudgePrompt, strict: Strictness) -> Json:
    question = prompt.text("question")
    ratings = []
    for context in prompt.texts.get("contexts", []):
        share = coverage(question, context)
        ratings.append(2 if share >= strict.relevant else 1 if share >= strict.partly else 0)
    best = max(ratings, default=0)
    reason = f"shared words of question and passage; {strict.relevant:.0%} make it relevant"
    return _fill(prompt.schema or {}, {"relevance": best, "rating": best, "reason": reason})


def _grade(prompt: JudgePrompt, strict: Strictness) -> Json:
    schema = prompt.schema or {}
    properties = _properties(schema)
    name = "score" if "score" in properties else "grade"
    low, high, whole = _scale(properties.get(name, {}))
    share = quality(prompt) - strict.deduction
    value = low + min(max(share, 0.0), 1.0) * (high - low)
    reason = f"quality by shared words {share:.2f} of 1, on a scale from {low:g} to {high:g}"
    return _fill(schema, {"reason": reason, "reasoning": reason, name: round(value) if whole else round(value, 1)})


def _enum(schema: Mapping[str, Any], name: str) -> list[str]:
    """The texts that a property may be. Raises ApiError 400 where the schema lists none."""
    listed = [choice for choice in _properties(schema)[name].get("enum") or () if isinstance(choice, str)]
    if not listed:
        raise ApiError(400, f"the schema lists no texts for {name}", "response_format")
    return listed


def _scale(schema: Mapping[str, Any]) -> tuple[float, float, bool]:
    """Lowest and highest value of a score's schema, and whether it is whole; 1 to 5 where it does not say."""
    choices = [value for value in schema.get("enum") or () if isinstance(value, int)]
    low = schema.get("minimum", min(choices, default=1))
    high = schema.get("maximum", max(choices, default=5))
    if not (isinstance(low, int | float) and isinstance(high, int | float) and low < high):
        raise ApiError(400, f"the schema's scale goes from {low!r} to {high!r}", "response_format")
    return low, high, schema.get("type") == "integer" or bool(choices)


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The properties of an object's schema. Raises ApiError 400 for what is no such schema."""
    found = schema.get("properties")
    if not isinstance(found, dict) or not all(isinstance(described, dict) for described in found.values()):
        raise ApiError(400, "the schema's properties are not an object of schemas", "response_format")
    return found


def _names(schema: Any) -> frozenset[str]:
    """The property names anywhere in a schema."""
    if isinstance(schema, list):
        return frozenset().union(*map(_names, schema))
    if not isinstance(schema, dict):
        return frozenset()
    own = schema.get("properties")
    inside = frozenset().union(*map(_names, schema.values()))
    return inside | frozenset(own) if isinstance(own, dict) else inside


def _fill(schema: Mapping[str, Any], offered: Mapping[str, Json], root: Mapping[str, Any] | None = None) -> Json:
    """The offered values that the schema has properties for, in its order; objects in lists likewise."""
    root = root or schema
    out: dict[str, Json] = {}
    for name, described in _properties(schema).items():
        if name not in offered:
            continue
        value, items = offered[name], _resolve(described, root).get("items", {})
        if isinstance(value, list):
            value = [_entry(_resolve(items, root), entry, root) for entry in value]
        out[name] = bool(value) if described.get("type") == "boolean" else value
    return out


def _entry(items: Mapping[str, Any], entry: Json, root: Mapping[str, Any]) -> Json:
    """One entry of a list: the object that its schema describes, or its statement where texts are listed."""
    if not isinstance(entry, dict):
        return entry
    return entry["statement"] if items.get("type") == "string" else _fill(items, entry, root)


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a `$ref` to `$defs`, as pydantic writes them."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return root.get("$defs", {}).get(name, {}) if name else schema
