"""A Sample: one case of a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from haetae.core.canonical import Json, digest_of_text, encoded

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool: its name and its arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> Json:
        return {"name": self.name, "arguments": dict(self.arguments)}


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that goes with a turn: a file inside the dataset's folder, fixed by its content.

    `path` is relative to that folder, with forward slashes; `sha256` is of the file's bytes, in hex.
    `folder` is where the file can be read, None for an image of which only the record is left.
    """

    path: str
    sha256: str
    media_type: str
    folder: Path | None = field(default=None, compare=False)

    def as_json(self) -> Json:
        return {"path": self.path, "sha256": self.sha256, "media_type": self.media_type}


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat, with the pictures shown and the tools called in it."""

    role: Role
    content: str
    images: tuple[Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()

    def as_json(self) -> Json:
        """The turn as one JSON object; absent parts are left out."""
        out: dict[str, Json] = {"role": self.role, "content": self.content}
        if self.images:
            out["images"] = [image.as_json() for image in self.images]
        if self.tool_calls:
            out["tool_calls"] = [call.as_json() for call in self.tool_calls]
        return out


def showing(images: tuple[Image, ...], turns: Sequence[Message]) -> tuple[Message, ...]:
    """The chat with these pictures in its last user turn. Raises ValueError where it has none to show them in."""
    if not images:
        return tuple(turns)
    last = max((place for place, turn in enumerate(turns) if turn.role == "user"), default=None)
    if last is None:
        raise ValueError("no user turn in which the sample's pictures could be shown")
    return (*turns[:last], replace(turns[last], images=(*turns[last].images, *images)), *turns[last + 1 :])


def message_from_json(value: Json, folder: Path | None = None) -> Message:
    """Read back what `Message.as_json` wrote; `folder` is where its images can be read."""
    return Message(
        value["role"],
        value["content"],
        tuple(Image(i["path"], i["sha256"], i["media_type"], folder) for i in value.get("images", ())),
        tool_calls_from_json(value.get("tool_calls")) or (),
    )


def tool_calls_from_json(value: Json) -> tuple[ToolCall, ...] | None:
    """Read back a list of what `ToolCall.as_json` wrote; None for none."""
    return None if value is None else tuple(ToolCall(call["name"], call["arguments"]) for call in value)


class Sample(Struct, frozen=True, dict=True):
    """One case: what is asked, what a good answer is, and the slices it belongs to.

    `id` is unique within its dataset. `input` is a text or a chat. `references` are alternative good
    answers. `contexts` are the passages given with the question (None: the target retrieves its own);
    `reference_contexts` are the passages that a retriever should find. `relevant` names them by id
    instead, each with its grade (0 or more; 1 where relevance is yes or no). `tool_calls` are the calls
    that should be made, in order. `metadata` names the slices (`language: ko`) and the clusters
    (`document: refund-policy`).
    """

    id: str
    input: str | tuple[Message, ...]
    references: tuple[str, ...] = ()
    contexts: tuple[str, ...] | None = None
    reference_contexts: tuple[str, ...] | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    metadata: Mapping[str, Json] = {}
    relevant: Mapping[str, int] | None = None

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

    @property
    def images(self) -> tuple[Image, ...]:
        """The pictures of all turns, in order."""
        return () if isinstance(self.input, str) else tuple(image for turn in self.input for image in turn.images)

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
        if self.relevant is not None:
            out["relevant"] = dict(self.relevant)
        if self.tool_calls is not None:
            out["tool_calls"] = [call.as_json() for call in self.tool_calls]
        if self.metadata:
            out["metadata"] = dict(self.metadata)
        return out

    @cached_property
    def canonical(self) -> bytes:
        """The canonical JSON text of all the sample's content."""
        return encoded(self.as_json())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all the sample's content."""
        return digest_of_text(self.canonical)


def sample_from_json(value: Json, folder: Path | None = None) -> Sample:
    """Read back what `Sample.as_json` wrote (trusted data; files are checked in `haetae.catalog`).

    `folder` is where the images of its turns can be read.
    """
    text, get = value["input"], value.get
    return Sample(
        value["id"],
        text if isinstance(text, str) else tuple(message_from_json(turn, folder) for turn in text),
        tuple(get("references", ())),
        _texts(get("contexts")),
        _texts(get("reference_contexts")),
        tool_calls_from_json(get("tool_calls")),
        get("metadata", {}),
        get("relevant"),
    )


def sample_from_canonical(value: Json, folder: Path | None = None) -> Sample:
    """A sample of exactly what `Sample.as_json` writes: its canonical text is made of that, and not made up again."""
    made = sample_from_json(value, folder)
    made.__dict__["canonical"] = encoded(value)
    return made


def _texts(value: Json) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)
