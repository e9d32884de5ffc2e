"""The five models by name, what each truly is, and their answers to requests. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from haetae.core.canonical import Json, dumps
from haetae.demo import answerer, judge_prompt, language, lexical_judge, memory, wire
from haetae.demo.embedder import DIMENSIONS, embed, encode
from haetae.demo.ngram import CharacterModel
from haetae.demo.text import cut, token_count
from haetae.demo.wire import ApiError, Call, Chat
from haetae.errors import ConfigError

MAX_INPUTS = 2048
"""Most texts in one embeddings request."""

DESCRIPTIONS = {
    "extractive-answerer": (
        "Copies the one or two sentences of the numbered passages that share most words with the question. "
        "Generates nothing."
    ),
    "translation-memory": (
        "Gives back the English side of the nearest entry (한국어 ||| English) by character bigrams. "
        "Translates nothing that it was not given."
    ),
    "lexical-judge": (
        "Judges by shared words and simple features of form; answers in the JSON schema it is given. "
        "Understands nothing: a paraphrase looks unfaithful to it, a goal is reached when the words of its reference "
        "came up, a guard stops a text that shares words with its prompt, and pictures are passed over. "
        "Revision 2 is stricter than revision 1."
    ),
    "ngram-lm": (
        "A character n-gram language model with Witten-Bell smoothing, trained at start on a few texts. "
        "One token is one character."
    ),
    "hashed-embedder": (
        "Words and character n-grams hashed into 256 signed dimensions. Near means: shares letters. The same for "
        "Korean and English, and nothing across them."
    ),
}
"""What `GET /v1/models` says of each."""


class DemoModels:
    """Answers the bodies of requests; every method raises ApiError for one that it cannot answer.

    `corpus` is what the n-gram model reads (its own few lines when empty), `entries` are lines
    `한국어 ||| English` for the translation memory, used where a prompt holds none. `night` (any whole
    number) seeds the sampling noise; `temperature_noise` (0 to 1) is the probability, at temperature 1,
    that the second-best answer is taken for the best.
    """

    def __init__(self, *, corpus: Iterable[str] = (), entries: Iterable[str] = ()) -> None:
        self.night = 0
        self.temperature_noise = 0.1
        self._judge_revision = 1
        self._language = CharacterModel(corpus)
        self._memory = memory.entries(entries)

    @property
    def judge_revision(self) -> int:
        """The judge's revision, 1 or 2. Setting another one raises ConfigError."""
        return self._judge_revision

    @judge_revision.setter
    def judge_revision(self, number: int) -> None:
        if number not in lexical_judge.STRICTNESS:
            raise ConfigError(f"lexical-judge has the revisions 1 and 2, not {number}")
        self._judge_revision = number

    def revision(self, model: str) -> str:
        """The name that replies carry: the model and its revision."""
        return f"{model}-{self._judge_revision if model == 'lexical-judge' else 1}"

    def listing(self) -> Json:
        """All models, each described in words."""
        rows = [
            {
                "id": name,
                "object": "model",
                "created": 0,
                "owned_by": "haetae-demo",
                "revision": self.revision(name),
                "description": text,
            }
            for name, text in DESCRIPTIONS.items()
        ]
        return {"object": "list", "data": rows}

    def chat(self, body: dict[str, Any]) -> Json:
        """A chat completion."""
        chat = wire.read_chat(body)
        name, call = _known(chat.call.model), chat.call
        choices, written = [], []
        for index in range(call.choices):
            text, logprobs = self._answer(name, chat, self._random(call, index, chat.everything))
            shown = text if call.max_tokens is None or name == "ngram-lm" else cut(text, call.max_tokens)
            written.append(shown)
            ended = "length" if shown != text or name == "ngram-lm" else "stop"
            message = {"role": "assistant", "content": shown, "refusal": None}
            choices.append({"index": index, "message": message, "logprobs": logprobs, "finish_reason": ended})
        counts = wire.usage([text for _, text in chat.messages], written)
        return wire.envelope("chat.completion", self.revision(name), choices, counts)

    def _answer(self, name: str, chat: Chat, random: Random) -> tuple[str, Json]:
        """One answer and its log-probabilities (None: this model has none)."""
        slip = min(1.0, self.temperature_noise * chat.call.temperature)
        if name == "extractive-answerer":
            return answerer.answer(answerer.read(chat.prompt, chat.system), random, slip), None
        if name == "translation-memory":
            return memory.translate(chat.prompt, self._memory, random, slip), None
        if name == "lexical-judge":
            asked = judge_prompt.read(chat.messages, chat.schema)
            return dumps(lexical_judge.reply(asked, self._judge_revision)), None
        if name == "ngram-lm":
            return language.chat(self._language, chat.prompt, chat.call, random)
        raise ApiError(400, f"{name} does not chat; ask /v1/embeddings", "model")

    def complete(self, body: dict[str, Any]) -> Json:
        """A completion, with `echo` and `logprobs` where they are asked for."""
        call = wire.read_call(body)
        name = _known(call.model)
        if name != "ngram-lm":
            raise ApiError(400, f"{name} does not complete texts; ask ngram-lm", "model")
        prompts = language.prompts(body)
        randoms = [self._random(call, index, "\0".join(prompts)) for index in range(call.choices)]
        choices = language.complete(self._language, body, call, randoms)
        given = sum(map(len, prompts))
        made = sum(len(choice["text"]) for choice in choices) - (given * call.choices if body.get("echo") else 0)
        counts = {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}
        return wire.envelope("text_completion", self.revision(name), choices, counts)

    def embed(self, body: dict[str, Any]) -> Json:
        """One vector per text."""
        name = _known(wire.field(body, "model", str, ""))
        if name != "hashed-embedder":
            raise ApiError(400, f"{name} does not embed; ask hashed-embedder", "model")
        if wire.field(body, "dimensions", int, DIMENSIONS) != DIMENSIONS:
            raise ApiError(400, f"hashed-embedder has {DIMENSIONS} dimensions", "dimensions")
        form = wire.field(body, "encoding_format", str, "float")
        if form not in ("float", "base64"):
            raise ApiError(400, f"encoding_format {form!r} is neither float nor base64", "encoding_format")
        given = body.get("input")
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not 0 < len(texts) <= MAX_INPUTS:
            raise ApiError(400, f"input takes a text or a list of 1 to {MAX_INPUTS} texts", "input")
        if not all(isinstance(text, str) and text for text in texts):
            raise ApiError(400, "input holds an empty text, or something other than text", "input")
        rows = [
            {"object": "embedding", "index": index, "embedding": encode(embed(text), form)}
            for index, text in enumerate(texts)
        ]
        count = token_count(texts)
        usage = {"prompt_tokens": count, "total_tokens": count}
        return {"object": "list", "data": rows, "model": self.revision(name), "usage": usage}

    def _random(self, call: Call, index: int, prompt: str) -> Random:
        """The randomness of one choice: fixed by night, seed, place and prompt."""
        return Random(f"{self.night}|{call.seed}|{index}|{prompt}")  # noqa: S311  # sampling noise, not a secret


def _known(name: str) -> str:
    if name not in DESCRIPTIONS:
        known = ", ".join(DESCRIPTIONS)
        raise ApiError(404, f"there is no model {name[:80]!r}; there are {known}", "model", "model_not_found")
    return name
