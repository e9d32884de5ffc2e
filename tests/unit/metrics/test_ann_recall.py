"""Recall of real indexes: per query what faiss-cpu 1.15 counts itself, for IVF and HNSW against exact search."""

from __future__ import annotations

from collections.abc import Callable

import faiss
import numpy as np
import pytest
from faiss.contrib.evaluation import knn_intersection_measure

from haetae.core import reasons
from haetae.core.generation import Generation, Stage
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.stages.ann_recall import AnnRecall

K, DIMENSIONS = 10, 24


def answer(found: list[str], exact: list[str]) -> Generation:
    return Generation("x", stages=(Stage("ann", retrieved=tuple(found)), Stage("exact", retrieved=tuple(exact))))


@pytest.fixture(scope="module")
def vectors() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    return rng.standard_normal((4_000, DIMENSIONS)).astype("f4"), rng.standard_normal((300, DIMENSIONS)).astype("f4")


def ivf(probes: int) -> faiss.Index:
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(DIMENSIONS), DIMENSIONS, 64)
    index.nprobe = probes
    return index


def hnsw(width: int) -> faiss.Index:
    index = faiss.IndexHNSWFlat(DIMENSIONS, 8)
    index.hnsw.efSearch = width
    return index


@pytest.mark.parametrize(
    "index", [ivf(1), ivf(8), ivf(64), hnsw(10), hnsw(64)], ids=["ivf1", "ivf8", "ivf64", "hnsw10", "hnsw64"]
)
def test_a_real_index_has_the_recall_that_faiss_counts(
    index: faiss.Index, vectors: tuple[np.ndarray, np.ndarray], score_of: Callable[..., Score]
) -> None:
    corpus, queries = vectors
    faiss.omp_set_num_threads(1)
    index.train(corpus)
    index.add(corpus)
    flat = faiss.IndexFlatL2(DIMENSIONS)
    flat.add(corpus)
    found, exact = index.search(queries, K)[1], flat.search(queries, K)[1]
    metric = AnnRecall(K, stage="ann", exact="exact")
    scores = []
    for mine, best in zip(found, exact, strict=True):
        score = score_of(metric, answer([str(i) for i in mine if i >= 0], [str(i) for i in best]))
        assert score.value == knn_intersection_measure(mine[None], best[None])
        scores.append(score.value)
    assert np.mean(scores) == pytest.approx(knn_intersection_measure(found, exact), abs=1e-12)
    if getattr(index, "nprobe", None) == 64:
        assert set(scores) == {1.0}  # every list is looked into: the search is exact
    if getattr(index, "nprobe", None) == 1:
        assert 0.1 < np.mean(scores) < 0.9


@pytest.mark.parametrize("nothing", ["-1", "", " "])
def test_a_place_without_a_neighbour_is_no_find(nothing: str, score_of: Callable[..., Score]) -> None:
    metric = AnnRecall(3, stage="ann", exact="exact")
    found = score_of(metric, answer(["a", nothing, nothing], ["a", "b", nothing]))
    assert (found.value, found.explanation) == (0.5, "1 of the 2 nearest")
    assert score_of(metric, answer([nothing], [nothing])).reason == reasons.NOT_MEASURED


def test_an_index_that_visits_too_few_vectors_is_counted_with_its_empty_places(
    vectors: tuple[np.ndarray, np.ndarray], score_of: Callable[..., Score]
) -> None:
    few, queries = vectors[0][:30], vectors[1][:20]
    faiss.omp_set_num_threads(1)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(DIMENSIONS), DIMENSIONS, 20)
    index.train(few)
    index.add(few)
    flat = faiss.IndexFlatL2(DIMENSIONS)
    flat.add(few)
    found, exact = index.search(queries, K)[1], flat.search(queries, K)[1]
    assert (found == -1).any()
    for mine, best in zip(found, exact, strict=True):
        score = score_of(AnnRecall(K, stage="ann", exact="exact"), answer([*map(str, mine)], [*map(str, best)]))
        assert score.value == knn_intersection_measure(mine[None], best[None])


def test_only_the_first_k_count_on_both_sides(score_of: Callable[..., Score]) -> None:
    metric = AnnRecall(2, stage="ann", exact="exact")
    found = score_of(metric, answer(["c", "a", "b"], ["a", "b", "c"]))
    assert (found.value, found.explanation) == (0.5, "1 of the 2 nearest")
    assert score_of(metric, answer(["a"], ["a", "b"])).value == 0.5
    assert score_of(metric, answer([], ["a", "b"])).value == 0.0
    assert score_of(metric, answer(["a", "a", "b"], ["a", "b"])).value == 1.0


def test_a_corpus_smaller_than_k_can_be_found_whole(score_of: Callable[..., Score]) -> None:
    assert score_of(AnnRecall(10, stage="ann", exact="exact"), answer(["b", "a"], ["a", "b"])).value == 1.0


def test_a_stage_that_is_not_there_or_found_nothing_exactly_is_unscored(score_of: Callable[..., Score]) -> None:
    metric = AnnRecall(stage="ivf", exact="exact")
    missing = score_of(metric, answer(["a"], ["a"]))
    assert (missing.reason, missing.value) == (reasons.NOT_MEASURED, None)
    assert "there are ann, exact" in (missing.explanation or "")
    assert score_of(AnnRecall(stage="ann", exact="flat"), answer(["a"], ["a"])).reason == reasons.NOT_MEASURED
    assert score_of(AnnRecall(stage="ann", exact="exact"), answer(["a"], [])).reason == reasons.NOT_MEASURED


def test_two_stages_are_named_and_a_k() -> None:
    assert AnnRecall(stage="ivf", exact="flat").facts.text == "ann_recall(10, stage=ivf, exact=flat)"
    with pytest.raises(ConfigError, match="both 'flat'"):
        AnnRecall(stage="flat", exact="flat")
    with pytest.raises(ConfigError, match="k 0 is not a whole number"):
        AnnRecall(0, stage="ivf", exact="flat")
