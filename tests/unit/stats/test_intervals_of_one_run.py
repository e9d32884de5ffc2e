from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as oracle
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import proportion_confint

from haetae.stats.corpus import bootstrap, corpus_value, pseudo_values
from haetae.stats.intervals import cluster_mean
from tests.unit.stats.whole_tables import estimates


def ratio(totals: np.ndarray) -> np.ndarray:
    return totals[..., 0] / totals[..., 1]


@pytest.mark.parametrize(("ones", "n"), [(0, 10), (7, 10), (10, 10), (81, 263), (15, 148), (1, 29)])
def test_zero_one_scores_have_the_wilson_interval_of_statsmodels(table, ones, n):
    found = estimates("m", table([1.0] * ones + [0.0] * (n - ones)), None)[0]
    assert (found.low, found.high) == pytest.approx(proportion_confint(ones, n, method="wilson"), abs=1e-12)
    assert found.method == "wilson"


def test_the_wilson_interval_is_newcombes_published_one(table):
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3: 81 of 263.
    found = estimates("m", table([1.0] * 81 + [0.0] * 182), None)[0]
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)


def test_a_zero_to_hundred_metric_of_two_values_is_wilson_in_its_own_units(table):
    found = estimates("m", table([100.0] * 7 + [0.0] * 3, high=100.0), None)[0]
    low, high = proportion_confint(7, 10, method="wilson")
    assert (found.value, found.low, found.high) == pytest.approx((70, 100 * low, 100 * high))


def test_other_scores_have_the_t_interval_of_scipy(table):
    values = np.random.default_rng(0).beta(4, 2, 37)
    found = estimates("m", table(values), None, level=0.9)[0]
    low, high = oracle.t.interval(0.9, 36, values.mean(), oracle.sem(values))
    assert (found.low, found.high, found.method) == (pytest.approx(low), pytest.approx(high), "t")


def test_clustered_scores_have_the_cluster_robust_error_of_statsmodels():
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 15, 90)
    values = rng.normal(size=90) + rng.normal(size=15)[groups]
    fit = OLS(values, np.ones(90)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False, "df_correction": True}
    )
    g = len(np.unique(groups))
    assert cluster_mean(values, groups).error == pytest.approx(float(fit.bse[0]) * np.sqrt(g / (g - 1)))


def test_repeats_are_averaged_and_do_not_count_as_samples(table):
    once = [0.2, 0.9, 0.5, 0.4]
    ids = ["a", "b", "c", "d"]
    twice = table([v - 0.1 for v in once] + [v + 0.1 for v in once], ids=ids * 2)
    found, plain = estimates("m", twice, None)[0], estimates("m", table(once, ids=ids), None)[0]
    assert (found.n, found.clusters) == (4, 4)
    assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high))


def test_repeated_zero_one_scores_are_not_given_a_wilson_interval(table):
    assert estimates("m", table([1, 0, 1, 1, 0, 0], ids=list("abcabc")), None)[0].method == "t"


def test_unscored_samples_are_counted_once_and_not_averaged_as_zero(table):
    found = estimates("m", table([1.0, None, None, 0.5, None], ids=["a", "a", "b", "c", "b"]), None)[0]
    assert (found.value, found.n, found.unscored) == (0.75, 2, 1)


def test_an_estimate_of_nothing_is_none(table):
    for scores in ([], [None, None]):
        found = estimates("m", table(scores), None)[0]
        assert (found.value, found.low, found.high, found.detectable_drop) == (None, None, None, None)
        assert (found.n, found.unscored) == (0, len(scores))


def test_one_sample_has_a_value_and_no_interval(table):
    assert [(e.value, e.low, e.high) for e in estimates("m", table([0.4]), None)] == [(0.4, None, None)]
    assert [(e.value, e.low, e.high) for e in estimates("m", table([1.0]), None)] == [(1.0, None, None)]


def test_equal_scores_still_have_an_interval_with_a_width(table):
    found = estimates("m", table([0.6] * 50), None)[0]
    assert found.value == 0.6
    assert found.high - found.value == pytest.approx(np.log(40) / 50)  # rule of three at 97.5 %
    assert estimates("m", table([0.6] * 50, high=None), None)[0].low is None


def test_every_slice_is_estimated_and_the_empty_value_is_none(table):
    found = estimates("m", table([1, 0, 1, 1], slices={"lang": ["ko", "ko", "en", ""]}), None)
    assert [(e.slice, e.value, e.n) for e in found] == [("", 0.75, 4), ("lang=en", 1.0, 1), ("lang=ko", 0.5, 2)]


def test_a_corpus_metric_is_the_ratio_of_sums_and_not_the_mean_of_ratios(table):
    stats = np.array([[1, 2], [9, 10], [0, 4]], dtype=float)
    found = estimates("m", table(stats[:, 0] / stats[:, 1], stats=stats), ratio)[0]
    assert (found.value, found.method) == (pytest.approx(10 / 16), "bootstrap")


def test_the_bootstrap_of_a_mean_agrees_with_its_closed_form():
    # Efron and Tibshirani 1993, eq. 5.13: the ideal bootstrap error of a mean is the plug-in s/√n.
    values = np.random.default_rng(2).beta(4, 2, 2_000)
    low, high = bootstrap(np.stack([values, np.ones(2_000)], axis=1), ratio, level=0.95, seed=0)
    assert (low, high) == pytest.approx(oracle.norm.interval(0.95, values.mean(), values.std() / 2_000**0.5), abs=6e-4)


def test_the_bootstrap_over_blocks_agrees_with_the_closed_form_too():
    values = np.random.default_rng(3).beta(4, 2, 50_000)
    low, high = bootstrap(np.stack([values, np.ones(50_000)], axis=1), ratio, level=0.95, seed=0)
    expected = oracle.norm.interval(0.95, values.mean(), values.std() / 50_000**0.5)
    assert (low, high) == pytest.approx(expected, abs=0.06 * (expected[1] - expected[0]))


@pytest.mark.parametrize(("caught", "harmful", "n"), [(15, 20, 5_000), (3, 5, 1_100), (30, 60, 2_000)])
def test_a_rate_of_rare_events_has_the_interval_of_plain_resampling(caught, harmful, n):
    """Of resampled clusters the counts are multinomial: 400,000 draws of numpy's say what is to be expected."""
    sums = np.zeros((n, 2))
    sums[:caught, 0] = 1
    sums[caught:harmful, 1] = 1
    shares = [caught / n, (harmful - caught) / n, 1 - harmful / n]
    drawn = np.random.default_rng(1).multinomial(n, shares, 400_000)
    with np.errstate(invalid="ignore"):
        expected = np.nanquantile(drawn[:, 0] / (drawn[:, 0] + drawn[:, 1]), [0.025, 0.975])
    found = bootstrap(sums, lambda totals: totals[..., 0] / totals.sum(axis=-1), level=0.95, seed=0)
    assert found == pytest.approx(expected, abs=0.035)


def test_the_few_errors_of_a_system_that_is_nearly_all_right_never_make_it_better_than_right():
    right = np.ones((3_000, 2))
    right[:4, 0] = 0
    low, high = bootstrap(right, ratio, level=0.95, seed=0)
    errors = np.random.default_rng(1).binomial(3_000, 4 / 3_000, 400_000)
    assert (1 - low, 1 - high) == pytest.approx(np.quantile(errors, [0.975, 0.025]) / 3_000, abs=1 / 3_000)
    assert high <= 1


def test_counts_that_a_few_clusters_hold_are_resampled_and_never_fall_to_zero():
    sums = np.ones((2_000, 2))
    sums[0] = 3_000, 1  # one document as large as all others together
    low, high = bootstrap(sums, lambda totals: np.log(totals[..., 0]), level=0.95, seed=0)
    plain = 2_000 + 2_999 * np.quantile(np.random.default_rng(1).poisson(1, 400_000), [0.025, 0.975])
    assert (low, high) == pytest.approx(np.log(plain), abs=0.03)


def test_a_corpus_that_is_all_right_is_not_certain_to_stay_so(table):
    """Every resample is as right: the rule of three, ln(2/.05)/60, says what the next samples may be."""
    stats = np.ones((60, 2))
    found = estimates("m", table(np.ones(60), stats=stats), ratio)[0]
    assert (found.low, found.high) == (pytest.approx(1 - 0.0615, abs=1e-4), 1.0)
    assert bootstrap(stats, ratio, level=0.95, seed=0) is None  # on an open scale nothing can be said


def test_the_bootstrap_is_reproducible_from_its_seed():
    sums = np.random.default_rng(4).random((30, 2)) + 1
    draws = [bootstrap(sums, ratio, level=0.95, seed=seed) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_pseudo_values_of_a_mean_are_the_scores_themselves():
    values = np.random.default_rng(5).random(20)
    assert pseudo_values(ratio, np.stack([values, np.ones(20)], axis=1)) == pytest.approx(values)


def test_pseudo_values_average_to_the_jackknife_estimate():
    stats = np.random.default_rng(6).random((12, 2)) + 0.5
    without = [float(ratio(np.delete(stats, i, axis=0).sum(axis=0))) for i in range(12)]
    whole = corpus_value(ratio, stats)
    assert pseudo_values(ratio, stats).mean() == pytest.approx(12 * whole - 11 * np.mean(without))


def test_a_corpus_value_that_is_undefined_is_none_and_no_nan(table):
    stats = np.zeros((3, 2))
    with np.errstate(invalid="ignore"):
        assert estimates("m", table([0, 0, 0], stats=stats), ratio)[0].value is None
    assert pseudo_values(ratio, np.array([[1.0, 1.0], [0.0, 0.0]])) is None


def test_the_detectable_drop_of_a_perfect_run_is_not_zero(table):
    # Of 200 samples, 5.52 expected drops show four or more in 80 % of runs.
    assert estimates("m", table([1.0] * 200), None)[0].detectable_drop == pytest.approx(5.52 / 200)
    assert oracle.poisson.sf(3, 5.52) == pytest.approx(0.8, abs=0.001)


def test_the_published_win_rates_and_their_errors_come_out(table, alpaca):
    # AlpacaEval 2 leaderboard: 9.178 % (SE .890) and 7.416 % (SE .837).
    for system, rate, error in (
        ("gpt-3.5-turbo-1106", 9.178, 0.890),
        ("gpt-3.5-turbo-1106_concise", 7.416, 0.837),
    ):
        rows = alpaca(system)
        values = np.array([row["win_probability"] for row in rows])
        found = cluster_mean(values, np.arange(len(values)))
        assert (round(100 * found.mean, 3), round(100 * found.error, 3)) == (rate, error)
        assert estimates("win", table(values), None)[0].value == found.mean
