"""Chat turns as the OpenAI wire has them: a text, or parts where pictures are shown.

A picture is read when it is sent, in a thread, and goes as a `data:` URL; no address ever does.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.generation import Failure
from haetae.core.sample import Image, Message
from haetae.engine.pictures import UnreadablePicture, picture_of, picture_size


async def wired(messages: Sequence[Message]) -> list[Json] | Failure:
    """The turns to send, or a Failure for a picture that cannot be read or is not the one that was checked."""
    turns: list[Json] = []
    for message in messages:
        content: Json = message.content
        if message.images:
            content = [{"type": "text", "text": message.content}] if message.content else []
            for image in message.images:
                try:
                    url = await asyncio.to_thread(_data_url, image)
                except UnreadablePicture as exc:
                    return Failure(reasons.UNREADABLE_IMAGE, f"picture {image.path!r} {exc}", attempts=0)
                content.append({"type": "image_url", "image_url": {"url": url}})
        turns.append({"role": message.role, "content": content})
    return turns


def pictured(messages: Sequence[Message]) -> int:
    """Bytes of the pictures in the turns, before they are read; those that cannot be found count nothing."""
    return sum(picture_size(image) for message in messages for image in message.images)


def with_text(turn: Json, more: str) -> Json:
    """A turn with a further paragraph at the end of its text."""
    content = turn["content"]
    if isinstance(content, str):
        return {**turn, "content": f"{content}\n\n{more}"}
    return {**turn, "content": [*content, {"type": "text", "text": more}]}


def _data_url(image: Image) -> str:
    return f"data:{image.media_type};base64,{base64.b64encode(picture_of(image)).decode()}"
