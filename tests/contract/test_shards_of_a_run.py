"""What every ledger promises of a run that several processes work on: a shard is one's, its rows are there once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from haetae.core.run import Run, RunStatus, Unkept
from haetae.core.score import Score
from haetae.core.shard import Shard, cut
from haetae.errors import StoreError
from haetae.store.sql import SqlLedger
from haetae.store.tables import GENERATION, SHARD

NOTHING: dict[str, float] = {"calls": 0, "tokens": 0, "usd": 0.0}


@pytest.fixture
def shared(ledger: SqlLedger, given: Any) -> Run:
    """A run of nine samples in three shards."""
    run: Run = given.share(ledger, 9, 3)
    return run


def _end(ledger: SqlLedger, run: Run, shard: Shard, given: Any, spent: dict[str, float] | None = None) -> bool:
    return ledger.give_back_shard(run.id, shard, ended_at=given.at, spent=spent or NOTHING, unkept=Unkept())


def _give_back(ledger: SqlLedger, run: Run, shard: Shard, spent: dict[str, float] | None = None) -> bool:
    return ledger.give_back_shard(run.id, shard, ended_at=None, spent=spent or NOTHING, unkept=Unkept())


def _is_of_another_machine(ledger: SqlLedger, run: Run, ago_minutes: int) -> None:
    """Let whoever holds shards of a run be on a machine that was last heard of so long ago."""
    until = datetime.now(UTC) + timedelta(minutes=5 - ago_minutes)
    elsewhere = SHARD.update().where(SHARD.c.run_id == run.id, SHARD.c.owner_token.is_not(None))
    elsewhere = elsewhere.values(owner_host="another-machine", lease_until=until)
    ledger._database.write("moving", lambda c: c.execute(elsewhere))


def _died(ledger: SqlLedger, run: Run) -> None:
    """Let whoever holds shards of a run be a process of this machine that is no more."""
    dead = SHARD.update().where(SHARD.c.run_id == run.id, SHARD.c.owner_token.is_not(None)).values(owner_started="0")
    ledger._database.write("dying", lambda c: c.execute(dead))


def test_each_shard_is_claimed_once_and_ends_once(
    ledger: SqlLedger, shared: Run, reopen: Callable[[], SqlLedger], given: Any
) -> None:
    other = reopen()
    first, second = ledger.claim_shard(shared.id, {}), other.claim_shard(shared.id, {})
    assert first is not None
    assert second is not None
    assert (first.places, second.places) == (range(3), range(3, 6))
    assert [shard.is_free for shard in ledger.shards(shared.id)] == [False, False, True]
    assert ledger.shards(shared.id)[1].held_by is not None
    assert _end(ledger, shared, first, given)
    assert _give_back(other, shared, second)
    assert not _end(other, shared, first, given)
    third = other.claim_shard(shared.id, {})
    assert third is not None
    assert third.places == range(6, 9)
    again = ledger.claim_shard(shared.id, {})
    assert again is not None
    assert again.number == second.number
    assert reopen().claim_shard(shared.id, {}) is None
    assert ledger.open_to_work() == [shared.id]
    assert _end(ledger, shared, again, given)
    assert _end(other, shared, third, given)
    assert ledger.open_to_work() == []
    assert all(shard.ended for shard in ledger.shards(shared.id))


def test_of_many_who_claim_at_once_each_gets_another_shard(
    ledger: SqlLedger, given: Any, reopen: Callable[[], SqlLedger]
) -> None:
    run = given.share(ledger, 40, 8)
    hands = [reopen() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(lambda hand: hand.claim_shard(run.id, {}), hands))
    assert sorted(shard.number for shard in got if shard) == [1, 2, 3, 4, 5, 6]


def test_a_shard_of_a_dead_process_is_to_be_had_at_once_and_that_of_another_machine_after_its_lease(
    ledger: SqlLedger, shared: Run, reopen: Callable[[], SqlLedger]
) -> None:
    first = ledger.claim_shard(shared.id, {})
    assert first is not None
    _is_of_another_machine(ledger, shared, ago_minutes=4)
    assert ledger.shards(shared.id)[0].held_by is not None
    _is_of_another_machine(ledger, shared, ago_minutes=6)
    assert ledger.shards(shared.id)[0].is_free
    second = reopen().claim_shard(shared.id, {})
    assert second is not None
    assert second.number == first.number
    _died(ledger, shared)
    third = reopen().claim_shard(shared.id, {})
    assert third is not None
    assert third.number == first.number


def test_who_lost_its_shard_records_nothing_more_of_it(
    ledger: SqlLedger, shared: Run, reopen: Callable[[], SqlLedger], given: Any
) -> None:
    lost = ledger.claim_shard(shared.id, {})
    assert lost is not None
    _is_of_another_machine(ledger, shared, ago_minutes=6)
    other = reopen()
    assert other.claim_shard(shared.id, {}) is not None
    sample = given.sample("a")
    with pytest.raises(StoreError, match=r"shard 1 of run support\.1 is leased by process \d+ on .*not by this ledger"):
        ledger.record(shared.id, [sample], [given.answer(sample)], [], given.at)
    with pytest.raises(StoreError, match="shard 1"):
        ledger.renew(shared.id)
    assert not _end(ledger, shared, lost, given)
    other.record(shared.id, [sample], [given.answer(sample)], [], given.at)
    other.renew(shared.id)
    assert len(ledger.done(shared.id)) == 1


def test_nobody_records_rows_of_a_shared_run_without_a_shard(ledger: SqlLedger, shared: Run, given: Any) -> None:
    sample = given.sample("a")
    with pytest.raises(StoreError, match=r"is leased by nobody"):
        ledger.record(shared.id, [sample], [given.answer(sample)], [], given.at)


def test_places_are_unique_and_whole_whoever_records_when(
    ledger: SqlLedger, shared: Run, reopen: Callable[[], SqlLedger], given: Any
) -> None:
    hands = [ledger, reopen(), reopen()]
    shards = [hand.claim_shard(shared.id, {}) for hand in hands]
    samples = [given.sample(f"s{n}") for n in range(9)]
    for n in (0, 2, 1):
        for hand, shard in zip(hands, shards, strict=True):
            assert shard is not None
            sample = samples[shard.places[n]]
            hand.record(shared.id, [sample], [given.answer(sample)], [given.score(sample, 1.0)], given.at)
    query = sa.select(GENERATION.c.sample_id, GENERATION.c.position).where(GENERATION.c.run_id == shared.id)
    placed = dict(ledger._database.read("reading", lambda c: c.execute(query).tuples().all()))
    assert sorted(placed.values()) == list(range(9))
    for shard in filter(None, shards):
        assert {placed[samples[n].id] for n in shard.places} == set(shard.places)


def test_more_samples_than_a_shard_has_are_refused(ledger: SqlLedger, shared: Run, given: Any) -> None:
    ledger.claim_shard(shared.id, {})
    samples = [given.sample(f"s{n}") for n in range(4)]
    with pytest.raises(StoreError, match="'s3' is none of those in places range"):
        ledger.record(shared.id, samples, [given.answer(sample) for sample in samples], [], given.at)
    assert len(ledger.done(shared.id)) == 0


def test_a_shard_that_is_run_twice_is_written_once(
    ledger: SqlLedger, shared: Run, reopen: Callable[[], SqlLedger], given: Any
) -> None:
    samples = [given.sample(f"s{n}") for n in range(3)]
    answers, scores = [given.answer(s) for s in samples], [given.score(s, 0.5) for s in samples]
    shard = ledger.claim_shard(shared.id, {})
    assert shard is not None
    ledger.record(shared.id, samples, answers, scores, given.at)
    before = ledger.done(shared.id)
    _died(ledger, shared)
    other = reopen()
    assert other.claim_shard(shared.id, {}) is not None
    other.record(shared.id, samples, answers, [row._replace(score=Score(0.9)) for row in scores], given.later(1))
    assert ledger.done(shared.id) == before


def test_a_run_goes_to_its_end_only_when_all_its_shards_have(
    ledger: SqlLedger, shared: Run, reopen: Callable[[], SqlLedger], given: Any
) -> None:
    with pytest.raises(StoreError, match="3 of its shards have not ended"):
        ledger.resume(shared.id)
    while shard := ledger.claim_shard(shared.id, {}):
        with pytest.raises(StoreError, match="is being worked on by process"):
            reopen().resume(shared.id)
        _end(ledger, shared, shard, given)
    ledger.resume(shared.id)
    with pytest.raises(StoreError, match="is being worked on by process"):
        reopen().resume(shared.id)
    assert ledger.finish(shared.id, RunStatus.FINISHED, given.at).status is RunStatus.FINISHED


def test_a_stopped_run_gives_out_no_shard_until_it_is_gone_on_with(ledger: SqlLedger, shared: Run, given: Any) -> None:
    stopped = ledger.stop_shared(shared.id, RunStatus.STOPPED, given.at, "the key is wrong")
    assert (stopped.status, stopped.note) == (RunStatus.STOPPED, "the key is wrong")
    assert ledger.claim_shard(shared.id, {}) is None
    assert ledger.stop_shared(shared.id, RunStatus.INTERRUPTED, given.at, "another").note == "the key is wrong"
    again = ledger.share_again(shared.id)
    assert (again.status, again.note, again.finished_at) == (RunStatus.RUNNING, None, None)
    assert ledger.claim_shard(shared.id, {}) is not None


def test_what_was_spent_beside_the_rows_is_added_up_by_all(
    ledger: SqlLedger, shared: Run, reopen: Callable[[], SqlLedger], given: Any
) -> None:
    for hand in (ledger, reopen()):
        shard = hand.claim_shard(shared.id, {})
        assert shard is not None
        unkept = Unkept(2, 30, 0.5)
        hand.give_back_shard(shared.id, shard, ended_at=given.at, spent=NOTHING, unkept=unkept)
    assert ledger.run(shared.id).unkept == Unkept(4, 60, 1.0)
    assert ledger.spent(shared.id).calls == 4
    assert ledger.spent(shared.id, range(9)).calls == 0


def test_together_they_may_spend_the_budget_and_no_more(
    ledger: SqlLedger, shared: Run, reopen: Callable[[], SqlLedger], given: Any
) -> None:
    budget = {"calls": 10.0}
    other = reopen()
    first, second = ledger.claim_shard(shared.id, budget), other.claim_shard(shared.id, budget)
    assert first is not None
    assert second is not None
    assert (first.left, second.left) == ({"calls": 4}, {"calls": 3})
    _end(ledger, shared, first, given, {**NOTHING, "calls": 1})  # it spared three
    third = ledger.claim_shard(shared.id, budget)
    assert third is not None
    assert third.left == {"calls": 6}
    _give_back(ledger, shared, third, {**NOTHING, "calls": 6})
    again = ledger.claim_shard(shared.id, budget)
    assert again is not None
    assert again.left == {"calls": 0}


def test_what_a_dead_process_spent_is_read_from_its_rows(
    ledger: SqlLedger, shared: Run, reopen: Callable[[], SqlLedger], given: Any
) -> None:
    ledger.claim_shard(shared.id, {"calls": 9.0})
    sample = given.sample("a")
    ledger.record(shared.id, [sample], [given.answer(sample, attempts=2)], [], given.at)
    _died(ledger, shared)
    again = reopen().claim_shard(shared.id, {"calls": 9.0})
    assert again is not None
    assert again.spent["calls"] == 2
    assert again.left == {"calls": 3}


def test_what_no_row_tells_of_a_shard_is_not_forgotten_when_its_next_holder_dies(
    ledger: SqlLedger, shared: Run, reopen: Callable[[], SqlLedger], given: Any
) -> None:
    budget, sample = {"calls": 12.0}, given.sample("a")
    first = ledger.claim_shard(shared.id, budget)
    assert first is not None
    ledger.record(shared.id, [sample], [given.answer(sample, attempts=1)], [], given.at)
    _give_back(ledger, shared, first, {**NOTHING, "calls": 4})  # three were broken off
    for shard in ledger.shards(shared.id)[1:]:
        claimed = ledger.claim_shard(shared.id, budget)
        assert claimed is not None
        assert claimed.number == shard.number
        _end(ledger, shared, claimed, given)
    for kept, name in ((2, "b"), (3, "c")):
        again, more = ledger.claim_shard(shared.id, budget), given.sample(name)
        assert again is not None
        assert (again.spent["calls"], again.left["calls"]) == (3 + kept - 1, 12 - (3 + kept - 1))
        ledger.record(shared.id, [more], [given.answer(more, attempts=1)], [], given.at)
        _died(ledger, shared)
    last = reopen().claim_shard(shared.id, budget)
    assert last is not None
    assert (last.spent["calls"], last.left["calls"]) == (6, 6)


def test_a_hand_that_is_still_at_work_keeps_the_turn_of_a_run_that_was_stopped(
    ledger: SqlLedger, shared: Run, reopen: Callable[[], SqlLedger], given: Any
) -> None:
    hand = reopen()
    shard = hand.claim_shard(shared.id, {})
    assert shard is not None
    ledger.stop_shared(shared.id, RunStatus.INTERRUPTED, given.at, "a signal")
    assert ledger.take_turn("support", given.at).came.value == "busy"
    _give_back(hand, shared, shard)
    assert ledger.take_turn("support", given.at).came.value == "taken"


def test_a_shared_run_is_neither_pruned_nor_run_beside_by_a_schedule_while_a_shard_is_held(
    ledger: SqlLedger, shared: Run, reopen: Callable[[], SqlLedger], given: Any
) -> None:
    given.start(ledger)  # the newest of a suite is kept anyhow
    ledger.release()
    assert ledger.prune([shared.id])["run"] == 1
    run = given.share(ledger, 3, 3)
    other = reopen()
    assert other.claim_shard(run.id, {}) is not None
    assert "works on it" in ledger.kept([run.id])[run.id]
    assert ledger.take_turn("support", given.at).came.value == "busy"
    (unfinished,) = [one for one in ledger.unfinished_runs() if one.run.id == run.id]
    assert unfinished.worked_on_by is not None
    other.close()
    assert ledger.shards(run.id)[0].is_free


def test_a_shared_run_is_gone_on_with_by_who_shares_and_by_nobody_else(
    ledger: SqlLedger, shared: Run, given: Any
) -> None:
    assert ledger.unfinished("support", given.manifest().digest) is None
    ledger.stop_shared(shared.id, RunStatus.INTERRUPTED, given.at, "a signal")
    again = given.share(ledger, 9, 2)
    assert (again.id, again.status, again.note) == (shared.id, RunStatus.RUNNING, None)
    assert [shard.places for shard in ledger.shards(shared.id)] == cut(9, 3)
    assert given.share(ledger, 9, 3, {"due": "2026-11-28T06:00:00+09:00"}).id != shared.id


def test_of_many_who_share_a_suite_at_once_one_opens_the_run(given: Any, reopen: Callable[[], SqlLedger]) -> None:
    hands = [reopen() for _ in range(6)]
    together = Barrier(6)

    def share(hand: SqlLedger, due: str) -> Run:
        together.wait(60)
        return given.share(hand, 9, 3, {"due": due})  # type: ignore[no-any-return]

    for due in map(str, range(5)):
        with ThreadPoolExecutor(6) as pool:
            opened = {run.id for run in pool.map(share, hands, [due] * 6)}
        assert opened == {f"support.{int(due) + 1}"}
        assert [shard.places for shard in hands[0].shards(*opened)] == cut(9, 3)
