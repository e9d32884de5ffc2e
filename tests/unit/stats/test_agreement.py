from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa

from haetae.stats.agreement import alpha, kappa


@pytest.fixture(scope="module")
def labels():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 4, 80)
    return first.tolist(), np.where(rng.random(80) < 0.6, first, rng.integers(0, 4, 80)).tolist()


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_kappa_and_its_interval_are_those_of_statsmodels(labels, weights):
    first, second = labels
    table = np.zeros((4, 4))
    np.add.at(table, (first, second), 1)
    found = kappa(first, second, weights=weights)
    ordered = weights != "none"
    oracle = cohens_kappa(table, wt=weights if ordered else None, weights=np.arange(4) if ordered else None)
    assert (found.value, found.low, found.high) == pytest.approx((oracle.kappa, oracle.kappa_low, oracle.kappa_upp))
    assert found.n == 80


def test_a_label_that_nobody_gave_still_stretches_an_ordered_scale():
    first, second = [1, 2, 4, 5, 5, 1], [1, 4, 4, 5, 4, 2]
    seen, whole = (kappa(first, second, weights="linear", order=order).value for order in (None, [1, 2, 3, 4, 5]))
    table = np.zeros((5, 5))
    np.add.at(table, (np.array(first) - 1, np.array(second) - 1), 1)
    assert whole == pytest.approx(cohens_kappa(table, wt="linear", weights=np.arange(5)).kappa)
    assert seen != pytest.approx(whole)


def test_numbers_are_ordered_by_size_and_not_as_text():
    assert kappa([2, 10, 9], [9, 10, 9], weights="linear") == kappa(["a", "c", "b"], ["b", "c", "b"], weights="linear")


def test_agreement_on_one_label_alone_is_undefined_and_says_so():
    for found in (kappa(["good"] * 5, ["good"] * 5), alpha(np.ones((2, 5)))):
        assert (found.value, found.low, found.high, found.n) == (None, None, None, 5)
        assert "undefined: every label is" in found.reason


def test_nothing_labelled_by_two_is_undefined():
    assert kappa([], []).reason == "no sample is labelled by both"
    assert alpha([[1.0, np.nan], [np.nan, 2.0]]).reason == "no sample has labels of two raters"


def test_perfect_agreement_is_one_without_an_interval():
    found = kappa([0, 1, 1], [0, 1, 1])
    assert (found.value, found.low) == (1.0, None)
    assert found.reason.startswith("no interval")


def test_a_label_outside_the_order_is_refused():
    with pytest.raises(ValueError, match="in the order given"):
        kappa([1, 9], [1, 1], order=[1, 2])
    with pytest.raises(ValueError, match="one label each"):
        kappa([1], [1, 1])


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
def test_alpha_is_that_of_the_krippendorff_package(scale):
    rng = np.random.default_rng(1)
    ratings = rng.integers(0, 4, (3, 60)).astype(float)
    ratings[1] = np.where(rng.random(60) < 0.6, ratings[0], ratings[1])
    ratings[2, rng.random(60) < 0.3] = np.nan
    found = alpha(ratings, scale=scale)
    assert found.value == pytest.approx(krippendorff.alpha(ratings, level_of_measurement=scale))
    assert found.low < found.value < found.high


def test_alpha_is_krippendorffs_published_one():
    # Krippendorff 2011, "Computing Krippendorff's alpha-reliability", example C: four observers, twelve
    # units, nominal .743, ordinal .815, interval .849.
    gap = np.nan
    ratings = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, gap, gap, gap],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, gap, 3],
        [gap, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, gap],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, gap],
    ]
    found = {scale: alpha(ratings, scale=scale).value for scale in ("nominal", "ordinal", "interval")}
    assert {scale: round(value, 3) for scale, value in found.items()} == {
        "nominal": 0.743,
        "ordinal": 0.815,
        "interval": 0.849,
    }


def test_the_interval_of_alpha_covers_as_often_as_it_says():
    # Two raters of 0/1 labels that copy the truth with probability .8 each: alpha is .64 for many samples.
    rng = np.random.default_rng(2)
    hits = []
    for seed in range(100):
        truth = rng.integers(0, 2, 100)
        ratings = [np.where(rng.random(100) < 0.8, truth, rng.integers(0, 2, 100)) for _ in range(2)]
        found = alpha(ratings, seed=seed)
        hits.append(found.low <= 0.64 <= found.high)
    assert 0.87 <= np.mean(hits) <= 0.99


def test_almost_equal_labels_have_a_value_and_no_interval():
    found = alpha([[1.0] * 20, [*[1.0] * 19, 0.0]])
    assert found.value is not None
    assert (found.low, found.reason) == (None, "no interval: almost every label is the same")


def test_ratings_are_a_table():
    with pytest.raises(ValueError, match="shape"):
        alpha([1.0, 2.0])
