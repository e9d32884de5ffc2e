"""One tiny model, asked in process, by `echo` and by `prompt_logprobs`: the same probabilities each way.

The server computes them text by text, with the tokenizer's own call and a softmax in float64; it shares no
code with what is tested.
"""

from __future__ import annotations

import asyncio
import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from haetae.core.clock import SystemClock
from haetae.core.local_spec import LocalSpec
from haetae.core.model import Likelihood
from haetae.targets.local import Local

TEXTS = [
    "The server answers every request.",
    "주문하신 상품은 내일 출고됩니다.",  # 내일 is in no merge: its syllables are bytes
    "A job waits",
    "한",
    "x",
    "  two spaces, a tab\tand a line\nbreak  ",
    "🙂 한글 and Latin, 漢字 too",
]
ROUTES = ["echo", "prompt_logprobs"]
END = "<|endoftext|>"


class Server:
    """Completions of a model in a folder, as OpenAI's servers and vLLM's tell them."""

    def __init__(self, folder: Path, *, whole_characters: bool = True) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder).eval()
        self._whole_characters = whole_characters
        self.prompts: list[str] = []

    async def __call__(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.prompts.append(body["prompt"])
        ids = self._tokenizer(body["prompt"], add_special_tokens=False).input_ids
        table = self._logprobs(ids)
        own = [None, *(table[n - 1][token] for n, token in enumerate(ids) if n)]
        pieces = self._pieces(ids)
        usage = {"prompt_tokens": len(ids), "completion_tokens": 0}
        if "echo" in body:
            told: Any = {"text": body["prompt"], "logprobs": {"tokens": pieces, "token_logprobs": own}}
        else:
            places: list[Any] = [None]
            for n in range(1, len(ids)):
                best = max(range(len(table[n - 1])), key=table[n - 1].__getitem__)
                entry = {str(best): {"logprob": table[n - 1][best], "rank": 1, "decoded_token": "?"}}
                entry[str(ids[n])] = {"logprob": own[n], "rank": 2, "decoded_token": pieces[n]}
                places.append(entry)
            told = {"text": "", "prompt_logprobs": places, "prompt_token_ids": ids}
        return web.json_response({"model": "tiny", "choices": [told], "usage": usage})

    def _logprobs(self, ids: Sequence[int]) -> list[list[float]]:
        import torch

        with torch.no_grad():
            logits = self._model(torch.tensor([ids])).logits[0].double()
        table: list[list[float]] = logits.log_softmax(-1).tolist()
        return table

    def _pieces(self, ids: Sequence[int]) -> list[str]:
        """Each token as text; a part of a character as "�", or as nothing until the last part shows all of it."""
        if not self._whole_characters:
            return [self._tokenizer.decode([token]) for token in ids]
        pieces: list[str] = []
        begin = 0
        for n in range(len(ids)):
            text = self._tokenizer.decode(ids[begin : n + 1])
            if text.endswith("�"):
                pieces.append("")
            else:
                pieces.append(text)
                begin = n + 1
        return pieces


@pytest.fixture(scope="module")
def server(tiny_lm: Path) -> Server:
    return Server(tiny_lm)


@pytest.fixture
def local(tiny_lm: Path) -> Callable[..., list[Likelihood]]:
    """local([(prompt, text), ...], **spec): what the model says in process, all asked at once."""

    def ask(pairs: Sequence[tuple[str, str]], folder: Path = tiny_lm, **spec: Any) -> list[Any]:
        window, stride = spec.get("window", 64), spec.get("stride", 32)

        async def work() -> list[Any]:
            made = LocalSpec(path="tiny", **spec)
            model = Local(folder, made, fingerprint={}, window=window, stride=stride, clock=SystemClock())
            try:
                return await asyncio.gather(*(model.likelihood(text, prompt=prompt) for prompt, text in pairs))
            finally:
                await model.aclose()

        return asyncio.run(work())

    return ask


def _asks(pairs: Sequence[tuple[str, str]]) -> list[Any]:
    return [lambda it, p=prompt, t=text: it.likelihood(t, prompt=p) for prompt, text in pairs]


def _same(found: Sequence[Likelihood], expected: Sequence[Likelihood]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
        assert one.tokens == other.tokens


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("bos", [END, None], ids=["with a BOS", "without"])
def test_every_route_gives_every_token_the_same_probability(
    route: str, bos: str | None, server: Server, local: Any, asked: Any
) -> None:
    pairs = [("", text) for text in TEXTS]
    fingerprint = {"parameters": {}, "likelihood": route, **({"bos": bos} if bos else {})}
    found = asked(server, *_asks(pairs), fingerprint=fingerprint)
    expected = local(pairs, bos=bos is not None)
    for one, other in zip(found, expected, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
        assert len(one.logprobs) == len(other.logprobs)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("whole", [True, False], ids=["pieces spell the text", "pieces hide parts of characters"])
def test_the_routes_agree_on_what_follows_a_prompt(
    route: str, whole: bool, tiny_lm: Path, local: Any, asked: Any
) -> None:
    pairs = [("How?\n", TEXTS[0]), ("언제 오나요?\n", TEXTS[1]), ("값은?\n", "한"), ("Q: x\nA:", " y")]
    server = Server(tiny_lm, whole_characters=whole)
    fingerprint = {"parameters": {}, "likelihood": route, "bos": END}
    _same(asked(server, *_asks(pairs), fingerprint=fingerprint), local(pairs))


def test_a_token_over_the_boundary_is_the_texts_on_every_route(server: Server, local: Any, asked: Any) -> None:
    pairs = [("The server ", "answers"), ("A job w", "aits")]
    expected = local(pairs)
    assert [found.tokens for found in expected] == [1, 2]
    for route in ROUTES:
        _same(asked(server, *_asks(pairs), fingerprint={"parameters": {}, "likelihood": route, "bos": END}), expected)


def test_a_conditional_likelihood_is_the_joint_less_the_prompts(local: Any) -> None:
    prompt, text = "언제 오나요?\n", "A job waits in its queue."
    after, joint, before = local([(prompt, text), ("", prompt + text), ("", prompt)])
    assert sum(after.logprobs) == pytest.approx(sum(joint.logprobs) - sum(before.logprobs), abs=1e-4)
    assert after.tokens == joint.tokens - before.tokens


def test_neither_company_nor_its_length_changes_a_text(local: Any) -> None:  # MET-05
    pairs = [("", text) for text in TEXTS]
    together = local(pairs)
    alone = [local([pair])[0] for pair in pairs]
    _same(together, alone)
    _same(local(pairs, batch_tokens=1), alone)
    _same(local([*pairs, ("", TEXTS[0] * 3)])[:-1], alone)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_side_on_which_a_tokenizer_pads_changes_nothing(
    side: str, tiny_lm: Path, tmp_path: Path, local: Any
) -> None:
    folder = shutil.copytree(tiny_lm, tmp_path / "padding")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "padding_side": side, "model_max_length": 4}))
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    pairs = [("", text) for text in TEXTS]
    _same(local(pairs, folder), local(pairs))


def test_a_tokenizer_without_a_bos_scores_all_but_the_first_token(
    tiny_lm: Path, tmp_path: Path, local: Any
) -> None:  # MET-05
    folder = shutil.copytree(tiny_lm, tmp_path / "plain")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    del config["bos_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    pairs = [("", "x"), ("", TEXTS[0])]
    found = local(pairs, folder)
    assert (found[0].logprobs, found[0].tokens) == ((), 1)
    assert len(found[1].logprobs) == found[1].tokens - 1
    _same(found, local(pairs, bos=False))


@pytest.mark.parametrize("stride", [1, 7, 32, 63])
def test_every_token_of_a_long_text_is_scored_once_whatever_the_stride(stride: int, local: Any) -> None:
    text = "A job waits in its queue until a worker takes it. " * 12
    found, bare = local([("", text)], stride=stride)[0], local([("", text)], stride=stride, bos=False)[0]
    assert len(found.logprobs) == found.tokens == bare.tokens == len(bare.logprobs) + 1
    assert found.tokens > 128
    short = local([("", text[:100])])[0]
    assert found.logprobs[:20] == pytest.approx(short.logprobs[:20], abs=1e-4)


def test_more_context_is_what_a_smaller_stride_gives(server: Server, local: Any) -> None:
    text = "The server answers every request that it accepts. " * 5
    ids = server._tokenizer(text, add_special_tokens=False).input_ids
    assert len(ids) < 62
    window = 16
    (found,) = local([("", text)], window=window, stride=1)
    rows = [0, *ids]
    for n in range(1, len(rows)):  # with a stride of 1 each token sees the window - 1 before it
        table = server._logprobs(rows[max(0, n + 1 - window) : n])
        assert found.logprobs[n - 1] == pytest.approx(table[-1][rows[n]], abs=1e-4)


def test_a_prompt_longer_than_the_window_costs_the_text_no_token(local: Any) -> None:
    prompt = "A job waits in its queue until a worker takes it. " * 12
    (found,) = local([(prompt, "한글")])
    assert len(found.logprobs) == found.tokens == 4


def test_what_looks_like_a_special_token_is_text(local: Any) -> None:
    marked, empty = local([("", f"a{END}b"), ("", "")])
    assert marked.tokens == len(f"a{END}b")
    assert (empty.logprobs, empty.tokens) == ((), 0)


def test_bits_of_korean_add_up_over_bytes(local: Any) -> None:
    (found,) = local([("", "한")])  # three bytes in two or three tokens, each of them scored
    assert found.tokens == len(found.logprobs) in (2, 3)
    assert -sum(found.logprobs) / math.log(2) / 3 > 0


def test_half_a_character_spoils_no_other_text(local: Any) -> None:  # DAT-11
    whole, half = local([("", TEXTS[0]), ("", "a\ud835b")])
    assert half.reason == "request_rejected"
    _same([whole], local([("", TEXTS[0])]))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_log_probabilities_are_computed_in_single_precision_from_numbers_of_half(dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: make torch")
    from haetae.targets.causal import _logprobs

    logits = torch.randn((40, 3_000), generator=torch.Generator().manual_seed(1)).mul(4).to(getattr(torch, dtype))
    following = torch.arange(40) * 70
    exact = torch.log_softmax(logits.double(), dim=-1)[torch.arange(40), following]
    found = _logprobs(logits, following)
    assert found.dtype == torch.float32
    assert float((found.double() - exact).abs().max()) < 1e-5  # half precision would be off by 0.005


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_near_and_is_finite(dtype: str, local: Any) -> None:
    pairs = [("", text) for text in TEXTS]
    for half, full in zip(local(pairs, dtype=dtype), local(pairs), strict=True):
        assert half.logprobs == pytest.approx(full.logprobs, abs=0.3)
        assert half.logprobs != full.logprobs
