"""BLEU, chrF and TER: sacrebleu's numbers exactly, the published ones of WMT22, and no zero for a perfect answer."""

from __future__ import annotations

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

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.metric import CorpusMetric
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.bleu import Bleu
from haetae.metrics.chrf import Chrf
from haetae.metrics.ter import Ter

PAIRS: list[tuple[Any, Any]] = [
    (Bleu("13a"), BLEU()),
    (Bleu("char"), BLEU(tokenize="char")),
    (Bleu("zh"), BLEU(tokenize="zh")),
    (Bleu("intl"), BLEU(tokenize="intl")),
    (Chrf(), CHRF()),
    (Chrf(2), CHRF(word_order=2)),
    (Chrf(char_order=4, beta=1), CHRF(char_order=4, beta=1)),
    (Ter(), TER()),
    (Ter(True, asian_support=True, no_punct=True), TER(normalized=True, asian_support=True, no_punct=True)),
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


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda metric: type(metric).__name__)
def test_random_corpora_score_as_sacrebleu_scores_them(ours: Any, theirs: Any) -> None:
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


def test_the_reference_set_of_korean_answers_scores_as_sacrebleu_scores_it(score_of: Callable[..., Score]) -> None:
    # measured with sacrebleu 2.6.0, tokenizer char, and chrF
    reference = "나는 오늘 학교에 갔습니다."
    assert score_of(Bleu(), "나는 오늘 학교에 갔다.", reference).value == pytest.approx(68.0, abs=0.05)
    assert score_of(Chrf(), "나는 오늘 학교에 갔다.", reference).value == pytest.approx(63.4, abs=0.05)


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
    assert auto["auto"]["hangul"] in ("char", "ko-mecab")
    facts = Ter().facts
    assert (facts.low, facts.high, facts.higher_is_better) == (0.0, None, False)
    assert all(isinstance(metric, CorpusMetric) for metric in (Bleu(), Chrf(), Ter()))


def test_wrong_arguments_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean '13a'"):
        Bleu("v13a")
    with pytest.raises(ConfigError, match="word_order 9 is not a whole number from 0 to 6"):
        Chrf(9)
    with pytest.raises(ConfigError, match="neither true nor false"):
        Ter("yes")  # type: ignore[arg-type]  # what a suite file may say


def test_a_mecab_tokenizer_without_mecab_names_the_command() -> None:
    pytest.importorskip("sacrebleu")
    try:
        import mecab_ko  # noqa: F401  # only whether it is there
    except ImportError:
        with pytest.raises(ConfigError, match=r"pip install 'sacrebleu\[ko\]'"):
            Bleu("ko-mecab")
    else:
        assert "ko-mecab" in Bleu("ko-mecab").facts.signature["sacrebleu"]


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
