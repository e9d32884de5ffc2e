"""Similarity is taken only in languages that the embedding model can compare.

`measured_cosines.json` holds the cosines of the built-in wordings by two real models, as measured with the
packages that it names; vectors with those cosines stand in for the models here.
"""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pytest

from haetae.core import reasons
from haetae.core.generation import Failure, Generation, Usage
from haetae.core.model import Embeddings
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.demo.embedder import embed
from haetae.metrics.judges.asking import Interview, UnansweredError
from haetae.metrics.rag.answer import AnswerRelevancy
from haetae.metrics.rag.correctness import AnswerCorrectness
from haetae.metrics.rag.nearness import WORDINGS, Nearness

ENGLISH_ONLY, MULTILINGUAL = "all-MiniLM-L6-v2", "universal-sentence-encoder-multilingual-3"
TEXTS = [text for wordings in WORDINGS.values() for text in wordings]
UNSUPPORTED = reasons.UNSUPPORTED_LANGUAGE
ANSWERS = {"other": "Yes, it will rain.", "hangul": "네, 비가 옵니다.", "kana": "はい、雨です。", "han": "会下雨。"}
ANSWERS["unspaced"] = "ใช่ ฝนจะตก"
OTHERS = [script for script in WORDINGS if script != "other"]


class Embedder:
    """An embedding model that gives its texts the vectors it was made with, and counts the calls."""

    def __init__(self, name: str, vectors: Callable[[str], Sequence[float]]) -> None:
        self.fingerprint: Mapping[str, Any] = {"base_url": "http://embedder", "model": name}
        self.vectors = vectors
        self.calls: list[list[str]] = []
        self.failures: list[Failure] = []

    async def embed(self, texts: Sequence[str]) -> Embeddings | Failure:
        self.calls.append(list(texts))
        await asyncio.sleep(0)  # as an endpoint does, so that samples overlap
        if self.failures:
            return self.failures.pop()
        return Embeddings(tuple(tuple(map(float, self.vectors(text))) for text in texts), Usage(input=7), 0.0001)


def measured(name: str) -> Embedder:
    recorded = json.loads(Path(__file__).with_name("measured_cosines.json").read_text(encoding="utf-8"))[name]
    cosines = np.eye(len(TEXTS))
    for row, values in enumerate(recorded["cosines"]):
        cosines[row, : len(values)] = cosines[: len(values), row] = values
    size, axes = np.linalg.eigh(cosines)
    vectors = axes * np.sqrt(np.clip(size, 0, None))
    assert np.abs(vectors @ vectors.T - cosines).max() < 1e-9
    return Embedder(name, dict(zip(TEXTS, vectors, strict=True)).__getitem__)


@pytest.fixture
def rain(scripted: Any) -> Callable[..., Score]:
    """rain(embedder, script, answer_script): the relevancy of an answer on rain, asked and answered in a script."""

    def score(embedder: Embedder, script: str, answered: str | None = None) -> Score:
        written = WORDINGS[answered or script][3]  # type: ignore[index]  # a name of a script
        judge = scripted([{"noncommittal": 0, "questions": [written] * 3}])
        metric = AnswerRelevancy(model=judge, embeddings=embedder)  # type: ignore[arg-type]  # it embeds, no more
        asked = Sample("s", WORDINGS[script][2])  # type: ignore[index]
        return asyncio.run(metric.score(asked, Generation(ANSWERS[answered or script])))

    return score


@pytest.mark.parametrize("script", OTHERS)
def test_an_english_model_says_that_it_cannot_where_a_multilingual_one_scores(
    script: str, rain: Callable[..., Score]
) -> None:
    refused = rain(measured(ENGLISH_ONLY), script)
    assert (refused.value, refused.reason) == (None, reasons.UNSUPPORTED_LANGUAGE)
    assert f"the embedding model {ENGLISH_ONLY} cannot compare texts in" in (refused.explanation or "")
    assert (rain(measured(MULTILINGUAL), script).value or 0.0) > 0.7


def test_the_reason_tells_what_was_measured(rain: Callable[..., Score]) -> None:
    told = rain(measured(ENGLISH_ONLY), "hangul").explanation or ""
    assert "in Korean: two wordings of one question have a cosine of 0.53, two different questions one of 0.86" in told
    assert told.endswith("name a multilingual model with embeddings:")


def test_english_goes_on_with_an_english_model_and_costs_no_extra_call(rain: Callable[..., Score]) -> None:
    embedder = measured(ENGLISH_ONLY)
    assert rain(embedder, "other").value == pytest.approx(0.976, abs=0.0005)  # as measured
    assert len(embedder.calls) == 1


def test_question_and_answer_in_two_languages_ask_for_a_model_that_knows_both(rain: Callable[..., Score]) -> None:
    refused = rain(measured(ENGLISH_ONLY), "other", "hangul")
    assert refused.reason == reasons.UNSUPPORTED_LANGUAGE
    assert "in English and Korean" in (refused.explanation or "")
    assert rain(measured(MULTILINGUAL), "other", "hangul").value is not None


def test_a_model_is_asked_once_however_many_samples_wait_and_the_first_pays(scripted: Any) -> None:
    embedder = measured(MULTILINGUAL)
    judge = scripted([{"noncommittal": 0, "questions": [WORDINGS["hangul"][3]] * 3}])
    metric = AnswerRelevancy(model=judge, embeddings=embedder)  # type: ignore[arg-type]

    async def all_at_once() -> list[Score]:
        asked = [Sample(str(number), WORDINGS["hangul"][2]) for number in range(20)]
        return await asyncio.gather(*(metric.score(one, Generation(ANSWERS["hangul"])) for one in asked))

    scores = asyncio.run(all_at_once())
    assert sum(call == TEXTS for call in embedder.calls) == 1
    assert len(embedder.calls) == 21
    assert [score.calls for score in scores] == [3] + [2] * 19
    assert sum(score.cost_usd or 0.0 for score in scores) == pytest.approx(20 * 0.001 + 21 * 0.0001)


def test_a_refused_sample_asks_no_judge(scripted: Any) -> None:
    judge, embedder = scripted(), measured(ENGLISH_ONLY)
    metric = AnswerRelevancy(model=judge, embeddings=embedder)  # type: ignore[arg-type]
    asyncio.run(metric.score(Sample("s", WORDINGS["hangul"][2]), Generation(ANSWERS["hangul"])))
    assert judge.chats == []


def test_a_check_that_failed_is_made_again_for_the_next_sample(rain: Callable[..., Score]) -> None:
    embedder = measured(MULTILINGUAL)
    nearness = Nearness(embedder)  # type: ignore[arg-type]
    embedder.failures = [Failure(reasons.TIMEOUT, "slow")]

    async def admit() -> None:
        await nearness.admit(Interview(), "환불", "환불")

    with pytest.raises(UnansweredError, match="timeout: slow"):
        asyncio.run(admit())
    asyncio.run(admit())
    asyncio.run(admit())
    assert len(embedder.calls) == 2


@pytest.mark.parametrize("answer", ["3,000", "2026-11-26", "🙂"])
def test_a_text_without_letters_goes_with_the_language_of_the_other(answer: str) -> None:
    nearness = Nearness(Embedder("lexical", embed))  # type: ignore[arg-type]  # it knows Korean, but no translation
    asyncio.run(nearness.admit(Interview(), "얼마예요?", answer))
    with pytest.raises(UnansweredError, match="in Korean and English"):
        asyncio.run(nearness.admit(Interview(), "얼마예요?", f"{answer} won"))


@pytest.mark.parametrize("vector", [(0.0, 0.0), (1.0, 1.0)])
def test_vectors_that_are_all_alike_compare_nothing(vector: tuple[float, float], rain: Callable[..., Score]) -> None:
    assert rain(Embedder("flat", lambda _: vector), "hangul").reason == reasons.UNSUPPORTED_LANGUAGE


def apart(alike: float, unlike: float) -> Embedder:
    """A model by which two wordings of a question have the one cosine, two different questions the other."""

    def vector(text: str) -> list[float]:
        place = TEXTS.index(text)
        parts = [0.0] * (1 + 3 + len(TEXTS))
        parts[0], parts[1 + place % 6 // 2], parts[4 + place] = unlike**0.5, (alike - unlike) ** 0.5, (1 - alike) ** 0.5
        return parts

    return Embedder("apart", vector)


@pytest.mark.parametrize(("alike", "compares"), [(0.84, False), (0.86, True), (0.9, True), (0.95, True)])
def test_a_model_compares_where_wordings_are_nearer_by_a_twentieth(
    alike: float, compares: bool, rain: Callable[..., Score]
) -> None:
    found = rain(apart(alike, 0.8), "hangul")
    assert (found.reason, found.value) == ((None, pytest.approx(alike)) if compares else (UNSUPPORTED, None))


def test_a_decomposed_korean_question_is_korean() -> None:  # as a Mac may write it
    nearness = Nearness(measured(ENGLISH_ONLY))  # type: ignore[arg-type]
    with pytest.raises(UnansweredError, match="in Korean:"):
        asyncio.run(nearness.admit(Interview(), normalize("NFD", "환불은 언제"), "🙂"))


def test_the_similarity_of_answer_correctness_is_guarded_too(scripted: Any) -> None:
    statements, verdict = {"statements": ["a"]}, {"verdicts": [{"index": 1, "reason": "r", "verdict": 1}]}
    sample = Sample("s", "질문", (WORDINGS["hangul"][3],))
    answer = Generation(WORDINGS["hangul"][2])

    def correctness(name: str) -> Score:
        judge = scripted(by_title={"statements": [statements], "verdicts": [verdict]})
        metric = AnswerCorrectness(model=judge, embeddings=measured(name))  # type: ignore[arg-type]
        return asyncio.run(metric.score(sample, answer))

    assert correctness(ENGLISH_ONLY).reason == reasons.UNSUPPORTED_LANGUAGE
    score = correctness(MULTILINGUAL)
    assert score.value == pytest.approx(0.75 + 0.25 * 0.980, abs=0.0005)  # the cosine as measured


def test_the_wordings_fit_the_smallest_batch_that_endpoints_take() -> None:
    assert len(TEXTS) == len(set(TEXTS)) <= 32
    assert all(len(wordings) == 6 for wordings in WORDINGS.values())


@pytest.mark.parametrize("kind", ["answer_relevancy", "answer_correctness"])
def test_the_similarities_of_ragas_are_guarded_too(kind: str, scripted: Any) -> None:
    pytest.importorskip("ragas")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies warn at import
        from haetae.metrics.rag.ragas_adapter import Ragas
    replies = {
        "AnswerRelevanceOutput": [{"question": WORDINGS["hangul"][3], "noncommittal": 0}],
        "StatementGeneratorOutput": [{"statements": []}],
    }
    sample, answer = Sample("s", WORDINGS["hangul"][2], (WORDINGS["hangul"][3],)), Generation(WORDINGS["hangul"][2])

    def relevancy(name: str) -> Score:
        metric = Ragas(kind, model=scripted(by_title=replies), embeddings=measured(name))  # type: ignore[arg-type]
        return asyncio.run(metric.score(sample, answer))

    refused = relevancy(ENGLISH_ONLY)
    assert (refused.reason, refused.calls) == (reasons.UNSUPPORTED_LANGUAGE, 1)
    assert (relevancy(MULTILINGUAL).value or 0.0) > 0.9
