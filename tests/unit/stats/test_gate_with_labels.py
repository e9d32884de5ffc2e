"""The gate where people labelled some answers: what the judge says counts no more, only what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from haetae.core.verdict import Verdict
from haetae.stats.compare import GatedColumn, compare
from haetae.stats.judge_correction import correct, correct_drop
from haetae.stats.labelled import LABELS, Labels

MARGIN = 0.05


@pytest.fixture(scope="module")
def labelled(table):
    """Labels of the samples at the places `at`: what `before` and `after` hold there."""

    def some(before, after, at, **options):
        hidden = np.full(len(before), np.nan)
        sides = []
        for scores in (before, after):
            side = hidden.copy()
            side[at] = scores[at]
            sides.append(table(side, **options))
        return Labels((sides[0],), sides[1])

    return some


def a_world(rng, n, *, fall=0.0, pleased=0.0):
    """Truths of 0 or 1 before and after, of which 5 % move either way and `fall` more fall; and what a judge
    that is right in 9 of 10 makes of them, who also likes a share `pleased` of the candidate's answers."""
    before = (rng.random(n) < 0.8) * 1.0
    after = np.where(before == 1, rng.random(n) >= (0.05 + fall) / 0.8, rng.random(n) < 0.05 / 0.2) * 1.0
    old, new = (np.where(rng.random(n) < 0.9, side, 1 - side) for side in (before, after))
    return before, after, old, np.maximum(new, rng.random(n) < pleased)


@pytest.fixture(scope="module")
def rates(table, labelled):
    """Shares of 200 gates that passed, that called a regression, and the pass rate that theory expects."""

    def count(*, labels, fall=0.0, pleased=0.0, margin=MARGIN, n=600, seed=5):
        rng, raw, corrected, regressions, errors = np.random.default_rng(seed), 0, 0, 0, []
        for number in range(200):
            before, after, old, new = a_world(rng, n, fall=fall, pleased=pleased)
            said = labelled(before, after, rng.choice(n, labels, replace=False))
            plain = GatedColumn("m", (table(old),), table(new), None, margin)
            with_labels = GatedColumn("m", (table(old),), table(new), None, margin, labels=said)
            raw += compare([plain], seed=number)[0] is Verdict.PASS
            verdict, (found,) = compare([with_labels], seed=number)
            corrected += verdict is Verdict.PASS
            regressions += verdict is Verdict.REGRESSION
            errors.append((found.high - found.low) / 2 / norm.ppf(0.975))
        expected = ndtr(margin / np.mean(errors) - norm.ppf(0.95))
        return raw / 200, corrected / 200, regressions / 200, expected

    return count


def test_a_candidate_that_pleases_its_judge_passes_the_judge_and_not_the_people(rates):
    raw, corrected, regressions, _ = rates(labels=200, fall=0.05, pleased=0.3)
    assert raw >= 0.99
    assert corrected <= 0.07  # the truth is at the margin: 5 % may pass, ± 1.5 %
    assert regressions >= 0.4
    raw, corrected, _, _ = rates(labels=LABELS, fall=0.05, pleased=0.3)
    assert raw >= 0.99
    assert corrected <= 0.07


def test_a_fall_beyond_the_tolerance_that_the_judge_does_not_see_hardly_ever_passes(rates):
    raw, corrected, _, _ = rates(labels=120, fall=0.05, pleased=0.3, margin=0.03)
    assert raw >= 0.95
    assert corrected <= 0.03


def test_an_unchanged_candidate_passes_as_often_as_its_labels_allow(rates):
    _, corrected, regressions, expected = rates(labels=250)
    assert corrected == pytest.approx(expected, abs=0.08)  # 200 gates: a standard error of .025
    assert corrected >= 0.75
    assert regressions <= 0.085


def test_two_columns_share_alpha_where_one_of_them_is_corrected(table, labelled):
    rng, alarms = np.random.default_rng(6), 0
    for number in range(300):
        before, after, old, new = a_world(rng, 300)
        said = labelled(before, after, rng.choice(300, 100, replace=False))
        columns = [
            GatedColumn("judged", (table(old),), table(new), None, 0.0, labels=said),
            GatedColumn("other", (table(before),), table(after), None, 0.0),
        ]
        alarms += compare(columns, seed=number)[0] is Verdict.REGRESSION
    assert alarms / 300 <= 0.075


def test_the_p_values_of_a_corrected_column_are_those_of_its_labels_and_its_share_of_alpha(table, labelled):
    rng = np.random.default_rng(7)
    before, after, old, new = a_world(rng, 400, fall=0.12)
    at = rng.choice(400, 120, replace=False)
    column = GatedColumn("m", (table(old),), table(new), None, MARGIN, labels=labelled(before, after, at))
    other = GatedColumn("other", (table(before),), table(before), None, MARGIN, minimum=0.5)
    _, (found, beside) = compare([column, other])
    at = np.sort(at)
    alone = correct_drop(new - old, (new - old)[at], (after - before)[at], margin=MARGIN)
    assert (found.delta, found.low, found.high) == (alone.of.estimate, alone.of.low, alone.of.high)
    assert found.p_drop == alone.p_drop
    assert found.p_drop_adjusted == pytest.approx(3 * alone.p_drop)  # two drops and a floor
    assert found.p_noninferior == alone.p_noninferior
    assert beside.p_drop_adjusted == 1.0  # nothing moved: p = 1/2, times three
    assert (found.baseline, found.candidate) == (old.mean(), new.mean())
    assert f"the judge alone says {100 * (new - old).mean():+.1f} points" in found.note


def test_units_and_the_better_direction_are_the_metrics_own(table, labelled):
    rng = np.random.default_rng(8)
    before, after, old, new = (1 + 4 * (1 - side) for side in a_world(rng, 400, fall=0.1))
    scale = {"low": 1.0, "high": 5.0, "higher_is_better": False}
    said = labelled(before, after, np.arange(200), **scale)
    _, (found,) = compare([GatedColumn("m", (table(old, **scale),), table(new, **scale), None, 0.05, labels=said)])
    assert found.low < found.delta < found.high
    assert found.delta > 0.2  # the errors rose by a tenth of four points, and that is worse
    assert found.p_drop < 0.05


def test_an_inconclusive_correction_says_how_many_labelled_pairs_would_settle_it(table, labelled):
    before, after, old, new = a_world(np.random.default_rng(9), 400)
    said = labelled(before, after, np.arange(60))
    verdict, (found,) = compare([GatedColumn("m", (table(old),), table(new), None, 0.03, labels=said)])
    assert verdict is Verdict.INCONCLUSIVE
    assert found.needed is None
    assert found.note.startswith("judge-corrected with 60 labelled pairs (about ")


@pytest.mark.parametrize(
    ("baseline", "candidate", "note"),
    [
        (49, 49, "not judge-corrected: 49 of 50 labelled pairs (1 missing)"),
        (80, 60, "not judge-corrected: 60 of 80 labelled pairs (20 missing)"),
        (40, 90, "not judge-corrected: 40 of 50 labelled pairs (10 missing)"),
        (0, 90, "not judge-corrected: 0 of 50 labelled pairs (50 missing)"),
    ],
)
def test_with_too_few_labels_the_gate_is_as_without_and_says_how_many_are_missing(table, baseline, candidate, note):
    before, after, old, new = a_world(np.random.default_rng(10), 300)
    places = np.arange(300)
    sides = (table(np.where(places < baseline, before, np.nan)), table(np.where(places < candidate, after, np.nan)))
    plain = GatedColumn("m", (table(old),), table(new), None, MARGIN)
    few = GatedColumn("m", plain.baseline, plain.candidate, None, MARGIN, labels=Labels((sides[0],), sides[1]))
    (without,), (found,) = compare([plain])[1], compare([few])[1]
    assert found.note.split(", ")[-1] == note
    assert found.p_noninferior == without.p_noninferior
    assert (found.verdict, found.delta, found.needed) == (without.verdict, without.delta, without.needed)


def test_answers_that_changed_may_not_be_left_out_of_the_labels(table):
    """A label belongs to the content of an answer, so those that did not change have theirs already."""
    old, new = np.ones(400), np.ones(400)
    before, after = np.ones(400), np.where(np.arange(400) % 10, 1.0, np.nan)  # every tenth answer changed
    column = GatedColumn("m", (table(old),), table(new), None, MARGIN, labels=Labels((table(before),), table(after)))
    (found,) = compare([column])[1]
    assert found.note == "not judge-corrected: 360 of 400 labelled pairs (40 missing)"


def test_a_slice_is_corrected_by_its_own_labels(table, labelled):
    before, after, old, new = a_world(np.random.default_rng(11), 400)
    slices = {"language": ["ko" if i < 300 else "en" for i in range(400)]}
    said = labelled(before, after, np.arange(200, 330))
    sides = (table(old, slices=slices),), table(new, slices=slices)
    keys = ("", "language=ko", "language=en")
    columns = [GatedColumn("m", *sides, None, MARGIN, slice=key, labels=said) for key in keys]
    whole, korean, english = compare(columns)[1]
    assert whole.note.startswith("judge-corrected with 130 labelled pairs")
    assert korean.note.startswith("judge-corrected with 100 labelled pairs")
    assert english.note == "not judge-corrected: 30 of 50 labelled pairs (20 missing)"


def test_copies_in_one_cluster_count_once():
    rng = np.random.default_rng(12)
    before, after, old, new = a_world(rng, 300, fall=0.05)
    judge, human, labels = new - old, (after - before)[:100], 100
    alone = correct_drop(judge, judge[:labels], human, margin=MARGIN)
    thrice = (np.repeat(np.arange(300), 3), np.repeat(np.arange(labels), 3))
    copies = [np.repeat(column, 3) for column in (judge, judge[:labels], human)]
    clustered = correct_drop(*copies, margin=MARGIN, groups=thrice)
    assert clustered.of.estimate == pytest.approx(alone.of.estimate)
    assert (clustered.of.low, clustered.of.high) == pytest.approx((alone.of.low, alone.of.high))
    assert (clustered.p_drop, clustered.p_noninferior) == pytest.approx((alone.p_drop, alone.p_noninferior))
    assert correct_drop(*copies, margin=MARGIN).error < alone.error
    with pytest.raises(ValueError, match="independent samples"):
        correct(copies[0] ** 2, copies[1] ** 2, copies[2] ** 2, binary=True, groups=thrice)


def test_clusters_that_move_together_keep_their_coverage():
    rng, hits = np.random.default_rng(13), 0
    for seed in range(200):
        common = rng.normal(size=120)[:, None]
        human = common + rng.normal(size=(120, 4))
        judge = human + 0.5 * common + rng.normal(size=(120, 4)) * 0.5
        groups = np.repeat(np.arange(120), 4), np.repeat(np.arange(60), 4)
        found = correct(judge.ravel(), judge[:60].ravel(), human[:60].ravel(), binary=False, groups=groups, seed=seed)
        hits += found.low <= 0 <= found.high
    assert 0.91 <= hits / 200 <= 0.985
