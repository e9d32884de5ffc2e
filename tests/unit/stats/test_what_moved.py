from __future__ import annotations

import pytest

from haetae.core.verdict import Mover
from haetae.stats.attribution import judge_moved
from haetae.stats.movers import movers


def test_the_worst_samples_come_first_and_then_the_best(table):
    before, after = table([0.5] * 6), table([0.1, 0.9, 0.5, 0.4, 0.6, None])
    assert movers("m", [before], after, top=2) == [
        Mover("s00000", "m", 0.5, 0.1),
        Mover("s00003", "m", 0.5, 0.4),
        Mover("s00001", "m", 0.5, 0.9),
        Mover("s00004", "m", 0.5, 0.6),
    ]


def test_a_lower_is_better_metric_moves_badly_by_rising(table):
    before, after = (table(v, higher_is_better=False) for v in ([0.5, 0.5], [0.9, 0.1]))
    assert [m.sample_id for m in movers("m", [before], after)] == ["s00000", "s00001"]


def test_samples_that_did_not_move_are_no_movers(table):
    assert movers("m", [table([0.5, 0.2])], table([0.5, 0.2])) == []


def test_the_rounding_of_an_average_is_no_movement(table):
    runs = [table([0.7])] * 3
    assert sum([0.7] * 3) / 3 != 0.7
    assert movers("m", runs, table([0.7])) == []


def test_the_same_answers_scored_lower_show_that_the_judge_moved(table):
    outputs = [f"answer {i}" for i in range(30)]
    before, after = table([0.9] * 30, outputs=outputs), table([0.7] * 30, outputs=outputs)
    found = judge_moved([before], after)
    assert (found.n_identical, found.n, found.delta) == (30, 30, pytest.approx(-0.2))
    assert found.p == pytest.approx(2 * 0.5**31)  # all thirty signs agree, mid-p, two-sided


def test_different_answers_say_nothing_of_the_judge(table):
    before = table([0.9] * 3, outputs=["a", "b", "c"])
    found = judge_moved([before], table([0.1] * 3, outputs=["x", "y", "z"]))
    assert (found.n_identical, found.n, found.delta, found.p) == (0, 3, None, None)
    assert judge_moved([table([0.9])], table([0.1])).p is None


def test_only_the_identical_answers_are_compared(table):
    before = table([0.9, 0.8, 0.7], outputs=["a", "b", "c"])
    after = table([0.9, 0.8, 0.1], outputs=["a", "b", "z"])
    found = judge_moved([before], after)
    assert (found.n_identical, found.delta, found.p) == (2, 0.0, 1.0)


def test_repeats_are_matched_by_their_answers(table):
    ids = ["s", "s", "t"]
    before = table([1.0, 0.0, 0.5], ids=ids, outputs=["a", "b", "c"])
    after = table([0.0, 1.0, 0.5], ids=ids, outputs=["b", "a", "d"])
    found = judge_moved([before], after)
    assert (found.n_identical, found.n, found.delta) == (1, 2, 0.0)


def test_an_empty_digest_is_no_answer(table):
    assert judge_moved([table([0.9], outputs=[""])], table([0.1], outputs=[""])).n_identical == 0
