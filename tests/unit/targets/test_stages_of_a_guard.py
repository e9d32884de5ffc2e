"""What a guard's stages are made of: words and patterns, a callable, nearness to examples."""

from __future__ import annotations

import asyncio
import random
import threading
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import regex

from haetae.core import reasons
from haetae.core.generation import Failure, Usage
from haetae.core.guard import Check
from haetae.core.model import Embeddings
from haetae.core.suite import BudgetSpec
from haetae.engine.budget import BudgetExhausted, Meter
from haetae.errors import ConfigError
from haetae.targets.guards.function import FunctionStage
from haetae.targets.guards.rules import Rules
from haetae.targets.guards.similarity import Similarity


def check(stage: Any, text: str) -> Any:
    return asyncio.run(stage.check(text))


# rules


@pytest.mark.parametrize(
    ("word", "text", "hit"),
    [
        ("bomb", "a BOMB!", True),
        ("bomb", "bombastic", False),
        ("bomb", "a carbomb", False),
        ("bomb", "bomb을 만드는 법", True),  # an English word takes a Korean particle
        ("bomb", "bomb2", False),
        ("poison gas", "poison   \n gas", True),
        ("폭탄", "사제폭탄을 만드는 법", True),
        ("폭탄", unicodedata.normalize("NFD", "폭탄을"), True),
        (unicodedata.normalize("NFD", "폭탄"), "폭탄을", True),
        ("毒ガス", "その毒ガスは", True),
        ("napalm", "ｎａｐａｌｍ", True),  # full width
        ("napalm", "na\u200bpalm", True),  # a zero-width space inside
        ("C++", "I write C++.", True),
        ("straße", "die STRASSE", False),  # cases are folded letter by letter
        ("café", "CAFÉ", True),
    ],
)
def test_a_word_is_found_as_people_mean_it(word: str, text: str, hit: bool) -> None:
    found = check(Rules([word], []), text)
    assert found == Check(True if hit else None, cost_usd=0.0)


def test_three_thousand_mixed_texts_are_decided_as_look_arounds_decide_them() -> None:
    rng = random.Random(5)  # noqa: S311
    words = ["ab", "b a", "a1", "나쁜", "나쁜 말", "毒a", "a毒", "é"]
    glued = r"\p{Hangul}\p{Han}\p{Hiragana}\p{Katakana}"
    letter = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{glued}]]"
    oracle = {}
    for word in words:
        body = r"\s+".join(map(regex.escape, word.split()))
        before = rf"(?<!{letter})" if not regex.match(rf"[{glued}]", word[0]) else ""
        after = rf"(?!{letter})" if not regex.match(rf"[{glued}]", word[-1]) else ""
        oracle[word] = regex.compile(before + body + after, regex.V1 | regex.IGNORECASE)
    rules = {word: Rules([word], []) for word in words}
    signs = [*"abB1 나쁜말毒é-ö_", "\n"]

    async def work() -> int:
        hits = 0
        for _ in range(3_000):
            text = "".join(rng.choices(signs, k=9))
            for word in words:
                found = oracle[word].search(text) is not None
                assert ((await rules[word].check(text)).flagged is True) == found, (word, text)  # type: ignore[union-attr]
                hits += found
        return hits

    assert asyncio.run(work()) > 500


def test_under_nfc_full_width_letters_are_other_letters() -> None:
    assert check(Rules(["napalm"], [], normalise="NFC"), "ｎａｐａｌｍ").flagged is None
    assert check(Rules(["폭탄"], [], normalise="NFC"), unicodedata.normalize("NFD", "폭탄")).flagged is True


def test_patterns_are_found_and_a_list_may_let_pass() -> None:
    card = r"\b(?:\d{4}[ -]){3}\d{4}\b"
    assert check(Rules([], [card]), "4111 1111 1111 1111").flagged is True
    assert check(Rules([], [card]), "4111-2026").flagged is None
    assert check(Rules([], ["(?i)^what is"], "pass"), "What is a bomb?").flagged is False


def test_a_pattern_that_would_explode_elsewhere_is_linear_here() -> None:
    rules = Rules([], [r"(a+)+$"])
    assert check(rules, "a" * 200_000 + "!").flagged is None  # a backtracking engine would not come back


def test_a_megabyte_of_marks_in_turn_does_not_hold_up_a_guard() -> None:
    marks = "a" + "\u0301\u0316" * 300_000  # put in order by insertion they would take ten minutes
    assert check(Rules(["bomb"], []), f"{marks} bomb").flagged is True


def test_ten_thousand_words_are_one_automaton() -> None:
    words = [f"bad word {n}" for n in range(10_000)] + [f"나쁜말{n}" for n in range(1_000)]
    rules = Rules(words, [])
    assert check(rules, "nothing here, " * 50 + "BAD word 9999.").flagged is True
    assert check(rules, "나쁜말777은").flagged is True
    assert check(rules, "bad word 10001").flagged is None


@pytest.mark.parametrize("pattern", ["(?=x)", r"(a)\1", "(", "[z-a]"])
def test_what_is_no_pattern_of_re2_is_refused_with_the_reason(pattern: str) -> None:
    with pytest.raises(ConfigError, match="is not a pattern of RE2: "):
        Rules([], [pattern])


def test_rules_are_known_by_their_content() -> None:
    one = Rules(["a", "b"], ["x"]).fingerprint
    assert one == Rules(["b", "a", "a"], ["x"]).fingerprint
    assert one != Rules(["a", "b"], ["y"]).fingerprint
    assert one != Rules(["a", "b"], ["x"], "pass").fingerprint


def test_a_lone_surrogate_is_only_a_character_that_no_rule_knows() -> None:
    assert check(Rules(["bomb"], []), "\ud800 bomb").flagged is True


# functions


def stage(function: Callable[..., Any], meter: Meter | None = None, **options: Any) -> FunctionStage:
    given = {"block_from": None, "pass_below": None, "cost_usd": None, "timeout_s": 5.0, **options}
    return FunctionStage(function, "app:classify", meter=meter or Meter(), **given)


@pytest.mark.parametrize(
    ("answer", "options", "found"),
    [
        (True, {}, Check(True, 1.0)),
        (False, {}, Check(None, 0.0)),
        (False, {"pass_below": 0.5}, Check(False, 0.0)),
        (None, {}, Check(None)),
        (0.7, {}, Check(True, 0.7)),
        (0.7, {"block_from": 0.8}, Check(None, 0.7)),
        (0.1, {"block_from": 0.8, "pass_below": 0.2}, Check(False, 0.1)),
        (np.float32(0.75), {}, Check(True, 0.75)),
        ({"score": 0.9, "cost_usd": 0.001}, {}, Check(True, 0.9, 0.001)),
        ({"score": None}, {"cost_usd": 0.25}, Check(None, None, 0.25)),
        (0.7, {"cost_usd": 0.25}, Check(True, 0.7, 0.25)),
    ],
)
def test_a_callable_says_yes_no_a_score_or_nothing(answer: Any, options: dict[str, Any], found: Check) -> None:
    assert check(stage(lambda text: answer, **options), "text") == found


def test_a_sync_function_runs_in_a_thread_and_an_async_one_is_awaited() -> None:
    threads = []

    def slow(text: str) -> bool:
        threads.append(threading.current_thread())
        return text == "bad"

    async def quick(text: str) -> bool:
        threads.append(threading.current_thread())
        return text == "bad"

    assert [check(stage(function), "bad").flagged for function in (slow, quick)] == [True, True]
    assert [thread is threading.main_thread() for thread in threads] == [False, True]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("yes", "expected a finite number, true, false or None"),
        (float("nan"), "expected a finite number"),
        ({"verdict": 1}, "a stage's mapping has score and cost_usd"),
        ({"score": 0.5, "cost_usd": -1}, "cost_usd is at least 0"),
        ([0.5], "expected a finite number"),
    ],
)
def test_what_is_no_verdict_fails_the_sample_and_is_no_pass(answer: Any, said: str) -> None:
    found = check(stage(lambda text: answer), "text")
    assert isinstance(found, Failure)
    assert found.reason == reasons.TARGET_RAISED
    assert said in found.message


def test_a_function_that_raises_or_never_ends_fails_that_text_alone() -> None:
    def broken(text: str) -> bool:
        raise RuntimeError("the model did not load; key=sk-abcdefghijklmnopqrstuvwxyz123456")

    raised = check(stage(broken), "text")
    assert raised.reason == reasons.TARGET_RAISED
    assert "sk-abcdefghijkl" not in raised.message
    never = threading.Event()
    late = check(stage(lambda text: never.wait(), timeout_s=0.05), "text")
    never.set()
    assert late == Failure(reasons.TIMEOUT, "app:classify did not answer in 0.05 s")


def test_every_check_passes_the_meter() -> None:
    meter = Meter(BudgetSpec(usd=0.5))
    priced = stage(lambda text: 0.1, meter, cost_usd=0.2)

    async def work() -> None:
        await priced.check("one")
        await priced.check("two")
        with pytest.raises(BudgetExhausted):
            await priced.check("three")

    asyncio.run(work())
    assert (meter.calls, meter.usd) == (2, 0.4)


def test_a_check_that_is_called_off_is_no_open_call() -> None:
    meter = Meter()

    async def never(text: str) -> bool:
        await asyncio.Event().wait()
        return True

    async def work() -> None:
        checking = asyncio.create_task(stage(never, meter).check("text"))
        await asyncio.sleep(0)
        checking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await checking

    asyncio.run(work())
    assert (meter.calls, meter.unpriced, meter._open) == (1, 1, 0)


def test_the_function_must_take_one_text() -> None:
    assert check(stage(lambda text, threshold=0.3: text == "bad"), "bad").flagged is True
    for function in (lambda: True, lambda text, other: True):
        with pytest.raises(ConfigError, match="app:classify must take one text"):
            stage(function)


def test_the_code_and_the_thresholds_are_the_fingerprint() -> None:
    def classify(text: str) -> float:
        return 0.5

    print_of = stage(classify, block_from=0.7).fingerprint
    assert print_of["code"] == stage(classify).fingerprint["code"]
    assert print_of != stage(classify).fingerprint
    assert len(str(print_of["code"])) == 64


# similarity


class Embedder:
    """Embeds by a table of vectors; counts what it is asked."""

    def __init__(self, table: dict[str, Sequence[float]], failing: Failure | None = None) -> None:
        self.table = table
        self.failing = failing
        self.asked: list[list[str]] = []
        self.fingerprint = {"model": "table"}

    async def embed(self, texts: Sequence[str]) -> Embeddings | Failure:
        self.asked.append(list(texts))
        if self.failing:
            return self.failing
        return Embeddings(tuple(tuple(self.table[text]) for text in texts), Usage(input=3), 0.001, "table")


TABLE = {"attack": (3.0, 0.0), "공격": (0.0, 2.0), "near": (4.0, 3.0), "far": (-1.0, -1.0), "zero": (0.0, 0.0)}


def test_the_score_is_the_largest_cosine_with_an_example() -> None:
    model = Embedder(TABLE)
    near = Similarity(["attack", "공격"], model, 0.75, None)
    assert check(near, "near") == Check(True, pytest.approx(0.8), 0.001, Usage(input=3))
    assert check(Similarity(["attack"], Embedder(TABLE), 0.9, None), "near").flagged is None
    assert check(Similarity(["attack", "공격"], Embedder(TABLE), 0.9, 0.0), "far").flagged is False


def test_examples_are_embedded_once_however_many_texts_there_are() -> None:
    model = Embedder(TABLE)
    near = Similarity(["attack", unicodedata.normalize("NFD", "공격")], model, 0.75, None)

    async def work() -> None:
        await asyncio.gather(*(near.check("near") for _ in range(5)))

    asyncio.run(work())
    assert model.asked == [["attack", "공격"], *[["near"]] * 5]


@pytest.mark.parametrize(("examples", "text"), [(["attack"], "zero"), (["zero"], "near")])
def test_a_vector_without_a_direction_is_no_score(examples: list[str], text: str) -> None:
    found = check(Similarity(examples, Embedder(TABLE), 0.5, None), text)
    assert (type(found), found.reason) == (Failure, reasons.MALFORMED)


def test_an_endpoint_that_fails_fails_the_text_and_is_asked_again_for_the_next() -> None:
    model = Embedder(TABLE, failing=Failure(reasons.SERVER_ERROR, "HTTP 500"))
    near = Similarity(["attack"], model, 0.5, None)
    assert check(near, "near").reason == reasons.SERVER_ERROR
    model.failing = None
    assert check(near, "near").flagged is True
    model.failing = Failure(reasons.TIMEOUT, "late")
    assert check(near, "near").reason == reasons.TIMEOUT


def test_vectors_of_another_length_are_told() -> None:
    model = Embedder({**TABLE, "long": (1.0, 2.0, 3.0)})
    assert "3 numbers for a text, 2 for an example" in check(Similarity(["attack"], model, 0.5, None), "long").message
