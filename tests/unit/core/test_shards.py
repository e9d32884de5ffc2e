"""How a run is cut into shards, and what may be spent on each."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haetae.core.shard import Shard, allotment, cut, parts_for


@given(st.integers(1, 5_000), st.integers(1, 1_000))
def test_every_sample_is_in_one_shard_and_none_is_empty(samples: int, parts: int) -> None:
    shards = cut(samples, parts)
    assert [place for shard in shards for place in shard] == list(range(samples))
    sizes = {len(shard) for shard in shards}
    assert len(shards) == min(parts, samples)
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1


@pytest.mark.parametrize(
    ("calls", "in_flight", "parts"), [(10, 32, 1), (1_000, 32, 3), (10_000, 32, 32), (2_000, 8, 31)]
)
def test_a_shard_fills_the_calls_in_flight_several_times_and_there_are_a_few_dozen_at_most(
    calls: int, in_flight: int, parts: int
) -> None:
    assert parts_for(calls, in_flight) == parts


def test_each_shard_gets_its_share_and_what_others_spared() -> None:
    mine, spared, held = Shard(1, 0, 10), Shard(2, 10, 20, ended=True, spent={"usd": 0.1}), Shard(3, 20, 30)
    untouched, budget = Shard(4, 30, 60), {"usd": 6.0}
    assert allotment(
        budget, mine, [replace(held, held_by="x", unsettled=True, allotted={"usd": 1.5}), spared, untouched]
    ) == {"usd": pytest.approx((6.0 - 1.5 - 0.1) * 10 / 40)}


def test_what_was_spent_on_a_shard_before_counts_as_its_own() -> None:
    again = Shard(1, 0, 10, spent={"calls": 4})
    assert allotment({"calls": 10}, again, [Shard(2, 10, 20, ended=True, spent={"calls": 3})]) == {"calls": 7}
    assert replace(again, allotted={"calls": 7}).left == {"calls": 3}


@given(st.integers(0, 200), st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=40))
def test_however_they_end_all_together_spend_no_more_than_the_budget(
    calls: int, wanted: list[tuple[int, bool]]
) -> None:
    budget = {"calls": float(calls)}
    shards = [Shard(n, place.start, place.stop) for n, place in enumerate(cut(10 * len(wanted), len(wanted)))]
    spent_in_all = 0
    for number, (calls_wanted, dies) in enumerate(wanted):
        others = [shard for shard in shards if shard.number != number]
        allotted = allotment(budget, shards[number], others)
        spent = min(calls_wanted, int(allotted["calls"]))
        spent_in_all += spent
        given_back = {} if dies else {"calls": spent}
        ended = {"ended": not dies, "unsettled": dies, "allotted": allotted, "spent": given_back}
        shards[number] = replace(shards[number], **ended)
    assert spent_in_all <= calls
