"""What endpoints answer when they are asked how probable a text is; none of it becomes a perfect score."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from haetae.core.generation import Failure, Usage
from haetae.core.model import Likelihood
from haetae.core.reasons import RETRIED
from haetae.targets.wire import Price

Asked = Callable[..., list[Any]]
VLLM = {"parameters": {}, "likelihood": "prompt_logprobs"}
PIECES = ["Seoul", " is", " old"]
TEXT = "Seoul is old"
FAIR = [None, -1.5, -2.0]


def echoed(values: Any, pieces: Any = PIECES, prompt_tokens: int | None = 3) -> Any:
    usage = {} if prompt_tokens is None else {"usage": {"prompt_tokens": prompt_tokens, "completion_tokens": 0}}
    return {"choices": [{"text": "", "logprobs": {"tokens": pieces, "token_logprobs": values}}], **usage}


def placed(*places: Any, ids: Any = (7, 8, 9)) -> Any:
    choice = {"prompt_logprobs": list(places), "prompt_token_ids": list(ids) if ids else None}
    return {"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}


def place(token: int, logprob: float, piece: str, **others: float) -> Any:
    told = {str(token): {"logprob": logprob, "rank": 5, "decoded_token": piece}}
    return {**{name: {"logprob": p, "rank": 1, "decoded_token": "?"} for name, p in others.items()}, **told}


def _of(asked: Asked, body: Any, text: str = TEXT, prompt: str = "", status: int = 200, **options: Any) -> Any:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=json.dumps(body), status=status, content_type="application/json")

    (found,) = asked(handler, lambda it: it.likelihood(text, prompt=prompt), **options)
    return found


def test_echo_gives_every_token_but_the_first(asked: Asked, recording: Any, bodies: list[Any]) -> None:
    handler = recording(lambda body: web.json_response({**echoed(FAIR), "model": "m-1"}))
    price = Price(1.0, 2.0)
    fingerprint = {"parameters": {"temperature": 0.7}}
    (found,) = asked(handler, lambda it: it.likelihood(TEXT), fingerprint=fingerprint, price=price)
    assert found == Likelihood((-1.5, -2.0), 3, Usage(input=3), 3e-6, "m-1")
    assert bodies == [{"model": "m", "prompt": TEXT, "max_tokens": 0, "echo": True, "logprobs": 1}]


def test_a_bos_that_the_endpoint_puts_itself_is_not_a_token_of_the_text(asked: Asked) -> None:
    found = _of(asked, echoed([None, -3.0, -1.5, -2.0], ["<s>", *PIECES], 4))
    assert (found.logprobs, found.tokens) == ((-3.0, -1.5, -2.0), 3)


def test_a_declared_bos_is_sent_before_the_text(asked: Asked, recording: Any, bodies: list[Any]) -> None:
    handler = recording(lambda body: web.json_response(echoed([None, -3.0, -1.5, -2.0], ["<s>", *PIECES], 4)))
    (found,) = asked(handler, lambda it: it.likelihood(TEXT), fingerprint={"parameters": {}, "bos": "<s>"})
    assert bodies[0]["prompt"] == "<s>" + TEXT
    assert (found.logprobs, found.tokens) == ((-3.0, -1.5, -2.0), 3)


@pytest.mark.parametrize(
    ("pieces", "values"),
    [
        (["<", "s", ">", *PIECES], [None, -1.0, -1.0, -3.0, -1.5, -2.0]),
        (["<s>", "<s>", *PIECES], [None, -0.1, -3.0, -1.5, -2.0]),
    ],
    ids=["split", "put twice"],
)
def test_a_declared_bos_that_is_not_read_as_one_token_is_refused(pieces: Any, values: Any, asked: Asked) -> None:
    found = _of(asked, echoed(values, pieces, len(pieces)), fingerprint={"parameters": {}, "bos": "<s>"})
    assert found.reason == "no_logprobs"
    assert "mend bos" in found.message


def test_vllm_is_asked_for_the_texts_own_tokens_not_for_the_likeliest(
    asked: Asked, recording: Any, bodies: list[Any]
) -> None:
    likelier = {"40": -0.01}
    answer = placed(None, place(8, -1.5, " is", **likelier), place(9, -2.0, " old", **likelier))
    (found,) = asked(
        recording(lambda body: web.json_response(answer)), lambda it: it.likelihood(TEXT), fingerprint=VLLM
    )
    assert (found.logprobs, found.tokens) == ((-1.5, -2.0), 3)
    assert bodies[0] == {"model": "m", "prompt": TEXT, "max_tokens": 1, "prompt_logprobs": 1, "return_token_ids": True}


def test_after_a_prompt_only_the_texts_tokens_count(asked: Asked) -> None:
    found = _of(asked, echoed(FAIR), text=" old", prompt="Seoul is")
    assert (found.logprobs, found.tokens) == ((-2.0,), 1)


def test_a_token_over_the_boundary_is_the_texts(asked: Asked) -> None:
    found = _of(asked, echoed(FAIR), text="old", prompt="Seoul is ")
    assert (found.logprobs, found.tokens) == ((-2.0,), 1)


def test_parts_of_a_character_that_show_no_text_are_counted_with_it(asked: Asked) -> None:
    pieces = ["Q", "", "", "한"]  # three bytes of one syllable
    found = _of(asked, echoed([None, -1.0, -2.0, -3.0], pieces, 4), text="한", prompt="Q")
    assert (found.logprobs, found.tokens) == ((-1.0, -2.0, -3.0), 3)


def test_where_pieces_do_not_spell_the_text_the_prompt_is_asked_for_alone(
    asked: Asked, recording: Any, bodies: list[Any]
) -> None:
    def answer(body: Any) -> web.Response:
        pieces = ["�", "�", "글", "!"] if body["prompt"] == "한글!" else ["�", "�", "글"]
        return web.json_response(echoed([None, -1.0, -2.0, -3.0][: len(pieces)], pieces, len(pieces)))

    (found,) = asked(recording(answer), lambda it: it.likelihood("!", prompt="한글"), price=Price(1.0, 1.0))
    assert [body["prompt"] for body in bodies] == ["한글!", "한글"]
    assert found.logprobs == (-3.0,)
    assert (found.usage, found.cost_usd) == (Usage(input=7), pytest.approx(7e-6))


def test_a_boundary_that_cannot_be_told_is_refused(asked: Asked, recording: Any) -> None:
    def answer(body: Any) -> web.Response:
        pieces = ["�", "�", "글!"] if body["prompt"] == "한글!" else ["�", "�", "글"]
        return web.json_response(echoed(FAIR, pieces))

    (found,) = asked(recording(answer), lambda it: it.likelihood("!", prompt="한글"))
    assert found.reason == "no_logprobs"
    assert "let the prompt end with a line break" in found.message


def test_what_an_endpoint_writes_of_its_own_is_not_the_text(asked: Asked) -> None:
    found = _of(asked, echoed([*FAIR, -0.25], [*PIECES, "er"]))
    assert (found.logprobs, found.tokens) == ((-1.5, -2.0), 3)


LIES: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "no logprobs at all": ({"choices": [{"text": TEXT, "logprobs": None}]}, "ignores echo", {}),
    "logprobs of what it wrote": (echoed([-0.1], ["!"], 3), "of 1 tokens where the text has 3", {}),
    "one null": (echoed([None], ["Seoul"], 3), "of 1 tokens where the text has 3", {}),
    "all zero": (echoed([None, 0.0, 0.0]), "exactly 0", {}),
    "all zero, the first as well": (echoed([0.0, 0.0, 0.0]), "gave the first token", {}),
    "a first token with a probability": (echoed([-0.5, -1.5, -2.0]), "gave the first token", {}),
    "a hole": (echoed([None, None, -2.0]), "no log probability of token 1", {}),
    "above 1": (echoed([None, -1.5, 0.2]), "a probability above 1", {}),
    "a floor for minus infinity": (echoed([None, -9999.0, -2.0]), "minus infinity", {}),
    "not a number": (echoed([None, float("nan"), -2.0]), "not a number", {}),
    "text for a number": (echoed([None, "-1.5", -2.0]), "not a number", {}),
    "yes for a number": (echoed([None, True, -2.0]), "not a number", {}),
    "fewer tokens than numbers": (echoed(FAIR, ["Seoul"]), "without one token for each", {}),
    "no tokens": (echoed(FAIR, None), "without one token for each", {}),
    "another text, uncounted": (echoed(FAIR, ["Seoul", " was", " old"], None), "which tokens are the text's", {}),
    "no prompt_logprobs": ({"choices": [{"text": "x"}]}, "it is not vLLM", {"fingerprint": VLLM}),
    "prompt_logprobs without ids": (
        placed(None, None, None, ids=None),
        "without prompt_token_ids",
        {"fingerprint": VLLM},
    ),
    "prompt_logprobs of other tokens": (
        placed(None, {"40": {"logprob": -0.1}}, {"41": {"logprob": -0.1}}),
        "lack the text's own token 8",
        {"fingerprint": VLLM},
    ),
    "prompt_logprobs that are null": (placed(None, None, None), "no log probability of token 1", {"fingerprint": VLLM}),
}


@pytest.mark.parametrize("name", LIES)
def test_an_answer_that_cannot_be_true_is_a_failure_with_its_own_words(name: str, asked: Asked) -> None:
    body, why, options = LIES[name]
    found = _of(asked, body, **options)
    assert isinstance(found, Failure)
    assert found.reason == "no_logprobs"
    assert why in found.message
    assert found.reason not in RETRIED
    assert not found.fatal


@pytest.mark.parametrize(
    ("pieces", "prompt_tokens"),
    [([" is", " old"], 2), (["Seoul", " is"], 2), (["<s>", " is", " old"], 3)],
    ids=["its beginning cut off", "its end", "after a BOS"],
)
def test_a_text_that_was_cut_is_not_scored_as_if_it_were_whole(
    pieces: list[str], prompt_tokens: int, asked: Asked
) -> None:
    found = _of(asked, echoed([None, -1.0, -2.0][:prompt_tokens], pieces, prompt_tokens))
    assert found.reason == "context_too_long"
    assert "of 12 characters" in found.message


@pytest.mark.parametrize("pieces", [PIECES, ["Seoul", " is"]], ids=["a lie", "a cut text"])
def test_what_cannot_be_used_is_paid_for_all_the_same(pieces: list[str], asked: Asked) -> None:
    values = [None, 0.0, 0.0] if pieces is PIECES else [None, -1.0]
    found = _of(asked, echoed(values, pieces, len(pieces)), price=Price(1.0, 1.0))
    assert isinstance(found, Failure)
    assert (found.usage, found.cost_usd) == (Usage(input=len(pieces)), pytest.approx(len(pieces) * 1e-6))


@pytest.mark.parametrize("number", ["1" + "0" * 400, "-1e999"])
def test_a_number_that_no_float_holds_is_no_log_probability(number: str, asked: Asked) -> None:
    async def handler(request: web.Request) -> web.Response:
        text = json.dumps(echoed([None, -123.5, -2.0])).replace("-123.5", number)
        return web.Response(text=text, content_type="application/json")

    (found,) = asked(handler, lambda it: it.likelihood(TEXT))
    assert found.reason in ("no_logprobs", "malformed_response")


@pytest.mark.parametrize(("status", "fatal"), [(404, True), (405, False), (400, False), (422, False), (501, False)])
def test_an_endpoint_that_only_chats_says_so(status: int, fatal: bool, asked: Asked) -> None:
    found = _of(asked, {"error": {"message": "This is a chat model"}}, status=status)
    assert (found.reason, found.fatal) == ("no_logprobs", fatal)
    assert "asked of /completions" in found.message
    assert "This is a chat model" in found.message


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "request_rejected"), (429, "rate_limited"), (500, "server_error")]
)
def test_a_wrong_key_and_the_weather_keep_their_reasons(status: int, reason: str, asked: Asked) -> None:
    assert _of(asked, {"error": "no"}, status=status).reason == reason


def test_a_page_instead_of_an_answer_is_malformed(asked: Asked) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="<html>", content_type="text/html")

    (found,) = asked(handler, lambda it: it.likelihood(TEXT))
    assert found.reason == "malformed_response"
