"""The extractive answerer and the translation memory, without a socket."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haetae.demo import memory
from haetae.demo.answerer import UNKNOWN_EN, UNKNOWN_KO, Asked, answer, read


def fixed() -> Random:
    return Random(0)  # noqa: S311  # a test that repeats


PROMPT = """### Passages
[1] The server listens on port 7420. Metrics are on port 7421.
[2] A token expires after 90 days. Revoke it with one command.

### Question
When does a token expire?"""
KOREAN = """### 안내문
[1] 배송은 결제 다음 날 시작됩니다. 제주도는 이틀이 더 걸립니다.
[2] 환불은 상품을 받은 날부터 7일 안에 신청할 수 있습니다. 환불금은 사흘 안에 입금됩니다.

### 질문
환불 신청은 며칠 안에 해야 하나요?"""


def test_it_copies_the_sentence_that_shares_most_with_the_question() -> None:
    assert answer(read(PROMPT), fixed()) == "A token expires after 90 days."


def test_korean_is_answered_by_the_same_lines() -> None:
    assert answer(read(KOREAN), fixed()).startswith("환불은 상품을 받은 날부터 7일 안에 신청할 수 있습니다.")


def test_passages_and_question_are_read_apart() -> None:
    asked = read(PROMPT)
    assert asked.question == "When does a token expire?"
    assert asked.passages == (
        "The server listens on port 7420. Metrics are on port 7421.",
        "A token expires after 90 days. Revoke it with one command.",
    )


@pytest.mark.parametrize(
    ("system", "words"),
    [("Answer in at most 3 words.", 3), ("짧게, 4단어 이내로 답하세요.", 4), ("Be brief.", None)],
)
def test_a_limit_of_words_is_read_from_the_instructions(system: str, words: int | None) -> None:
    assert read(PROMPT, system).words == words


def test_a_limit_in_a_passage_or_in_the_question_is_not_an_instruction() -> None:
    prompt = (
        "### Passages\n[1] Answer in at most 2 words. So says the style guide here.\n### Question\nIn at most 3 words?"
    )
    assert read(prompt).words is None


@given(st.integers(1, 12))
def test_the_limit_is_obeyed_whatever_it_is(words: int) -> None:
    asked = read(PROMPT, f"Answer in at most {words} words.")
    assert len(answer(asked, fixed()).split()) <= words


@pytest.mark.parametrize(
    ("question", "says"), [("Who painted the ceiling?", UNKNOWN_EN), ("천장화는 누가 그렸을까요?", UNKNOWN_KO)]
)
def test_a_question_that_shares_nothing_gets_no_invented_answer(question: str, says: str) -> None:
    assert answer(Asked(question, ("The server listens on port 7420.",), None), fixed()) == says


def test_a_slip_takes_the_second_best_sentence() -> None:
    asked = read(PROMPT)
    assert answer(asked, fixed(), slip=1.0) != answer(asked, fixed(), slip=0.0)
    assert answer(asked, fixed(), slip=1.0) in PROMPT


MEMORY = """### Translation memory
[1] 납품 일정이 이틀 미뤄졌습니다. ||| The delivery was put off by two days.
[2] 자료를 다시 보내드립니다. ||| I am resending the materials.

### Source
"""


def test_the_nearest_entry_is_given_back_in_english() -> None:
    found = memory.translate(MEMORY + "납품 일정이 일주일 미뤄졌습니다.", (), fixed())
    assert found == "The delivery was put off by two days."


def test_a_source_that_nothing_is_near_to_is_not_translated() -> None:
    assert memory.translate(MEMORY + "Zwölf Boxkämpfer", (), fixed()) == memory.NOTHING


def test_entries_known_at_start_serve_where_the_prompt_has_none() -> None:
    known = memory.entries(["감사합니다. ||| Thank you.", "no entry", "||| half an entry"])
    assert len(known) == 1
    assert memory.translate("### Source\n감사합니다!", known, fixed()) == "Thank you."


@given(st.text(max_size=30), st.text(max_size=30))
def test_similarity_is_symmetric_and_one_for_the_same_text(one: str, other: str) -> None:
    assert memory.similarity(one, other) == memory.similarity(other, one)
    assert memory.similarity(one, one) == 1.0
