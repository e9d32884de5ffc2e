"""What a judge's prompt asks: the schema of the reply, and the labelled texts that are judged.

Texts are found between fences (`<answer-3f9a…>` to `</answer-3f9a…>`, with a mark that no text can
hold); in a prompt without fences, under headings. ragas 0.4.3 sends its texts as one JSON object
instead, after examples of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_DECODER = json.JSONDecoder()
_MARK = re.compile(r"-([0-9a-f]{16})\b")
_HEADING = re.compile(r"^#{1,6}\s*(.+?)\s*#*$")
_RAGAS_INPUT = re.compile(r"Now perform the same with the following input\s*input:\s*", re.IGNORECASE)
_SCHEMA_MARK = re.compile(r"schema[^{}\n]{0,80}\s*(?=\{)", re.IGNORECASE)
_LABELS = {
    "statements": ("statement", "claim", "진술"),
    "reference": ("reference", "expected", "ground_truth", "정답", "모범"),
    "contexts": ("context", "passage", "document", "문맥", "안내문", "지문"),
    "question": ("question", "user_input", "input", "질문"),
    "answer": ("answer", "output", "response", "candidate", "답변", "출력"),
}
_TURN = re.compile(r"turn-\d+-(user|assistant|tool)")
_TURNS = {"user": "asked", "assistant": "said", "tool": "returned"}


@dataclass(slots=True)
class JudgePrompt:
    """The schema of the reply (None: none was found) and the texts under the words of `_LABELS`.

    Of a dialogue the turns are `asked`, `said` and `returned`; where nothing else is the question or the answer, the
    last ones are. `task` is what the last message says outside the fences.
    """

    schema: Mapping[str, Any] | None
    texts: dict[str, list[str]] = field(default_factory=dict)
    task: str = ""

    def text(self, label: str) -> str:
        """The texts of one label as one; empty where there is none."""
        return "\n".join(self.texts.get(label, ()))


def read(messages: tuple[tuple[str, str], ...], schema: Mapping[str, Any] | None) -> JudgePrompt:
    """Read a judge's prompt; `schema` is the one that came beside it, if any."""
    prompt = "\n\n".join(text for _, text in messages)
    fenced = list(_fenced(prompt))
    inputs = [] if fenced else list(_RAGAS_INPUT.finditer(prompt))
    found = JudgePrompt(schema or _pasted_schema(prompt, first=bool(inputs)), task=_outside(messages, prompt))
    ragas = _object_at(prompt, inputs[-1].end()) if inputs else None
    if ragas is not None:
        labelled = [(key, str(text)) for key, value in ragas.items() for text in _listed(value)]
    else:
        labelled = fenced or list(_under_headings(prompt))
    for label, text in labelled:
        name = _label(label)
        if name is not None:
            found.texts.setdefault(name, []).append(text.strip())
    for name, turns in (("question", "asked"), ("answer", "said")):
        if turns in found.texts:
            found.texts.setdefault(name, found.texts[turns][-1:])
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _label(words: str) -> str | None:
    if turn := _TURN.fullmatch(words):
        return _TURNS[turn.group(1)]
    return next((name for name, marks in _LABELS.items() if any(mark in words.lower() for mark in marks)), None)


def _pasted_schema(prompt: str, *, first: bool) -> Mapping[str, Any] | None:
    """The JSON schema in the prompt. Ours stands at its very end, ragas puts it before the texts."""
    marks = [match.end() for match in _SCHEMA_MARK.finditer(prompt)]
    found = [value for at in marks if (value := _object_at(prompt, at)) is not None and "properties" in value]
    return (found[0] if first else found[-1]) if found else None


def _object_at(text: str, at: int) -> dict[str, Any] | None:
    try:
        value, _ = _DECODER.raw_decode(text, at)
    except (json.JSONDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _fenced(prompt: str) -> Iterator[tuple[str, str]]:
    """(label, text) of each text between `<label-mark>` and `</label-mark>`, each on a line of its own.

    The mark is the first one told, in the judge's rules, which stand before every text: a text cannot
    know it, so whatever looks like a fence inside a text is a part of that text.
    """
    if (fence := _fence(prompt)) is not None:
        for match in fence.finditer(prompt):
            yield match.group(1), match.group(2)


def _fence(prompt: str) -> re.Pattern[str] | None:
    told = _MARK.search(prompt)
    if told is None:
        return None
    mark = told.group(1)
    return re.compile(rf"^<([\w-]+)-{mark}>\n(.*?)\n?^</\1-{mark}>$", re.DOTALL | re.MULTILINE)


def _outside(messages: tuple[tuple[str, str], ...], prompt: str) -> str:
    """The last message without its fenced texts."""
    fence, last = _fence(prompt), messages[-1][1]
    return last if fence is None else fence.sub("", last)


def _under_headings(prompt: str) -> Iterator[tuple[str, str]]:
    """(heading, text) of each heading of a known label, up to the next such heading or label line."""
    label, body = "", list[str]()
    for line in prompt.splitlines():
        heading = _HEADING.match(line)
        named = heading.group(1) if heading else ""
        if named and _label(named):
            if label:
                yield label, "\n".join(body)
            label, body = named, []
        else:
            body.append(line)
    if label:
        yield label, "\n".join(body)
