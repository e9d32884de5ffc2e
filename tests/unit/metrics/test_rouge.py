"""ROUGE against the rouge-score package, and in the scripts that package cannot read."""

from __future__ import annotations

import random
import subprocess
import sys
import tracemalloc
import unicodedata
from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.sample import Sample
from haetae.errors import ConfigError
from haetae.metrics.reference import rouge
from haetae.metrics.reference.rouge import Rouge, lcs_length

VARIANTS = ("1", "2", "L", "Lsum")
WORDS = [
    "the",
    "a",
    "cat",
    "dog",
    "sat",
    "ran",
    "on",
    "under",
    "mat",
    "don't",
    "GPT-4o",
    "well-known",
    "Über",
    "3.14",
    "and\n",
    "of",
    "it's",
    "(hi)",
    "end.\n",
    "naïve",
]


def value(metric: Rouge, output: str, *references: str) -> float | None:
    return metric.score(Sample("s", "", references), Generation(output)).value


@pytest.mark.parametrize("variant", VARIANTS)
def test_ten_thousand_random_english_pairs_score_as_rouge_score_does(variant: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    rng = random.Random(variant)  # noqa: S311  # texts, not secrets
    theirs, ours = RougeScorer([f"rouge{variant}"]), Rouge(variant, tokenizer="ascii")
    for _ in range(10_000):
        reference, output = (" ".join(rng.choices(WORDS, k=rng.randint(2, 30))) for _ in range(2))
        expected = theirs.score(reference, output)[f"rouge{variant}"].fmeasure
        got = value(ours, output, reference)
        if got is None:
            assert expected == 0.0
        else:
            assert got == expected, (reference, output)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_default_tokenizer_scores_ascii_english_as_rouge_score_does(variant: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    rng = random.Random(7)  # noqa: S311  # texts, not secrets
    words = [word for word in WORDS if word.isascii()]
    theirs, ours = RougeScorer([f"rouge{variant}"]), Rouge(variant)
    for _ in range(500):
        reference, output = (" ".join(rng.choices(words, k=rng.randint(3, 25))) for _ in range(2))
        assert value(ours, output, reference) == theirs.score(reference, output)[f"rouge{variant}"].fmeasure


@pytest.mark.parametrize("tokenizer", ["unicode", "auto", "korean", "korean_content", "characters"])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "text",
    [
        "나는 오늘 학교에 갔습니다.",
        "ฉันไปโรงเรียนวันนี้",
        "我今天去了学校。",
        "今日は学校に行きました。",
        "🎉👍🏽🇰🇷",
        "네",
        "!!!",
    ],
)
def test_identical_texts_of_every_script_score_one(text: str, variant: str, tokenizer: str) -> None:  # MET-01, MET-02
    assert value(Rouge(variant, tokenizer=tokenizer), text, text) == 1.0


def test_a_tokenizer_that_drops_all_text_refuses_instead_of_scoring_zero() -> None:  # MET-02
    score = Rouge("L", tokenizer="ascii").score(Sample("s", "", ("안녕하세요",)), Generation("안녕하세요"))
    assert (score.value, score.reason) == (None, reasons.UNSUPPORTED_LANGUAGE)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_decomposed_answer_scores_as_its_composed_twin(variant: str) -> None:
    text = "환불은 7일 안에 가능합니다"
    assert value(Rouge(variant), unicodedata.normalize("NFD", text), text) == 1.0


def test_morphemes_see_what_words_of_korean_hide() -> None:
    reference, output = "나는 오늘 학교에 갔습니다.", "나는 오늘 학교에 갔다."
    words, morphemes = (value(Rouge("L", tokenizer=name), output, reference) for name in ("unicode", "korean"))
    assert words == 0.75
    assert morphemes is not None
    assert morphemes > words


def test_content_morphemes_share_little_where_two_sentences_only_share_their_grammar() -> None:
    reference, output = "나는 오늘 학교에 갔습니다.", "너는 내일 회사에 왔습니다."
    all_of_them, content = (
        value(Rouge("1", tokenizer=name), output, reference) for name in ("korean", "korean_content")
    )
    assert all_of_them is not None
    assert all_of_them >= 0.5
    assert content == 0.0
    assert value(Rouge("1", tokenizer="korean_content"), "오늘 나도 학교로 갔어요", reference) == 1.0
    assert value(
        Rouge("1", tokenizer="korean_content"), "GPT-4 요금은 30달러", "GPT-4의 요금이 20달러"
    ) == pytest.approx(0.8)


def test_the_tokenizer_travels_with_the_number() -> None:  # MET-01
    facts = Rouge("L", tokenizer="korean").facts
    assert facts.text == "rouge(L, tokenizer=korean)"
    assert "kiwipiepy" in facts.signature["tokenizer"]
    assert Rouge(2).facts.text == "rouge(2)"
    assert "unicode/1" in Rouge("L", tokenizer="auto").facts.signature["tokenizer"]


def test_the_best_of_several_references_counts() -> None:
    assert value(Rouge("1"), "the cat sat", "a dog ran", "the cat sat") == 1.0


def test_an_empty_answer_is_zero_with_a_word_why_and_a_blank_reference_is_unscored() -> None:  # MET-04
    empty = Rouge("L").score(Sample("s", "", ("답",)), Generation("  "))
    assert (empty.value, empty.explanation) == (0.0, "the output is empty")
    blank = Rouge("L").score(Sample("s", "", ("  ",)), Generation("답"))
    assert (blank.value, blank.reason) == (None, reasons.MISSING_REFERENCE)


def test_an_unknown_variant_or_tokenizer_names_what_there_is() -> None:
    with pytest.raises(ConfigError, match="none of 1, 2, L, Lsum; did you mean 'Lsum'"):
        Rouge("lsum")
    with pytest.raises(ConfigError, match="did you mean 'korean'"):
        Rouge("L", tokenizer="koraen")


def test_importing_rouge_loads_no_heavy_library() -> None:
    code = (
        "import sys, haetae.metrics.reference.rouge\n"
        "print([m for m in ('scipy', 'nltk', 'sacrebleu', 'pandas', 'kiwipiepy', 'rouge_score') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def slow_lcs(a: list[int], b: list[int]) -> int:
    row = [0] * (len(b) + 1)
    for x in a:
        row = _next(row, x, b)
    return row[-1]


def _next(row: list[int], x: int, b: list[int]) -> list[int]:
    new = [0]
    for j, y in enumerate(b):
        new.append(row[j] + 1 if x == y else max(row[j + 1], new[j]))
    return new


tokens = st.lists(st.integers(0, 5).map(str), max_size=90)


@given(tokens, tokens)
def test_the_bit_parallel_length_is_the_tables(a: list[str], b: list[str]) -> None:
    assert lcs_length(a, b) == slow_lcs([int(x) for x in a], [int(x) for x in b]) == lcs_length(b, a)


@settings(deadline=None)
@given(tokens, tokens, st.integers(1, 9))
def test_work_in_blocks_changes_nothing(a: list[str], b: list[str], width: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rouge, "_BLOCK", width)
        assert lcs_length(a, b) == slow_lcs([int(x) for x in a], [int(x) for x in b])


def test_texts_of_a_megabyte_are_compared_in_bounded_memory() -> None:
    rng = random.Random(3)  # noqa: S311  # texts, not secrets
    reference = [f"w{n}" for n in range(20_000)]
    output = reference[:]
    rng.shuffle(output)
    tracemalloc.start()
    try:
        # of two permutations the longest common subsequence is the longest rising one, found by patience sorting
        places = {word: place for place, word in enumerate(reference)}
        piles: list[int] = []
        for word in output:
            at = bisect_left(piles, places[word])
            piles[at : at + 1] = [places[word]]
        assert lcs_length(output, reference) == len(piles)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_lines_that_make_too_many_pairs_are_unscored_for_lsum_alone() -> None:
    sample, answer = Sample("s", "", ("a b\n" * 1_001,)), Generation("a\n" * 1_000)
    found = Rouge("Lsum").score(sample, answer)
    assert (found.value, found.reason) == (None, reasons.TEXT_TOO_LONG)
    assert Rouge("Lsum").score(Sample("s", "", ("a " * 20_000,)), Generation("a " * 10_001)).value is None
    assert Rouge("L").score(sample, answer).value == pytest.approx(2 * 1000 / 3002)
    assert Rouge("Lsum").score(Sample("s", "", ("a b\n" * 1_000,)), answer).value == pytest.approx(2 * 1000 / 3000)


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(VARIANTS))
def test_any_two_texts_score_in_range_and_identity_is_the_most(a: str, b: str, variant: str) -> None:
    metric = Rouge(variant)
    found = value(metric, b, a)
    if not a.strip():
        assert found is None
        return
    assert found is not None
    assert 0.0 <= found <= 1.0
    assert value(metric, a, a) == 1.0
    if variant != "Lsum" and b.strip():
        assert found == pytest.approx(value(metric, a, b))  # an F-measure knows no side
