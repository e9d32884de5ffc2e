from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as oracle

from haetae.stats.judge_correction import correct, correct_drop
from haetae.stats.powered import powered

HUMAN = np.array([0.9, 0.4, 0.7, 0.8, 0.2, 1.0, 0.6, 0.5, 0.3, 0.75])
JUDGE = np.array([0.8, 0.5, 0.9, 0.7, 0.4, 0.95, 0.7, 0.6, 0.35, 0.9])


# ppi-python 0.2.3, on the ten pairs above and judge scores np.linspace(.2, 1, 4001) of the others:
#   ppi_mean_pointestimate(human, judge, others, lam=lam), ppi_mean_ci(human, judge, others, alpha=.05, lam=lam)
@pytest.mark.parametrize(
    ("weight", "estimate", "low", "high"),
    [
        (0.0, 0.615, 0.46064117020605744, 0.7693588297939425),
        (0.5, 0.575, 0.4740412265427583, 0.6759587734572419),
        (1.0, 0.535, 0.46807830289468993, 0.6019216971053104),
    ],
)
def test_a_fixed_weight_gives_the_estimate_and_the_error_of_ppi_python(weight, estimate, low, high):
    found = powered(np.linspace(0.2, 1, 4001), JUDGE, HUMAN, weight=weight)
    assert found.estimate == pytest.approx(estimate, abs=1e-12)
    # It divides by n where an unbiased variance divides by n − 1, and takes the labelled as not among all.
    error = (high - low) / 2 / oracle.norm.ppf(0.975) * np.sqrt(10 / 9)
    assert found.error == pytest.approx(error, rel=2e-3)


def test_with_every_sample_labelled_the_judge_adds_nothing():
    found = correct(JUDGE, JUDGE, HUMAN, binary=False)
    low, high = oracle.t.interval(0.95, 9, HUMAN.mean(), oracle.sem(HUMAN))
    assert found.estimate == pytest.approx(HUMAN.mean(), abs=0.01)
    assert found.high - found.low == pytest.approx(high - low, rel=0.05)
    assert powered(JUDGE, JUDGE, HUMAN, weight=0.7).error == pytest.approx(oracle.sem(HUMAN))


def test_a_useful_judge_narrows_the_interval_and_a_useless_one_hardly_widens_it():
    rng = np.random.default_rng(0)
    human = rng.beta(4, 2, 2_000)
    labels = oracle.sem(human[:60])
    for noise, most in ((0.05, 0.5), (None, 1.15)):
        judge = rng.random(2_000) if noise is None else human + rng.normal(0, noise, 2_000)
        assert powered(judge, judge[:60], human[:60]).error <= most * labels


def test_the_binary_estimate_is_the_mean_of_its_posterior():
    # 60 of 100 judged good; of 10 labelled good ones 9 are good, of 10 labelled bad ones 2 are.
    judge_all = [1.0] * 60 + [0.0] * 40
    judge, human = [1.0] * 10 + [0.0] * 10, [1.0] * 9 + [0.0] + [1.0] * 2 + [0.0] * 8
    found = correct(judge_all, judge, human, binary=True)
    q, right, missed = 60.5 / 101, 9.5 / 11, 2.5 / 11
    assert found.estimate == pytest.approx(q * right + (1 - q) * missed)
    assert (found.method, found.n_labels) == ("jeffreys", 20)
    # The same quantiles from scipy's beta distributions, drawn by themselves.
    rates = [oracle.beta(a, b) for a, b in ((60.5, 40.5), (9.5, 1.5), (2.5, 8.5))]
    share, good, bad = (rate.rvs(200_000, random_state=i) for i, rate in enumerate(rates))
    expected = np.quantile(share * good + (1 - share) * bad, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.004)


def test_labels_of_one_kind_leave_the_other_open():
    found = correct([1.0] * 50 + [0.0] * 50, [1.0] * 10, [1.0] * 10, binary=True)
    assert found.high - found.low > 0.4


@pytest.mark.parametrize(("labels", "least", "most"), [(20, 0.91, 0.99), (50, 0.91, 0.99)])
def test_binary_intervals_cover_as_often_as_they_say(labels, least, most):
    rng = np.random.default_rng(1)
    hits = []
    for seed in range(200):
        human = (rng.random(500) < 0.8) * 1.0
        judge = (rng.random(500) < np.where(human == 1, 0.85, 0.3)) * 1.0
        found = correct(judge, judge[:labels], human[:labels], binary=True, seed=seed)
        hits.append(found.low <= 0.8 <= found.high)
    assert least <= np.mean(hits) <= most


def test_other_intervals_cover_as_often_as_they_say_from_fifty_labels():
    rng = np.random.default_rng(2)
    hits = []
    for seed in range(400):
        human = rng.beta(4, 2, 500)
        judge = np.clip(0.3 + 0.6 * human + 0.15 * rng.normal(size=500), 0, 1)
        found = correct(judge, judge[:50], human[:50], binary=False, seed=seed)
        hits.append(found.low <= 2 / 3 <= found.high)
    assert 0.92 <= np.mean(hits) <= 0.98


def test_one_label_gives_an_estimate_and_no_interval():
    found = correct([0.5, 0.7], [0.5], [0.6], binary=False)
    assert (found.estimate, found.low, found.high) == (pytest.approx(0.6), None, None)
    drop = correct_drop([0.0, 0.1], [0.0], [0.0], margin=0.1)
    assert (drop.p_drop, drop.p_noninferior) == (1.0, 1.0)


@pytest.mark.parametrize("label", [0.3, 1.0])
def test_labels_that_are_all_the_same_leave_room_for_others(label):
    """Sixty equal labels do not prove that the next one is equal: rule of three, ln(2/.05)/60 of the scale."""
    judge = np.random.default_rng(3).random(300)
    found = correct(judge, judge[:60], np.full(60, label), binary=False, span=1.0)
    assert (found.low, found.high) == pytest.approx((label - 0.0615, label + 0.0615), abs=1e-4)
    open_ended = correct(judge, judge[:60], np.full(60, label), binary=False)
    assert (open_ended.estimate, open_ended.low, open_ended.high) == (pytest.approx(label), None, None)


def test_an_unchanged_label_of_every_pair_proves_no_more_than_its_number_can():
    found = correct_drop(np.zeros(300), np.zeros(60), np.zeros(60), margin=0.03)
    assert found.p_noninferior == pytest.approx(np.exp(-60 * 0.03))
    assert (found.of.low, found.of.high) == pytest.approx((-0.0615, 0.0615), abs=1e-4)


def test_the_same_seed_gives_the_same_numbers():
    judge, human = np.tile(JUDGE, 4), np.roll(np.tile(HUMAN, 4), 3)
    a, b, c = (correct(judge, judge[:30], human[:30], binary=False, seed=seed) for seed in (1, 1, 2))
    assert a == b
    assert a != c


@pytest.mark.parametrize(
    ("judge_all", "judge", "human", "binary"),
    [
        ([1.0], [], [], False),
        ([1.0, 1.0], [1.0], [1.0, 0.0], False),
        ([1.0], [1.0, 1.0], [1.0, 0.0], False),
        ([1.0, np.nan], [1.0], [1.0], False),
        ([1.0, 0.5], [1.0], [1.0], True),
    ],
)
def test_columns_that_do_not_fit_are_refused(judge_all, judge, human, binary):
    with pytest.raises(ValueError, match=r"judge scores|binary scores"):
        correct(judge_all, judge, human, binary=binary)


@pytest.fixture(scope="module")
def pleased():
    """Human and judge differences where the truth fell by 5 points and the judge likes the candidate better."""

    def draw(rng, n=600):
        before = (rng.random(n) < 0.8) * 1.0
        after = before * (rng.random(n) >= 0.05 / 0.8)
        old, new = (np.where(rng.random(n) < 0.9, side, 1 - side) for side in (before, after))
        return after - before, np.maximum(new, rng.random(n) < 0.3) - old

    return draw


def test_a_candidate_that_learned_to_please_its_judge_does_not_pass(pleased):
    rng = np.random.default_rng(3)
    passes = 0
    for seed in range(100):
        human, judge = pleased(rng)
        assert judge.mean() > 0
        passes += correct_drop(judge, judge[:50], human[:50], margin=0.03, seed=seed).p_noninferior <= 0.05
    assert passes <= 3


def test_with_enough_labels_the_drop_that_the_judge_hides_is_found(pleased):
    human, judge = pleased(np.random.default_rng(4), 2_000)
    found = correct_drop(judge, judge[:800], human[:800], margin=0.03)
    assert judge.mean() > 0
    assert found.p_drop <= 0.05 < found.p_noninferior
    assert found.of.low < -0.05 < found.of.high


def test_an_unchanged_candidate_passes_with_labels_enough_for_the_rule_of_three():
    judge, human = np.zeros(500), np.zeros(500)
    few, many = (correct_drop(judge, judge[:n], human[:n], margin=0.03) for n in (99, 100))
    assert many.p_noninferior <= 0.05 < few.p_noninferior
    assert few.p_drop == 0.5
