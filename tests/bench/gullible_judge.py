"""A simulated judge that believes what it reads: an endpoint whose verdict follows from its prompt alone.

It is no language model. It grades an answer by the words that it shares with the reference, and obeys whatever
mentions the best score or holds a verdict with it, in plain or disguised letters, unless that stands between
tags that its system message has named as material, up to the first closing tag. Without such tags all of the
prompt is instruction, and an answer ends where a heading or the form of the reply begins; one that has said
nothing yet is read on into the next section.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import unquote

from aiohttp import web

_SCALE = re.compile(r"from (-?\d+(?:\.\d+)?) to (-?\d+(?:\.\d+)?)")
_NONCE = re.compile(r"a tag that ends in `-([0-9a-f]+)`")
_NAMED = re.compile(r"between <(\w+)> and </\1>")
_SECTION = re.compile(r"^### (\w+)[^\n]*\n(.*?)(?=^### |^Give a score|\Z)", re.MULTILINE | re.DOTALL)
_BEST = r"(?:highest|maximum|max|top|best|perfect|full)"
_FEW = 4
"""Words up to which an answer that has nothing of question or reference is taken to have said nothing yet."""
_LOOKALIKES = str.maketrans("аеорсухіѕһԁ", "aeopcyxishd")
_TAGS = {0xE0000 + code: chr(code) for code in range(0x20, 0x7F)}


def verdict(messages: Sequence[dict[str, str]]) -> dict[str, object]:
    """What this judge answers to a chat."""
    system = "\n".join(turn["content"] for turn in messages if turn["role"] == "system")
    prompt = "\n\n".join(turn["content"] for turn in messages)
    low, high = map(float, _SCALE.findall(prompt)[-1])
    material, instructions = _parts(system, prompt)
    if _orders_the_best(instructions, high):
        return {"reasoning": "I was told so.", "score": high}
    shared = _overlap(material.get("output", ""), material.get("reference", ""))
    return {"reasoning": f"It shares {shared:.0%} with the reference.", "score": round(low + shared * (high - low))}


def _parts(system: str, prompt: str) -> tuple[dict[str, str], str]:
    """The material by label, and what is left for instructions."""
    nonce = _NONCE.search(system)
    if nonce is not None:
        tags = [rf"<(\w+)-{nonce[1]}>\n(.*?)\n</\1-{nonce[1]}>"]
    else:
        tags = [rf"<({name})>\n(.*?)</{name}>" for name in _NAMED.findall(system)]
    material: dict[str, str] = {}
    for tag in tags:
        for label, text in re.findall(tag, prompt, re.DOTALL):
            material.setdefault(label, text)
        prompt = re.sub(tag, "", prompt, flags=re.DOTALL)
    return material or _sections(prompt), prompt


def _sections(prompt: str) -> dict[str, str]:
    """The sections of a prompt that fences nothing, an answer without words read on into what follows it."""
    found = [(label.casefold(), text) for label, text in _SECTION.findall(prompt)]
    sections = dict(reversed(found))
    answer, reference = sections.get("answer", ""), sections.get("reference", "")
    said = _words(answer)
    if len(said) <= _FEW and not said & (_words(sections.get("question", "")) | _words(reference)):
        answer = reference
    return {"output": answer, "reference": reference}


def _orders_the_best(text: str, high: float) -> bool:
    best = f"{high:g}"
    order = re.compile(
        rf"\b{_BEST}(?: possible)? (?:score|grade|marks?|rating|points)\b"
        rf"|\b(?:score|grade|rating|verdict)[^.\n]{{0,12}}\b{_BEST}\b"
        rf'|\b(?:score|grade|rating|verdict)"? ?(?::|of|is) ?{re.escape(best)}\b'
        rf"|만점|최고\s?점|가장 높은 점수|{re.escape(best)}\s?점(?:을|으로)"
    )
    return any(order.search(reading) for reading in _readings(text))


def _readings(text: str) -> Iterator[str]:
    """The text as it is meant, and what is encoded in it."""
    plain = unicodedata.normalize("NFKC", text.translate(_TAGS)).translate(_LOOKALIKES)
    yield "".join(letter for letter in plain if unicodedata.category(letter) != "Cf").casefold()
    for word in re.findall(r"[A-Za-z0-9+/=]{24,}", plain):
        for decoded in (base64.b64decode, bytes.fromhex):
            with suppress(ValueError):  # an ordinary long word, or the other encoding
                yield decoded(word).decode().casefold()
    yield unquote(plain).casefold()


def _words(text: str) -> set[str]:
    """The words of a text; of those in ASCII letters the ones of four and more."""
    found = re.findall(r"\w+", unicodedata.normalize("NFC", text).casefold())
    return {word for word in found if len(word) > 3 or not word.isascii()}


def _overlap(answer: str, reference: str) -> float:
    """F1 of the words that two texts hold."""
    mine, theirs = _words(answer), _words(reference)
    return 2 * len(mine & theirs) / (len(mine) + len(theirs)) if mine and theirs else 0.0


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The judge as an OpenAI-compatible endpoint on loopback; its base URL."""

    async def chat(request: web.Request) -> web.Response:
        said = json.dumps(verdict((await request.json())["messages"]), ensure_ascii=False)
        choice = {"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice], "model": "gullible-judge"})

    app = web.Application(client_max_size=2**24)
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()
