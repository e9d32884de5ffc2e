"""A Sample: one case of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from haetae.core.canonical import Json, digest

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Role
    content: str

    def as_json(self) -> Json:
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool: its name and its arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> Json:
        return {"name": self.name, "arguments": dict(self.arguments)}


@dataclass(frozen=True)
class Sample:
    """One case: what is asked, what a good answer is, and the slices it belongs to.

    `id` is unique within its dataset. `input` is a text or a chat. `references` are alternative good
    answers. `contexts` are the passages given with the question (None: the target retrieves its own);
    `reference_contexts` are the passages that a retriever should find. `metadata` names the slices
    (`language: ko`) and the clusters (`document: refund-policy`).
    """

    id: str
    input: str | tuple[Message, ...]
    references: tuple[str, ...] = ()
    contexts: tuple[str, ...] | None = None
    reference_contexts: tuple[str, ...] | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The question as one text: the input, or the last user turn of a chat."""
        if isinstance(self.input, str):
            return self.input
        turns = [message.content for message in self.input if message.role == "user"]
        return turns[-1] if turns else ""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The input as a chat."""
        return (Message("user", self.input),) if isinstance(self.input, str) else self.input

    def as_json(self) -> Json:
        """The sample as one JSON object; absent parts are left out. `sample_from_json` reads it back."""
        out: dict[str, Json] = {
            "id": self.id,
            "input": self.input if isinstance(self.input, str) else [m.as_json() for m in self.input],
        }
        if self.references:
            out["references"] = list(self.references)
        if self.contexts is not None:
            out["contexts"] = list(self.contexts)
        if self.reference_contexts is not None:
            out["reference_contexts"] = list(self.reference_contexts)
        if self.tool_calls is not None:
            out["tool_calls"] = [call.as_json() for call in self.tool_calls]
        if self.metadata:
            out["metadata"] = dict(self.metadata)
        return out

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all the sample's content."""
        return digest(self.as_json())


def sample_from_json(value: Json) -> Sample:
    """Read back what `Sample.as_json` wrote (trusted data; files are checked in `haetae.catalog`)."""
    text = value["input"]
    calls = value.get("tool_calls")
    return Sample(
        id=value["id"],
        input=text if isinstance(text, str) else tuple(Message(m["role"], m["content"]) for m in text),
        references=tuple(value.get("references", ())),
        contexts=_texts(value.get("contexts")),
        reference_contexts=_texts(value.get("reference_contexts")),
        tool_calls=None if calls is None else tuple(ToolCall(c["name"], c["arguments"]) for c in calls),
        metadata=value.get("metadata", {}),
    )


def _texts(value: Json) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)
