"""Pictures are sent as content parts, the very bytes that were checked, and never as an address."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from haetae.core import reasons
from haetae.core.clock import SystemClock
from haetae.core.generation import Failure
from haetae.core.sample import Image, Message, Sample
from haetae.core.template import Prompt
from haetae.engine.budget import Meter
from haetae.errors import ConfigError
from haetae.targets.function import FunctionTarget
from haetae.targets.prompted import Prompted

Png = Callable[..., bytes]


@pytest.fixture
def cat(tmp_path: Path, png: Png) -> Image:
    (tmp_path / "cat.png").write_bytes(png())
    return Image("cat.png", hashlib.sha256(png()).hexdigest(), "image/png", tmp_path)


def url(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def test_a_turn_with_a_picture_goes_in_parts_and_others_as_text(
    asked: Any, recording: Any, bodies: list[Any], answered: Any, cat: Image, png: Png
) -> None:
    turns = [Message("system", "s"), Message("user", "무엇?", (cat,)), Message("user", "", (cat, cat))]
    (reply,) = asked(recording(lambda body: answered("고양이")), lambda it: it.chat(turns))
    assert reply.output == "고양이"
    picture = {"type": "image_url", "image_url": {"url": url(png())}}
    assert bodies[0]["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "무엇?"}, picture]},
        {"role": "user", "content": [picture, picture]},
    ]


def test_the_schema_is_told_in_a_part_of_its_own(
    asked: Any, recording: Any, bodies: list[Any], answered: Any, cat: Image
) -> None:
    def answer(body: Any) -> Any:
        if "response_format" in body:
            return web.json_response({"error": {"message": "response_format is not supported"}}, status=400)
        return answered("{}")

    asked(recording(answer), lambda it: it.chat([Message("user", "q", (cat,))], schema={"title": "t"}))
    *_, last = bodies
    assert [part["type"] for part in last["messages"][0]["content"]] == ["text", "image_url", "text"]
    assert "JSON schema" in last["messages"][0]["content"][2]["text"]


@pytest.mark.parametrize("what", ["another picture", "gone", "a link out", "too large", "no folder"])
def test_a_picture_that_is_not_the_one_that_was_checked_is_a_failure(
    asked: Any, recording: Any, bodies: list[Any], answered: Any, cat: Image, png: Png, what: str, tmp_path: Path
) -> None:
    file = tmp_path / "cat.png"
    if what == "another picture":
        file.write_bytes(png(7))
    elif what == "too large":
        file.write_bytes(png(padding=6 * 1024**2))
    elif what == "no folder":
        cat = replace(cat, folder=None)
    else:
        file.unlink()
    if what == "a link out":
        inner = tmp_path / "inner"
        inner.mkdir()
        (tmp_path / "moved.png").write_bytes(png())
        (inner / "cat.png").symlink_to(tmp_path / "moved.png")
        cat = replace(cat, folder=inner)
    (reply,) = asked(recording(lambda body: answered()), lambda it: it.chat([Message("user", "q", (cat,))]))
    assert isinstance(reply, Failure)
    assert (reply.reason, reply.fatal) == (reasons.UNREADABLE_IMAGE, False)
    assert "picture 'cat.png'" in reply.message
    assert bodies == []  # nothing was sent


def test_a_prompt_shows_the_pictures_in_its_last_user_turn(
    asked: Any, recording: Any, bodies: list[Any], answered: Any, cat: Image, png: Png
) -> None:
    prompt = Prompt.of("p", [{"role": "system", "content": "s"}, {"role": "user", "content": "{{ input }}"}])
    sample = Sample("a", (Message("user", "first", (cat,)), Message("assistant", "?"), Message("user", "what?")))

    async def ask(endpoint: Any) -> Any:
        target = Prompted(endpoint, prompt)
        request = target.request(sample)
        assert request[-1] == {"role": "user", "content": "what?", "images": [cat.as_json()]}
        return await target.generate(sample, request, 0)

    (reply,) = asked(recording(lambda body: answered("a cat")), ask)
    assert reply.output == "a cat"
    assert bodies[0]["messages"][1]["content"][1]["image_url"]["url"] == url(png())


def test_without_a_prompt_pictures_stay_in_their_turns(
    asked: Any, recording: Any, bodies: list[Any], answered: Any, cat: Image
) -> None:
    sample = Sample("a", (Message("user", "first", (cat,)), Message("assistant", "?"), Message("user", "what?")))

    async def ask(endpoint: Any) -> Any:
        target = Prompted(endpoint, None)
        return await target.generate(sample, target.request(sample), 0)

    asked(recording(lambda body: answered()), ask)
    assert [isinstance(turn["content"], list) for turn in bodies[0]["messages"]] == [True, False, False]


def test_a_prompt_without_a_user_turn_has_no_place_for_a_picture(cat: Image) -> None:
    prompt = Prompt.of("p.yaml", [{"role": "system", "content": "{{ input }}"}])
    sample = Sample("a", (Message("user", "q", (cat,)),))
    with pytest.raises(ConfigError, match="no user turn in which the sample's pictures could be shown"):
        Prompted(None, prompt).request(sample)  # type: ignore[arg-type]  # it is not asked


def test_a_function_finds_the_pictures_and_their_folder_in_the_sample(cat: Image, png: Png) -> None:
    def answer(sample: Sample, messages: Any) -> str:
        (image,) = sample.images
        assert messages[0]["images"] == [cat.as_json()]
        assert image.folder is not None
        return str((image.folder / image.path).read_bytes() == png())

    target = FunctionTarget(answer, "app:answer", SystemClock(), 5.0, Meter())
    sample = Sample("a", (Message("user", "q", (cat,)),))
    found = asyncio.run(target.generate(sample, target.request(sample), 0))
    assert getattr(found, "output", found) == "True"
