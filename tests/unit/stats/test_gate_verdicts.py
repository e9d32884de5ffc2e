from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haetae.core.metric import MetricFacts
from haetae.core.table import ScoreTable
from haetae.core.verdict import Difference, Verdict
from haetae.stats.compare import GatedColumn, compare

PASS, REGRESSION, INCONCLUSIVE, NONE = Verdict.PASS, Verdict.REGRESSION, Verdict.INCONCLUSIVE, Verdict.NO_VERDICT


def ratio(totals):
    return totals[..., 0] / totals[..., 1]


def gate(before, after, margin=0.03, **more):
    verdict, found = compare([GatedColumn("m", (before,), after, more.pop("corpus", None), margin, **more)])
    assert_no_nan(found)
    return verdict, found[0]


def assert_no_nan(found: list[Difference]) -> None:
    for d in found:
        numbers = [d.baseline, d.candidate, d.delta, d.low, d.high, d.p_drop, d.p_drop_adjusted, d.p_noninferior]
        assert not any(number is not None and math.isnan(number) for number in numbers)
        assert all(p is None or 0 <= p <= 1 for p in (d.p_drop, d.p_drop_adjusted, d.p_noninferior))
        assert d.low is None or d.low <= d.high


def test_a_large_drop_is_a_regression_in_native_units(table):
    rng = np.random.default_rng(0)
    before = rng.uniform(40, 90, 200)
    verdict, d = gate(table(before, high=100.0), table(before - 10 + rng.normal(0, 3, 200), high=100.0))
    assert (verdict, d.verdict) == (REGRESSION, REGRESSION)
    assert d.delta == pytest.approx(-10, abs=1)
    assert d.low < d.delta < d.high < 0
    assert d.margin == pytest.approx(3)


def test_identical_outputs_pass_from_three_over_the_margin_samples_on(table):
    for scores in ([1.0, 0.0], [0.31, 0.77]):
        ninety_nine, hundred = table((scores * 50)[:99]), table(scores * 50)
        verdict, d = gate(ninety_nine, ninety_nine)
        assert (verdict, d.needed, d.p_drop, d.delta) == (INCONCLUSIVE, 100, 0.5, 0.0)
        assert gate(hundred, hundred)[0] is PASS


def test_a_pool_of_equal_runs_does_not_turn_rounding_into_a_drop(table):
    run = table([0.1, 0.7, 0.3] * 40)
    verdict, found = compare([GatedColumn("m", (run, run, run), run, None, 0.03)])
    assert (verdict, found[0].delta) == (PASS, pytest.approx(0, abs=1e-12))
    assert found[0].p_drop == 0.5


def test_a_significant_drop_proven_smaller_than_the_margin_is_tolerated(table):
    rng = np.random.default_rng(1)
    before = rng.uniform(0.3, 0.9, 400)
    verdict, d = gate(table(before), table(before - 0.01 + rng.normal(0, 0.02, 400)))
    assert (verdict, d.note) == (PASS, "tolerated drop")
    assert d.p_drop_adjusted < 0.05


def test_zero_tolerance_turns_the_same_drop_into_a_regression_and_never_asks_for_samples(table):
    rng = np.random.default_rng(1)
    before = rng.uniform(0.3, 0.9, 400)
    noise = rng.normal(0, 0.02, 400)
    assert gate(table(before), table(before - 0.01 + noise), margin=0.0)[0] is REGRESSION
    verdict, d = gate(table(before), table(before - noise.mean() + noise), margin=0.0)
    assert (verdict, d.needed) == (INCONCLUSIVE, None)
    assert gate(table(before), table(before + 0.02 + noise), margin=0.0)[0] is PASS


def test_a_significant_improvement_is_noted(table):
    verdict, d = gate(table([0.0, 1.0] * 100), table([1.0, 1.0] * 100))
    assert (verdict, d.note, d.delta) == (PASS, "significant improvement", 0.5)


def test_too_few_samples_are_inconclusive_and_say_how_many_would_settle_it(table):
    rng = np.random.default_rng(2)
    before, after = (rng.random((2, 60)) < 0.7).astype(float)
    verdict, d = gate(table(before), table(after))
    s = (after - before).std(ddof=1)
    assert verdict is INCONCLUSIVE
    assert d.needed == math.ceil(((1.6448536 + 0.8416212) * s / 0.03) ** 2)


def test_a_lower_is_better_metric_regresses_by_rising(table):
    rng = np.random.default_rng(3)
    seconds = rng.gamma(4, 0.5, 100)
    facts = {"low": 0.0, "high": None, "higher_is_better": False}
    verdict, d = gate(table(seconds, **facts), table(seconds + rng.gamma(2, 0.1, 100), **facts), margin=0.05)
    assert (verdict, d.margin) == (REGRESSION, 0.05)
    assert d.delta > 0


def test_repeats_and_runs_of_the_pool_are_averaged_per_sample(table):
    runs = (table([0.0, 1.0]), table([1.0, 1.0, 0.5], ids=["s00000", "s00001", "s00000"]))
    d = compare([GatedColumn("m", runs, table([0.5, 1.0]), None, 0.03)])[1][0]
    assert (d.n, d.baseline, d.candidate) == (2, 0.75, 0.75)


def test_only_samples_scored_on_both_sides_are_paired_whatever_their_order(table):
    before = table([0.1, 0.2, None, 0.4], ids=["a", "b", "c", "d"])
    after = table([0.4, 0.9, 0.2, None], ids=["d", "c", "b", "a"])
    assert (gate(before, after)[1].n, gate(before, after)[1].delta) == (2, pytest.approx(0))


def test_nothing_scored_is_no_verdict_and_never_a_pass(table):
    verdict, d = gate(table([None] * 30), table([1.0] * 30))
    assert (verdict, d.verdict, d.n, d.delta) == (NONE, INCONCLUSIVE, 0, None)
    assert "no sample is scored" in d.note
    assert compare([])[0] is NONE


def test_one_sample_or_one_cluster_is_inconclusive(table):
    assert gate(table([1.0]), table([0.0]))[0] is INCONCLUSIVE
    rng = np.random.default_rng(4)
    one = table(rng.random(50), clusters=["doc"] * 50)
    verdict, d = gate(one, replace(one, values=one.values - 0.3))
    assert (verdict, d.p_drop) == (INCONCLUSIVE, None)
    assert d.delta == pytest.approx(-0.3)


def test_clusters_and_not_their_samples_are_the_evidence(table):
    # Five documents of forty samples that each move together: three down, two up.
    moves = np.repeat([-0.2, -0.2, -0.2, 0.1, 0.1], 40)
    docs = [f"doc{i // 40}" for i in range(200)]
    alone, together = table([0.5] * 200), table([0.5] * 200, clusters=docs)
    assert gate(alone, replace(alone, values=0.5 + moves))[0] is REGRESSION
    assert gate(together, replace(together, values=0.5 + moves))[0] is INCONCLUSIVE


def sliced(table, values, small=15):
    lang = ["ko"] * small + ["en"] * (len(values) - small)
    return table(values, slices={"lang": lang})


def test_a_small_slice_is_shown_but_not_tested(table):
    before, after = [1.0] * 200, [0.0] * 15 + [1.0] * 185
    columns = [
        GatedColumn("m", (sliced(table, before),), sliced(table, after), None, 0.03, slice_)
        for slice_ in ("", "lang=ko", "lang=en", "lang=xx", "colour=red")
    ]
    verdict, (whole, ko, en, unknown, unkeyed) = compare(columns)
    assert verdict is whole.verdict is REGRESSION
    assert (ko.verdict, ko.delta, ko.p_drop) == (NONE, -1.0, None)
    assert ko.note == "not tested: 15 samples of the 20 that a slice needs"
    assert (en.verdict, en.n) == (PASS, 185)
    assert (unknown.n, unkeyed.n, unknown.verdict) == (0, 0, NONE)


def test_a_slice_that_drops_is_a_regression_of_the_whole_gate(table):
    before, after = [1.0] * 400, [0.0] * 12 + [1.0] * 388
    columns = [
        GatedColumn("m", (sliced(table, before, 30),), sliced(table, after, 30), None, 0.06, slice_)
        for slice_ in ("", "lang=ko", "lang=en")
    ]
    verdict, found = compare(columns)
    assert [d.verdict for d in found] == [PASS, REGRESSION, PASS]
    assert verdict is REGRESSION


def test_an_inconclusive_slice_does_not_withhold_the_pass_of_the_whole(table):
    run = sliced(table, [1.0, 0.0] * 100, 30)
    columns = [GatedColumn("m", (run,), run, None, 0.03, slice_) for slice_ in ("", "lang=ko")]
    verdict, found = compare(columns)
    assert ([d.verdict for d in found], verdict) == ([PASS, INCONCLUSIVE], PASS)
    assert compare(columns[1:])[0] is INCONCLUSIVE  # where no column is primary, every tested one is


def test_every_primary_metric_must_be_proven(table):
    good, noisy = table([1.0, 0.0] * 100), table([1.0, 0.0] * 100)
    shuffled = replace(noisy, values=np.random.default_rng(5).permutation(noisy.values))
    columns = [GatedColumn("a", (good,), good, None, 0.03), GatedColumn("b", (noisy,), shuffled, None, 0.03)]
    verdict, found = compare(columns)
    assert ([d.verdict for d in found], verdict) == ([PASS, INCONCLUSIVE], INCONCLUSIVE)


@pytest.mark.parametrize(
    ("minimum", "maximum", "expected", "note"),
    [
        (0.5, None, PASS, ""),
        (0.9, None, REGRESSION, "below the floor"),
        (0.7, None, INCONCLUSIVE, "floor not settled"),
        (None, 0.9, PASS, ""),
        (None, 0.5, REGRESSION, "above the ceiling"),
        (None, 0.7, INCONCLUSIVE, "ceiling not settled"),
        (0.0, 1.0, PASS, ""),
    ],
)
@pytest.mark.parametrize("scores", [[1.0] * 7 + [0.0] * 3, [0.6, 0.8, 0.65, 0.75, 0.7]])
def test_floors_and_ceilings_are_proven_kept_or_proven_broken(table, scores, minimum, maximum, expected, note):
    run = table(scores * (200 // len(scores)))
    verdict, d = gate(run, run, minimum=minimum, maximum=maximum)
    assert (verdict, d.note) == (expected, note)


def test_a_single_failure_breaks_a_floor_of_everything(table):
    run = table([1.0] * 199 + [0.0])
    assert gate(run, run, minimum=1.0)[1].note == "below the floor"


def test_floors_share_alpha_with_the_drops(table):
    rng = np.random.default_rng(6)
    before, after = rng.random(100), rng.random(100)
    plain = gate(table(before), table(after))[1].p_drop_adjusted
    assert gate(table(before), table(after), minimum=0.1)[1].p_drop_adjusted == pytest.approx(min(1, 2 * plain))


def test_an_infinite_margin_leaves_only_the_ceiling(table):
    cost = table([0.003, 0.002] * 50, high=None, higher_is_better=False)
    assert gate(cost, cost, margin=math.inf, maximum=0.004)[0] is PASS
    assert gate(cost, cost, margin=math.inf, maximum=0.002)[0] is REGRESSION


def corpus_table(table, hits, sizes):
    return table(hits / sizes, stats=np.stack([hits, sizes], axis=1))


def test_corpus_metrics_are_compared_by_their_corpus_values(table):
    rng = np.random.default_rng(7)
    sizes = rng.integers(5, 40, 300).astype(float)
    before, after, worse = (rng.binomial(sizes.astype(int), p).astype(float) for p in (0.6, 0.6, 0.5))
    verdict, d = gate(corpus_table(table, before, sizes), corpus_table(table, after, sizes), 0.05, corpus=ratio)
    assert d.delta == pytest.approx(after.sum() / sizes.sum() - before.sum() / sizes.sum())
    assert verdict is PASS
    # The linearised (delta-method) error of a difference of two ratios with one denominator.
    residues = (after - before) - d.delta * sizes
    error = residues.std(ddof=1) / sizes.mean() / 300**0.5
    assert (d.high - d.low) / 2 == pytest.approx(1.96 * error, rel=0.08)
    assert (
        gate(corpus_table(table, before, sizes), corpus_table(table, worse, sizes), 0.05, corpus=ratio)[0] is REGRESSION
    )


def test_floors_of_corpus_metrics_are_tested_on_the_corpus_value(table):
    sizes = np.random.default_rng(8).integers(5, 40, 300).astype(float)
    run = corpus_table(table, np.random.default_rng(9).binomial(sizes.astype(int), 0.6).astype(float), sizes)
    assert gate(run, run, corpus=ratio, minimum=0.5)[0] is PASS
    assert gate(run, run, corpus=ratio, minimum=0.7)[1].note == "below the floor"
    assert gate(run, run, corpus=ratio, maximum=0.6)[0] is INCONCLUSIVE


def test_a_floor_is_tested_on_all_samples_of_the_candidate_paired_or_not(table):
    before, after = table([0.9, 0.8] * 50 + [None] * 100), table([0.9, 0.8] * 50 + [0.1] * 100)
    verdict, d = gate(before, after, minimum=0.6)
    assert (verdict, d.n, d.note) == (REGRESSION, 100, "below the floor")


def test_scores_without_spread_settle_a_floor_by_the_rule_of_three(table):
    run = table([0.6] * 100)
    assert gate(run, run, minimum=0.5)[0] is PASS
    assert gate(run, run, minimum=0.59)[0] is INCONCLUSIVE
    assert gate(run, run, minimum=0.6)[0] is INCONCLUSIVE


def test_columns_with_other_samples_and_other_clusters_share_one_family(table):
    rng = np.random.default_rng(10)
    big, small = rng.random(100), rng.random(60)
    docs = [f"s{i // 2:05d}" for i in range(60)]
    columns = [
        GatedColumn("a", (table(big),), table(big - 0.2), None, 0.03),
        GatedColumn("b", (table(small, clusters=docs),), table(small, clusters=docs), None, 0.03),
    ]
    verdict, found = compare(columns)
    assert (verdict, [d.verdict for d in found]) == (REGRESSION, [REGRESSION, INCONCLUSIVE])


def test_identical_counts_on_an_open_scale_pass_with_enough_samples(table):
    few, many = ([3.0, 5.0] * half for half in (2, 100))
    assert gate(table(few, high=None), table(few, high=None), margin=0.1)[0] is INCONCLUSIVE
    assert gate(table(many, high=None), table(many, high=None), margin=0.1)[0] is PASS


def test_a_corpus_metric_without_statistics_is_a_programming_error(table):
    with pytest.raises(ValueError, match="per-sample statistics"):
        gate(table([0.5, 0.6]), table([0.5, 0.6]), corpus=ratio)


def test_the_gate_loads_no_heavy_library():
    code = (
        "import sys, haetae.stats.compare, haetae.stats.estimate; print({'scipy.stats', 'pandas'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_a_corpus_metric_without_a_value_is_not_tested(table):
    empty = table([0.0] * 5, stats=np.zeros((5, 2)))
    with np.errstate(invalid="ignore"):
        verdict, d = gate(empty, empty, corpus=ratio)
    assert (verdict, d.delta, d.baseline) == (INCONCLUSIVE, None, None)


def test_a_negative_tolerance_is_refused(table):
    with pytest.raises(ValueError, match="0 or more"):
        gate(table([1.0]), table([1.0]), margin=-0.1)


def test_the_concise_prompt_of_alpaca_eval_is_a_regression_that_two_error_bars_hide(table, alpaca):
    # Published: 9.178 % (SE .890) against 7.416 % (SE .837); paired −1.762 points, SE .664, p = .008.
    sides = []
    for system in ("gpt-3.5-turbo-1106", "gpt-3.5-turbo-1106_concise"):
        rows = alpaca(system)
        sides.append(table([row["win_probability"] for row in rows], ids=[row["id"] for row in rows]))
    verdict, d = gate(*sides, margin=0.0)
    assert verdict is REGRESSION
    assert round(100 * d.delta, 3) == -1.762
    assert round(100 * (d.high - d.low) / 2 / 1.96291, 3) == 0.664  # t quantile of 804 degrees of freedom
    assert d.p_drop == pytest.approx(0.004, abs=0.0025)


scores = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, None]), min_size=1, max_size=40)


def plain(values, **facts):
    ids = tuple(f"s{i:03d}" for i in range(len(values)))
    numbers = np.array([np.nan if v is None else v for v in values], dtype=float)
    return ScoreTable(MetricFacts("m", "1", **facts), ids, numbers, ids)


@settings(max_examples=60, deadline=None)
@given(scores, st.randoms(use_true_random=False), st.floats(0, 0.5))
def test_the_order_of_rows_changes_nothing_and_no_number_is_nan(values, random, margin):
    before, after = plain(values), plain(random.sample(values, len(values)))
    order = random.sample(range(len(values)), len(values))
    ids = tuple(after.sample_ids[i] for i in order)
    shuffled = replace(after, sample_ids=ids, clusters=ids, values=after.values[order])
    assert gate(before, after, margin) == gate(before, shuffled, margin)


@settings(max_examples=60, deadline=None)
@given(scores, st.randoms(use_true_random=False), st.sampled_from([(0.0, 0.5), (-3.0, 8.0), (1.0, 4.0)]))
def test_shift_and_scale_of_a_declared_range_change_no_evidence(values, random, line):
    low, width = line
    other = random.sample(values, len(values))
    moved = [[None if v is None else low + width * v for v in side] for side in (values, other)]
    verdict, d = gate(plain(values), plain(other))
    again, e = gate(*(plain(side, low=low, high=low + width) for side in moved))
    assert (again, e.needed) == (verdict, d.needed)
    for a, b in ((d.p_drop, e.p_drop), (d.p_noninferior, e.p_noninferior)):
        assert b == (None if a is None else pytest.approx(a, abs=1e-9))
    assert e.delta == (None if d.delta is None else pytest.approx(width * d.delta, abs=1e-9))


@settings(max_examples=60, deadline=None)
@given(scores, st.randoms(use_true_random=False))
def test_turning_the_metric_over_turns_only_the_signs(values, random):
    other = random.sample(values, len(values))
    turned = [[None if v is None else 1 - v for v in side] for side in (values, other)]
    verdict, d = gate(plain(values), plain(other))
    again, e = gate(*(plain(side, higher_is_better=False) for side in turned))
    assert (verdict, d.p_drop, d.needed) == (again, e.p_drop, e.needed)
    assert e.p_noninferior == (None if d.p_noninferior is None else pytest.approx(d.p_noninferior, abs=1e-9))
    if d.low is not None:
        assert (-e.high, -e.low) == pytest.approx((d.low, d.high), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(scores)
def test_unscored_pairs_never_pass(values):
    assert gate(plain(values), plain([None] * len(values)), 0.5)[0] is NONE
