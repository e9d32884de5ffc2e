from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from haetae.core.verdict import Verdict
from haetae.stats.betting import betting_e_value, betting_e_values
from haetae.stats.boundaries import boundaries, hwang_shih_decani, lan_demets_obf
from haetae.stats.compare import GatedColumn, compare
from haetae.stats.sequential import Design, decide, equal_looks

FIVE = (0.2, 0.4, 0.6, 0.8, 1.0)


def column(table, before, after, margin=0.05, **more):
    return GatedColumn("m", (table(before),), table(after), None, margin, **more)


def test_the_obrien_fleming_bounds_of_lan_and_demets_are_the_published_ones():
    # Five equal looks, one-sided .025, as tabulated after Lan and DeMets 1983; the tables' own grid leaves an
    # error of up to .001 (the next test settles it).
    assert boundaries(FIVE, 0.025, lan_demets_obf) == pytest.approx((4.877, 3.357, 2.681, 2.290, 2.030), abs=1.1e-3)


@pytest.mark.parametrize("spending", [hwang_shih_decani, lan_demets_obf])
def test_each_look_spends_what_it_may_by_scipys_multivariate_normal(spending):
    bounds = boundaries(FIVE, 0.05, spending)
    times = np.array(FIVE)
    correlation = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    for k in range(1, 6):
        inside = multivariate_normal(cov=correlation[:k, :k], seed=0).cdf(bounds[:k])
        assert 1 - inside == pytest.approx(spending(FIVE[k - 1], 0.05), abs=3e-5)


def test_one_look_is_the_fixed_sample_test():
    for spending in (hwang_shih_decani, lan_demets_obf):
        assert boundaries((1.0,), 0.05, spending) == pytest.approx((norm.ppf(0.95),), abs=1e-9)


def test_an_even_spending_spends_evenly():
    assert hwang_shih_decani(0.3, 0.05, gamma=0.0) == pytest.approx(0.015)
    assert hwang_shih_decani(0.3, 0.05, gamma=1e-9) == pytest.approx(0.015)
    assert lan_demets_obf(0.0, 0.05) == 0.0


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0.02, 1), min_size=1, max_size=8, unique_by=lambda t: round(t, 2)),
    st.floats(0.001, 0.2),
    st.floats(-8, 4),
)
def test_all_looks_together_err_as_often_as_alpha_says(times, alpha, gamma):
    fractions = tuple(sorted(round(t, 2) for t in times))

    def spend(t: float, a: float) -> float:
        return hwang_shih_decani(t, a, gamma)

    bounds = np.array(boundaries(fractions, alpha, spend))
    steps = np.sqrt(np.diff((0.0, *fractions)))
    paths = np.cumsum(np.random.default_rng(0).normal(size=(40_000, len(steps))) * steps, axis=1)
    crossed = (paths / np.sqrt(fractions) > bounds).any(axis=1).mean()
    expected = spend(fractions[-1], alpha)
    assert crossed == pytest.approx(expected, abs=5 * (expected / 40_000) ** 0.5)


@pytest.mark.parametrize("fractions", [(), (0.5, 0.5, 1.0), (0.0, 1.0), (0.5, 1.2)])
def test_fractions_that_do_not_rise_to_one_are_refused(fractions):
    with pytest.raises(ValueError, match="rise within"):
        boundaries(fractions, 0.05)


@pytest.mark.parametrize("more", [{"looks": ()}, {"looks": (10, 10)}, {"alpha": 0.7}, {"metrics": 0}])
def test_a_design_that_makes_no_sense_is_refused(more):
    with pytest.raises(ValueError, match=r"looks are|alpha is"):
        Design(**{"looks": (100, 200), **more})


def test_looks_are_spread_evenly_and_never_twice_at_one_size():
    assert equal_looks(1_000) == tuple(range(100, 1_001, 100))
    assert equal_looks(3) == (1, 2, 3)


def test_a_clear_drop_stops_at_the_first_look_and_a_clear_pass_soon_after(table):
    rng = np.random.default_rng(0)
    before = rng.uniform(0.4, 0.8, 1_000)
    design = Design(equal_looks(1_000))
    worse, same = before - 0.2 + rng.normal(0, 0.05, 1_000), before + rng.normal(0, 0.05, 1_000)
    assert decide([column(table, before[:100], worse[:100])], 0, design)[0] is Verdict.REGRESSION
    assert decide([column(table, before[:200], same[:200])], 1, design)[0] is Verdict.PASS


def test_undecided_looks_go_on_and_the_last_one_says_so(table):
    before, after = np.tile([1.0, 0.0, 1.0, 1.0], 15), np.tile([0.0, 1.0, 1.0, 1.0], 15)
    design = Design((20, 40, 60))
    said = [
        decide([column(table, before[:n], after[:n], 0.01)], look, design)[0] for look, n in enumerate(design.looks)
    ]
    assert said == [None, None, Verdict.INCONCLUSIVE]


def test_a_look_without_a_scored_sample_goes_on(table):
    design = Design((2, 4))
    nothing = column(table, [None, None], [None, None])
    assert decide([nothing], 0, design)[0] is None
    assert decide([nothing], 1, design)[0] is Verdict.NO_VERDICT


def test_a_significant_drop_within_the_tolerance_passes_because_that_is_asked_first(table):
    rng = np.random.default_rng(2)
    before = rng.uniform(0.4, 0.8, 400)
    after = before - 0.02 + rng.normal(0, 0.03, 400)
    verdict, found = decide([column(table, before, after)], 3, Design((100, 200, 300, 400)))
    assert (verdict, found[0].note) == (Verdict.PASS, "tolerated drop")


def test_reported_p_values_are_held_against_alpha_at_every_look(table):
    rng = np.random.default_rng(3)
    before = (rng.random(200) < 0.7) * 1.0
    after = before * (rng.random(200) > 0.1)
    design = Design((200, 400), metrics=4)
    _, found = decide([column(table, before, after, 0.0)], 0, design)
    level = design.levels(0).drop
    assert found[0].p_drop_adjusted == pytest.approx(min(1.0, found[0].p_drop * 0.05 / level))
    assert level == pytest.approx(hwang_shih_decani(0.5, 0.05 / 4), abs=1e-9)


def test_the_last_look_of_one_is_the_fixed_gate(table):
    rng = np.random.default_rng(4)
    before = (rng.random(200) < 0.7) * 1.0
    after = before * (rng.random(200) > 0.05)
    columns = [column(table, before, after)]
    verdict, found = decide(columns, 0, Design((200,)))
    fixed, expected = compare(columns)
    assert verdict is fixed
    assert found[0].p_noninferior == pytest.approx(expected[0].p_noninferior, rel=1e-6)


def test_a_floor_broken_beyond_doubt_stops_early(table):
    before = after = np.repeat([1.0, 0.0], 100)
    design = Design((200, 400), metrics=2)
    verdict, found = decide([column(table, before, after, minimum=0.8)], 0, design)
    assert (verdict, found[0].note) == (Verdict.REGRESSION, "below the floor")


def test_more_tests_than_the_design_counts_are_refused(table):
    with pytest.raises(ValueError, match="shares alpha over 1"):
        decide([column(table, [1.0, 0.0], [1.0, 0.0], minimum=0.1)], 0, Design((2, 4)))
    with pytest.raises(ValueError, match="look 2"):
        decide([column(table, [1.0], [1.0])], 2, Design((2, 4)))


def test_the_e_value_is_the_average_wealth_of_its_gamblers():
    x = np.array([0.5, -0.25, 1.0, 0.0])
    stakes = np.geomspace(1e-3, 1 - 1e-9, 32)
    expected = [np.mean([np.prod(1 + s * x[:k]) for s in stakes]) for k in range(1, 5)]
    assert betting_e_values(x) == pytest.approx(expected)
    assert betting_e_value(x) == pytest.approx(expected[-1])
    assert betting_e_value([]) == 1.0


def test_a_fair_game_makes_nobody_rich_on_average():
    # E[e] ≤ 1 under the null: exactly, over all 2¹⁰ paths of a fair coin.
    paths = 1 - 2.0 * ((np.arange(1 << 10)[:, None] >> np.arange(10)) & 1)
    assert np.mean([betting_e_value(path) for path in paths]) == pytest.approx(1.0)


def test_peeking_at_every_sample_alarms_less_often_than_alpha():
    rng = np.random.default_rng(5)
    alarms = [(betting_e_values(rng.choice([-1, 0, 1], 300, p=[0.2, 0.6, 0.2])) >= 20).any() for _ in range(400)]
    assert np.mean(alarms) <= 0.05


def test_a_real_difference_makes_the_gambler_rich_without_overflow_being_an_error():
    assert betting_e_value(np.full(5_000, 1.0)) == np.inf
    assert betting_e_value(np.full(300, 0.0), null=-0.05) > 1e3


@pytest.mark.parametrize(("values", "null"), [([2.0], 0.0), ([np.nan], 0.0), ([0.1], 1.0)])
def test_bets_need_bounded_values(values, null):
    with pytest.raises(ValueError, match="within"):
        betting_e_values(values, null)
