from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize
from scipy import stats as oracle

from haetae.stats.compare import errors_moved
from haetae.stats.intervals import cluster_mean, t_interval
from haetae.stats.noninferior import t_p, unseen_p
from haetae.stats.power import detectable, needed, still_needed
from haetae.stats.signflip import family_p
from haetae.stats.tango import restricted_drop, tango_interval, tango_p, tango_z


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def test_one_zero_one_column_is_mcnemars_mid_p_as_published():
    # Fagerland, Lydersen and Laake 2013, table 1 (airway hyper-responsiveness before and after stem cell
    # transplantation, n = 21): 1 and 7 discordant pairs, two-sided mid-p .039 and exact conditional .070.
    moved = column(*[-1] * 7, *[1] * 1, *[0] * 13)
    p = family_p(moved, alpha=0.05, seed=0)
    assert round(2 * p.drop[0], 3) == 0.039
    assert round(oracle.binomtest(7, 8).pvalue, 3) == 0.070
    assert p.drop_adjusted[0] == p.drop[0]


@pytest.mark.parametrize(("drops", "gains"), [(0, 0), (3, 3), (9, 2), (60, 40), (5, 0), (0, 5)])
def test_zero_one_columns_have_the_exact_binomial_mid_p(drops, gains):
    p = family_p(column(*[-1] * drops, *[1] * gains, 0, 0), alpha=0.05, seed=0).drop[0]
    exact = oracle.binom.sf(drops, drops + gains, 0.5) + oracle.binom.pmf(drops, drops + gains, 0.5) / 2
    assert p == pytest.approx(exact if drops + gains else 0.5)


def test_few_clusters_are_flipped_in_every_way():
    values = np.array([-0.9, -0.2, 0.4, -0.7, 0.1])
    signs = 1 - 2 * ((np.arange(32)[:, None] >> np.arange(5)) & 1)
    sums = signs @ values
    expected = ((sums < values.sum() - 1e-9).sum() + (np.abs(sums - values.sum()) < 1e-9).sum() / 2) / 32
    assert family_p(values[:, None], alpha=0.05, seed=0).drop[0] == pytest.approx(expected)


def test_random_flips_agree_with_the_paired_t_test():
    rng = np.random.default_rng(1)
    for shift in (0.0, -0.15, -0.3):
        d = rng.normal(shift, 1, 150)
        expected = oracle.ttest_1samp(d, 0, alternative="less").pvalue
        assert family_p(d[:, None], alpha=0.05, seed=3).drop[0] == pytest.approx(expected, abs=0.02)


def test_flipping_blocks_of_many_clusters_agrees_with_the_paired_t_test():
    rng = np.random.default_rng(8)
    d = rng.normal(0, 1, (9_000, 3)) - np.array([0.0, 0.015, 0.03])
    found = family_p(d, alpha=0.05, seed=0)
    expected = oracle.ttest_1samp(d, 0, alternative="less").pvalue
    assert found.drop == pytest.approx(expected, abs=0.03)
    assert (found.drop_adjusted >= found.drop).all()


def test_flipping_blocks_errs_as_often_as_alpha_says():
    # 200 repetitions of 4,500 skewed clusters: .05 has a standard error of .015.
    rng = np.random.default_rng(9)
    alarms = [family_p(rng.exponential(size=(4_500, 1)) - 1, alpha=0.05, seed=i).drop[0] <= 0.05 for i in range(200)]
    assert np.mean(alarms) <= 0.1


def test_duplicated_columns_cost_nothing_and_independent_ones_cost_what_bonferroni_says():
    rng = np.random.default_rng(2)
    one = rng.normal(-0.2, 1, 100)[:, None]
    alone = family_p(one, alpha=0.05, seed=1).drop[0]
    assert family_p(np.repeat(one, 10, axis=1), alpha=0.05, seed=1).drop_adjusted == pytest.approx(alone)
    crowd = np.concatenate([one, rng.normal(0.05, 1, (100, 9))], axis=1)
    assert alone < family_p(crowd, alpha=0.05, seed=1).drop_adjusted[0] <= 10 * alone + 0.02


def test_adjusted_p_values_keep_the_order_of_the_plain_ones_and_never_fall_below_them():
    d = np.random.default_rng(3).normal(-0.1, 1, (80, 12))
    p = family_p(d, alpha=0.05, seed=0)
    assert (p.drop_adjusted >= p.drop).all()
    t = -d.sum(axis=0) / np.sqrt((d * d).sum(axis=0))
    assert (np.diff(p.drop_adjusted[np.argsort(-t)]) >= 0).all()


def test_a_rise_is_the_mirror_of_a_drop():
    d = np.random.default_rng(4).normal(-0.2, 1, (60, 3))
    p, mirrored = family_p(d, alpha=0.05, seed=0), family_p(-d, alpha=0.05, seed=0)
    assert p.rise == pytest.approx(mirrored.drop)
    assert p.rise_adjusted == pytest.approx(mirrored.drop_adjusted)


@pytest.mark.parametrize("margin", [-0.4, -0.05, 0.0, 0.03, 0.1, 0.5])
@pytest.mark.parametrize(("drops", "gains", "n"), [(12, 2, 44), (0, 0, 30), (0, 5, 60), (5, 0, 60), (30, 28, 100)])
def test_tangos_restricted_estimate_is_the_maximum_of_the_likelihood(drops, gains, n, margin):
    def log_likelihood(q: float) -> float:
        cells = [(drops, q), (gains, q - margin), (n - drops - gains, 1 - 2 * q + margin)]
        return sum(count * math.log(max(p, 1e-300)) for count, p in cells if count)

    low, high = max(0.0, margin), (1 + margin) / 2
    found = optimize.minimize_scalar(
        lambda q: -log_likelihood(q), bounds=(low, high), method="bounded", options={"xatol": 1e-10}
    )
    q = restricted_drop(drops, gains, n, margin)
    assert low - 1e-12 <= q <= high + 1e-12
    assert log_likelihood(q) >= -found.fun - 1e-6


def test_tangos_interval_inverts_its_score_test():
    for drops, gains, n in ((1, 0, 44), (0, 0, 50), (12, 9, 80)):
        low, high = tango_interval(drops, gains, n, 0.95)
        assert -1 <= low <= (gains - drops) / n <= high <= 1
        assert tango_z(drops, gains, n, -low) == pytest.approx(1.959964, abs=1e-6)
        assert tango_z(drops, gains, n, -high) == pytest.approx(-1.959964, abs=1e-6)


def test_tangos_z_at_no_margin_is_mcnemars_statistic():
    assert tango_z(10, 25, 100, 0.0) == pytest.approx(15 / math.sqrt(35))
    assert tango_z(0, 0, 100, 0.0) == 0.0


def test_tangos_interval_turns_with_its_sides():
    low, high = tango_interval(7, 3, 50, 0.9)
    assert tango_interval(3, 7, 50, 0.9) == pytest.approx((-high, -low))


def test_the_interval_of_a_paired_difference_is_scipys():
    rng = np.random.default_rng(5)
    a, b = rng.random(40), rng.random(40)
    found = t_interval(cluster_mean(b - a, np.arange(40)), 0.95, 1.0)
    assert found == pytest.approx(tuple(oracle.ttest_rel(b, a).confidence_interval(0.95)))


def test_the_noninferiority_t_approaches_scipys_paired_t_test():
    rng = np.random.default_rng(6)
    a = rng.normal(size=4_000)
    b = a + rng.normal(-0.01, 0.5, 4_000)
    expected = oracle.ttest_rel(b + 0.02, a, alternative="greater").pvalue
    assert t_p(b - a, np.ones(4_000), 0.02) == pytest.approx(expected, abs=0.005)


def test_identical_outputs_need_the_rule_of_three():
    for margin in (0.01, 0.02, 0.03, 0.05, 0.1):
        n = round(3 / margin)
        assert unseen_p(0.0, n, margin, 1.0) <= 0.05 < unseen_p(0.0, n - 1, margin, 1.0)
        assert needed(0.0, margin) == n


def test_a_drop_cannot_be_larger_than_the_scale():
    assert tango_p(5, 0, 10, 1.0) == 0.0


def test_the_samples_needed_are_those_of_the_tolerance():
    # ((1.6449 + .8416)·s/m)²: s = .5, m = .05 gives 618.3.
    assert needed(0.5, 0.05) == 619
    assert needed(0.5, 0.0) is None
    assert detectable(0.5, 619) <= 0.05 < detectable(0.5, 618)


def test_samples_still_needed_are_always_more_than_there_are():
    assert still_needed(0.5, 0.05, 100, -0.01) == needed(0.5, 0.05)
    assert still_needed(0.5, 0.05, 700, -0.03) > 700


def test_errors_on_one_side_are_a_sign_test():
    before = [False] * 12 + [True] * 3
    after = [True] * 9 + [False] * 5 + [True]
    assert errors_moved(before, after) == pytest.approx(oracle.binomtest(9, 11, alternative="greater").pvalue)
    assert errors_moved([True, False], [True, False]) == 1.0
    assert errors_moved([], []) == 1.0
