"""The character n-gram model: its probabilities, and its log-probabilities on the wire."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haetae.demo.ngram import SCALARS, TOP, CharacterModel


def fixed(seed: int) -> Random:
    return Random(seed)  # noqa: S311  # a test that repeats


CORPUS = ["abracadabra", "배송은 내일 시작됩니다. 배송비는 없습니다.", "The cat sat on the mat."]
MODEL = CharacterModel(CORPUS)
SEEN = sorted(set("".join(CORPUS)))


@given(st.text(max_size=8))
def test_the_probabilities_after_any_history_add_up_to_one(history: str) -> None:
    seen = math.fsum(math.exp(MODEL.logprob(history, character)) for character in SEEN)
    unseen = math.exp(MODEL.logprob(history, "\u0001")) * (SCALARS - len(SEEN))
    assert seen + unseen == pytest.approx(1.0)


def test_a_probability_worked_out_by_hand() -> None:
    # order 2 over "aab". After "a": followers a, b, once each. Unigrams: a 2, b 1 of 3, two kinds.
    # P(a) = (2 + 2/SCALARS) / 5;  P(a|a) = (1 + 2 P(a)) / 4   (Witten-Bell, interpolated)
    model = CharacterModel(["aab"], order=2)
    unigram = (2 + 2 / SCALARS) / 5
    assert model.logprob("", "a") == pytest.approx(math.log(unigram))
    assert model.logprob("a", "a") == pytest.approx(math.log((1 + 2 * unigram) / 4))


@given(st.text(alphabet=SEEN, max_size=8), st.integers(1, TOP))
def test_the_likeliest_characters_are_those_of_a_full_search(history: str, count: int) -> None:
    every = sorted((-MODEL.logprob(history, character), character) for character in SEEN)[:count]
    found = MODEL.top(history, count)
    assert [logprob for _, logprob in found] == pytest.approx([-cost for cost, _ in every])


def test_a_text_like_the_corpus_is_likelier_than_noise() -> None:
    assert sum(MODEL.score("배송은 내일")) > sum(MODEL.score("뷁쾙 꿿뀂"))
    assert sum(MODEL.score("the cat")) > sum(MODEL.score("xqz jvk"))


def test_generation_is_fixed_by_its_randomness() -> None:
    assert MODEL.generate("The ", 20, 1.0, fixed(1)) == MODEL.generate("The ", 20, 1.0, fixed(1))
    assert MODEL.generate("abra", 4, 0.0, fixed(1)) == MODEL.generate("abra", 4, 0.0, fixed(2))


def test_echo_gives_the_models_own_score_of_the_prompt(talk: Any) -> None:
    prompt = "배송은 the cat\n🐘 끝"
    body = {"model": "ngram-lm", "prompt": prompt, "max_tokens": 0, "echo": True, "logprobs": 1}
    [(status, reply)] = talk(("/completions", body), corpus=CORPUS)
    shown = reply["choices"][0]["logprobs"]
    assert status == 200
    assert "".join(shown["tokens"]) == prompt == reply["choices"][0]["text"]
    assert shown["token_logprobs"][0] is None
    assert sum(shown["token_logprobs"][1:]) == pytest.approx(sum(MODEL.score(prompt)[1:]))
    assert shown["text_offset"] == list(range(len(prompt)))
    assert reply["usage"]["prompt_tokens"] == len(shown["tokens"])
    assert all(max(place.values()) >= logprob for place, logprob in zip(
        shown["top_logprobs"][1:], shown["token_logprobs"][1:], strict=True
    ))  # fmt: skip


def test_a_completion_without_echo_continues_each_prompt(talk: Any) -> None:
    body = {"model": "ngram-lm", "prompt": ["abra", "The "], "max_tokens": 5, "temperature": 0, "logprobs": 0, "n": 2}
    [(_, reply)] = talk(("/completions", body), corpus=CORPUS)
    assert [len(choice["text"]) for choice in reply["choices"]] == [5, 5, 5, 5]
    first = reply["choices"][0]
    assert first["logprobs"]["token_logprobs"][0] == pytest.approx(MODEL.logprob("abra", first["text"][0]))
    assert first["logprobs"]["top_logprobs"] is None
    assert reply["usage"] == {"prompt_tokens": 8, "completion_tokens": 20, "total_tokens": 28}


def test_a_chat_shows_the_log_probabilities_of_what_it_wrote(talk: Any) -> None:
    body = {
        "model": "ngram-lm",
        "messages": [{"role": "user", "content": "abra"}],
        "max_tokens": 3,
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": 4,
    }
    [(_, reply)] = talk(("/chat/completions", body), corpus=CORPUS)
    choice = reply["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    assert choice["finish_reason"] == "length"
    for token in tokens:
        assert len(token["top_logprobs"]) == 4
        assert token["top_logprobs"][0]["token"] == token["token"]
        assert bytes(token["bytes"]).decode() == token["token"]
