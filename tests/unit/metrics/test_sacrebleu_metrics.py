"""BLEU, chrF and TER: sacrebleu's numbers exactly, the published ones of WMT22, and no zero for a perfect answer."""

from __future__ import annotations

import importlib.util
import json
import random
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from sacrebleu.tokenizers.tokenizer_intl import TokenizerV14International
from sacrebleu.tokenizers.tokenizer_re import TokenizerRegexp
from sacrebleu.tokenizers.tokenizer_ter import TercomTokenizer
from sacrebleu.tokenizers.tokenizer_zh import TokenizerZh

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.metric import CorpusMetric
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.reference import sacre
from haetae.metrics.reference.bleu import Bleu
from haetae.metrics.reference.chrf import Chrf
from haetae.metrics.reference.sacre import by_script
from haetae.metrics.reference.ter import Ter

PAIRS: list[tuple[Any, Any]] = [
    (Bleu("13a"), BLEU()),
    (Bleu("char"), BLEU(tokenize="char")),
    (Bleu("zh"), BLEU(tokenize="zh")),
    (Bleu("intl"), BLEU(tokenize="intl")),
    (Bleu("none"), BLEU(tokenize="none")),
    (Chrf(), CHRF()),
    (Chrf(2), CHRF(word_order=2)),
    (Chrf(char_order=4, beta=1), CHRF(char_order=4, beta=1)),
    (Ter(), TER()),
    (Ter(normalized=True, asian_support=True, no_punct=True), TER(normalized=True, asian_support=True, no_punct=True)),
]
WORDS = [
    "the",
    "cat",
    "고양이가",
    "sat",
    "on",
    "a",
    "매트",
    "(hi)",
    "U.S.",
    "3.5%",
    "我们",
    "😀",
    "&quot;x&quot;",
    "well-known",
    ",",
    ".",
    "!",
    "학교에 갔습니다.",
    "東京へ行きました。",
    "東京タワー",
]


def totals(metric: Any, outputs: list[str], references: list[list[str]]) -> np.ndarray:
    rows = zip(outputs, references, strict=True)
    return np.array([metric.score(Sample("s", "", tuple(refs)), Generation(output)).stats for output, refs in rows])


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("system", ["NT5", "JDExploreAcademy", "Online-A"])
def test_the_published_numbers_of_wmt22_come_out(system: str, reference_data: Path) -> None:
    wmt = reference_data / "wmt22-ja-en"
    # published by the task organisers; NFC changes none of these texts
    published = json.loads((wmt / "published.json").read_text())["systems"][system]
    references = {row["id"]: row["reference"] for row in rows(wmt / "samples.jsonl")}
    outputs = {row["id"]: row["output"] for row in rows(wmt / f"outputs.{system}.jsonl")}
    given_texts = [outputs[key] for key in references], [[text] for text in references.values()]
    for metric, name in ((Bleu(), "bleu"), (Chrf(), "chrf")):
        found = metric.corpus(totals(metric, *given_texts).sum(axis=0))
        assert float(found) == pytest.approx(published[name], abs=1e-9)


def installed(tokenizer: str) -> str:
    """The tokenizer's name. Where its MeCab is not installed the test is skipped."""
    module = {"ko-mecab": "mecab_ko", "ja-mecab": "MeCab"}[tokenizer]
    if importlib.util.find_spec(module) is None:
        missing = f"{module} is not installed: pip install 'sacrebleu[ko,ja]'"
        pytest.skip(missing)
    return tokenizer


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda metric: type(metric).__name__)
def test_random_corpora_score_as_sacrebleu_scores_them(ours: Any, theirs: Any) -> None:
    compare_corpora(ours, theirs)


@pytest.mark.parametrize("tokenizer", ["ko-mecab", "ja-mecab"])
def test_random_corpora_cut_by_mecab_score_as_sacrebleu_scores_them(tokenizer: str) -> None:
    name = installed(tokenizer)
    compare_corpora(Bleu(name), BLEU(tokenize=name))


def compare_corpora(ours: Any, theirs: Any) -> None:
    rng = random.Random(5)  # noqa: S311  # texts, not secrets
    sums, expected = [], []
    for _ in range(40):
        size, count = rng.randint(1, 6), rng.randint(1, 3)
        outputs = [" ".join(rng.choices(WORDS, k=rng.randint(0, 12))) for _ in range(size)]
        references = [[" ".join(rng.choices(WORDS, k=rng.randint(1, 12))) for _ in range(count)] for _ in range(size)]
        sums.append(totals(ours, outputs, references).sum(axis=0))
        expected.append(theirs.corpus_score(outputs, list(zip(*references, strict=True))).score)
    # one call over a leading axis, as the bootstrap calls it
    found = ours.corpus(np.array(sums).reshape(8, 5, -1))
    assert found.shape == (8, 5)
    assert found.ravel() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("metric", [Bleu(), Chrf(), Chrf(2)], ids=["bleu", "chrf", "chrf++"])
@pytest.mark.parametrize(
    "text", ["나는 학교에 갔다", "the cat sat", "예", "ไปโรงเรียน", "我去学校", "行きました", "🎉", "a b c d e f g h"]
)
def test_a_perfect_answer_is_one_hundred_however_short(
    metric: Any, text: str, score_of: Callable[..., Score]
) -> None:  # MET-03
    assert score_of(metric, text, text).value == 100.0
    assert score_of(metric, unicodedata.normalize("NFD", text), text).value == 100.0
    assert score_of(Ter(), text, text).value == 0.0


# measured with sacrebleu 2.6.0 against the reference 나는 오늘 학교에 갔습니다.
KOREAN = {
    "나는 오늘 학교에 갔다.": {"13a": 42.7, "char": 68.0, "ko-mecab": 70.7, "chrf": 63.4},
    "나 오늘 학교에 갔어요": {"13a": 24.9, "char": 43.7, "ko-mecab": 38.5, "chrf": 38.4},
}


@pytest.mark.parametrize("output", KOREAN)
@pytest.mark.parametrize("tokenizer", ["13a", "char", "ko-mecab"])
def test_korean_answers_score_as_sacrebleu_scores_them(
    output: str, tokenizer: str, score_of: Callable[..., Score]
) -> None:
    reference, expected = "나는 오늘 학교에 갔습니다.", KOREAN[output]
    name = installed(tokenizer) if tokenizer == "ko-mecab" else tokenizer
    assert score_of(Bleu(name), output, reference).value == pytest.approx(expected[name], abs=0.05)
    assert score_of(Chrf(), output, reference).value == pytest.approx(expected["chrf"], abs=0.05)
    chosen = by_script()["hangul"]  # by what is installed
    assert score_of(Bleu(), output, reference).value == pytest.approx(expected[chosen], abs=0.05)


def test_a_text_too_long_for_mecab_at_once_is_read_in_pieces(score_of: Callable[..., Score]) -> None:
    metric, theirs = Bleu(installed("ko-mecab")), BLEU(tokenize="ko-mecab", effective_order=True)
    text = "나는 오늘 학교에 갔습니다. 고양이가 창가에서 낮잠을 자네요.\n" * 900
    other = text.replace("학교", "회사")
    assert len(text) > 30_000
    found = score_of(metric, other, text).value
    assert found == pytest.approx(theirs.sentence_score(other, [text]).score, abs=0.02)
    assert score_of(metric, text, text).value == 100.0


@pytest.mark.parametrize(
    "kind", [Tokenizer13a, TokenizerRegexp, TokenizerZh, TokenizerV14International, TercomTokenizer]
)
def test_a_tokenizer_keeps_no_text_that_it_has_cut(kind: Any, score_of: Callable[..., Score]) -> None:
    kind.__call__.cache_clear()
    for metric in (Bleu(), Bleu("zh"), Bleu("intl"), Ter()):
        score_of(metric, "an answer", "a reference")
    assert kind.__call__.cache_info().currsize == 0


@pytest.mark.parametrize(("output", "reference"), [("w " * 1001, "w"), ("w", "w " * 1001)])
def test_a_text_on_which_ter_would_not_end_is_unscored(
    output: str, reference: str, score_of: Callable[..., Score]
) -> None:
    found = score_of(Ter(), output, reference)
    assert (found.value, found.reason) == (None, reasons.TEXT_TOO_LONG)
    assert found.explanation == "TER compares up to 1,000 words, and there are 1,001"
    assert score_of(Ter(), "w " * 1000, "w " * 1000).value == 0.0


@pytest.mark.parametrize("metric", [Bleu(), Chrf(), Ter()], ids=["bleu", "chrf", "ter"])
def test_empty_sides_are_zero_with_a_word_or_unscored(metric: Any, score_of: Callable[..., Score]) -> None:  # MET-04
    empty = score_of(metric, "", "some words here")
    assert empty.value == (100.0 if isinstance(metric, Ter) else 0.0)
    assert empty.explanation == "the output is empty"
    blank = score_of(metric, "some words", " ")
    assert (blank.value, blank.reason) == (None, reasons.MISSING_REFERENCE)
    assert metric.corpus(np.zeros(len(empty.stats))) == 0.0


def test_sacrebleus_signature_travels_with_the_number() -> None:
    assert (
        Bleu("13a").facts.signature["sacrebleu"].startswith("nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    )
    assert "nc:6|nw:2|space:no" in Chrf(2).facts.signature["sacrebleu"]
    assert Chrf(2).facts.text == "chrf(word_order=2)"
    auto = Bleu().facts.signature
    assert "tok:auto" in auto["sacrebleu"]
    assert auto["auto"]["other"] == "13a"
    assert str(auto["auto"]["hangul"]).startswith(by_script()["hangul"])
    facts = Ter().facts
    assert (facts.low, facts.high, facts.higher_is_better) == (0.0, None, False)
    assert all(isinstance(metric, CorpusMetric) for metric in (Bleu(), Chrf(), Ter()))


def test_wrong_arguments_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean '13a'"):
        Bleu("v13a")
    with pytest.raises(ConfigError, match="word_order 9 is not a whole number from 0 to 6"):
        Chrf(9)
    with pytest.raises(ConfigError, match="neither true nor false"):
        Ter(normalized="yes")  # type: ignore[arg-type]  # what a suite file may say


def test_a_mecab_tokenizer_without_mecab_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sacre, "_installed", lambda name: False)
    with pytest.raises(ConfigError, match=r"pip install 'sacrebleu\[ko\]'"):
        Bleu("ko-mecab")
    assert Bleu().facts.signature["auto"] == {
        "hangul": "char",
        "kana": "char",
        "han": "zh",
        "unspaced": "char",
        "other": "13a",
    }


@pytest.mark.parametrize("tokenizer", ["ko-mecab", "ja-mecab"])
def test_the_version_of_mecab_travels_with_the_number(tokenizer: str) -> None:
    facts = Bleu(installed(tokenizer)).facts
    assert f"tok:{tokenizer}-" in facts.signature["sacrebleu"]
    scripts = {"ko-mecab": "hangul", "ja-mecab": "kana"}
    assert Bleu().facts.signature["auto"][scripts[tokenizer]] == BLEU(tokenize=tokenizer).tokenizer_signature


@pytest.mark.parametrize("edits", [0, 1, 2])
def test_edits_where_no_reference_has_a_word_are_a_whole_error_however_few(edits: int) -> None:
    sums = [float(edits), 0.0]
    expected = TER()._compute_score_from_stats(sums).score
    assert expected == (100.0 if edits else 0.0)
    assert float(Ter().corpus(np.array(sums))) == expected
    assert Ter().sentence(sums) == expected


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=40), st.text(max_size=40))
def test_values_stay_in_range_and_one_sample_is_its_own_corpus(output: str, reference: str) -> None:
    for metric in (Bleu(), Chrf(2), Ter()):
        score = metric.score(Sample("s", "", (reference,)), Generation(output))
        if score.value is None:
            assert not reference.strip()
            continue
        assert score.value >= 0.0
        found = float(metric.corpus(np.array(score.stats)))
        if isinstance(metric, Bleu):
            assert score.value <= 100.0
            if all(score.stats[6:]):  # four orders: the effective order is the full one
                assert found == pytest.approx(score.value, abs=1e-9)
        else:
            assert found == pytest.approx(score.value, abs=1e-9)
