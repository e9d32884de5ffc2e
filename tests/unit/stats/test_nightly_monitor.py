from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as oracle

from haetae.stats.distributions import f_quantile, skewed_tail
from haetae.stats.monitor import Night, monitor

LANGUAGES = ["ko", "en", "ja", "de"] * 50


@pytest.fixture
def nights(table):
    """Nights of 200 samples of 0/1 scores: `rates` per night lower every sample's own rate."""

    def make(drops, *, seed=0, hit=slice(None), **more):
        rng = np.random.default_rng(seed)
        own = rng.beta(0.8, 0.2, 200)
        history = []
        for i, drop in enumerate(drops):
            rate = own.copy()
            rate[hit] *= 1 - drop
            scores = (rng.random(200) < rate) * 1.0
            history.append(Night(f"run-{i:02d}", table(scores, slices={"lang": LANGUAGES}, **more)))
        return history

    return make


def test_a_large_drop_is_found_with_the_run_where_it_began(nights):
    found = monitor(nights([0.0] * 15 + [0.15] * 3))
    assert [(a.detected_at, a.changed_at) for a in found] == [("run-15", "run-15")]
    assert found[0].delta == pytest.approx(-0.12, abs=0.05)
    assert found[0].p < 1 / 30


def test_a_small_drop_is_found_when_it_has_lasted(nights):
    found = monitor(nights([0.0] * 15 + [0.06] * 13, seed=3), streams=20)
    assert len(found) == 1
    assert found[0].detected_at > found[0].changed_at
    assert abs(int(found[0].changed_at[-2:]) - 15) <= 1


def test_an_alarm_is_raised_once_and_the_regime_begins_anew(nights):
    found = monitor(nights([0.0] * 12 + [0.2] * 12 + [0.45] * 6, seed=1), streams=20)
    assert [a.changed_at for a in found] == ["run-12", "run-24"]


def test_a_rise_is_no_alarm_and_becomes_the_level_to_fall_from(nights):
    found = monitor(nights([0.3] * 12 + [0.0] * 6 + [0.3] * 3, seed=2), streams=20)
    assert [a.changed_at for a in found] == ["run-18"]


def test_an_alarm_has_recovered_once_a_rise_took_back_half_of_its_drop(nights):
    found = monitor(nights([0.0] * 12 + [0.3] * 6 + [0.6] * 6 + [0.3] * 6, seed=2), streams=20)
    assert [(a.changed_at, a.recovered_at) for a in found] == [("run-12", None), ("run-18", "run-24")]
    found = monitor(nights([0.0] * 12 + [0.3] * 6 + [0.6] * 6 + [0.0] * 6, seed=2), streams=20)
    assert [(a.changed_at, a.recovered_at) for a in found] == [("run-12", "run-24"), ("run-18", "run-24")]


def test_the_slice_that_fell_is_named_and_no_other(nights):
    found = monitor(nights([0.0] * 15 + [0.5] * 3, hit=slice(1, None, 4)))
    assert found[0].slices == ("lang=en",)


def test_a_drop_everywhere_names_the_slices_it_can_prove(nights):
    found = monitor(nights([0.0] * 15 + [0.5] * 2))
    assert set(found[0].slices) == {"lang=ko", "lang=en", "lang=ja", "lang=de"}


def test_a_lower_is_better_metric_alarms_when_it_rises(nights):
    found = monitor(nights([0.4] * 15 + [0.0] * 3, higher_is_better=False))
    assert [(a.changed_at, a.delta > 0) for a in found] == [("run-15", True)]


def test_tomorrow_changes_nothing_about_today(nights):
    history = nights([0.0] * 12 + [0.12] * 10 + [0.3] * 6, seed=4)
    whole = monitor(history, streams=20)
    for t in range(len(history)):
        today = history[t].run
        assert monitor(history[: t + 1], streams=20) == [a for a in whole if a.detected_at <= today]


def test_too_little_history_says_nothing(nights, table):
    assert monitor([]) == []
    assert monitor(nights([0.9])) == []
    assert monitor([Night(str(i), table([score])) for i, score in enumerate([1.0, 1.0, 0.0, 0.0])]) == []


def test_runs_that_never_vary_alarm_at_the_first_change(table):
    steady, fallen = table([0.5, 0.7, 0.9] * 10), table([0.4, 0.6, 0.8] * 10)
    history = [Night(f"{i}", steady) for i in range(5)]
    assert monitor(history, streams=100) == []
    found = monitor([*history, Night("5", fallen)], streams=100)
    assert [(a.changed_at, a.p) for a in found] == [("5", 0.0)]
    assert found[0].delta == pytest.approx(-0.1)


def test_the_last_bit_of_an_average_is_no_change(table):
    """0.1 + 0.2 is not 0.3: a sum in another order must not look like a drop of what never varies."""
    nights = [Night(f"n{i}", table([0.1 + 0.2 if i % 3 else 0.3] * 30)) for i in range(12)]
    assert monitor(nights, budget=10) == []


def test_an_unscored_night_is_passed_over_and_unscored_samples_do_not_move_the_mean(nights, table):
    history = nights([0.0] * 15)
    gaps = [None if i % 3 else float(v) for i, v in enumerate(history[9].table.values)]
    history[9] = Night("run-09", table(gaps, slices={"lang": LANGUAGES}))
    history[11] = Night("run-11", table([None] * 200, slices={"lang": LANGUAGES}))
    assert monitor(history, streams=20) == []


def test_samples_that_come_later_do_not_count(nights, table):
    history = nights([0.0] * 10)
    for i in range(5, 10):
        old = history[i].table
        ids = [*old.sample_ids, *(f"new{j}" for j in range(200))]
        history[i] = Night(history[i].run, table([*old.values, *[0.0] * 200], ids=ids))
    assert monitor(history, streams=20) == []


@pytest.mark.parametrize(("budget", "streams"), [(0.0, 1), (1.0, 0)])
def test_a_budget_of_nothing_is_refused(budget, streams):
    with pytest.raises(ValueError, match="budget"):
        monitor([], budget=budget, streams=streams)


def test_the_skewed_tail_is_scipys_pearson_type_three():
    for z in (-2.5, 0.0, 1.0, 4.0):
        for skew in (-1.2, -0.3, 0.05, 0.8):
            assert skewed_tail(z, skew) == pytest.approx(oracle.pearson3.sf(z, skew), rel=1e-8)
        assert skewed_tail(z, 0.0) == pytest.approx(oracle.norm.sf(z))


def test_the_skewed_tail_is_cornish_and_fishers_to_first_order():
    for z in (1.0, 2.0, 3.0):
        corrected = z - 0.05 * (z * z - 1) / 6
        assert oracle.norm.isf(skewed_tail(z, 0.05)) == pytest.approx(corrected, abs=0.005)


def test_the_f_quantile_is_scipys():
    assert f_quantile(0.8, 5, 995) == pytest.approx(oracle.f.ppf(0.8, 5, 995))


def test_quiet_streams_alarm_within_the_budget(table):
    # 60 stream-months at a budget of one a month for 3 streams: 20 expected at most.
    rng = np.random.default_rng(9)
    alarms = 0
    for _ in range(60):
        own = rng.beta(0.8, 0.2, 100)
        alarms += len(monitor([Night(str(t), table((rng.random(100) < own) * 1.0)) for t in range(30)], streams=3))
    assert alarms <= 20
