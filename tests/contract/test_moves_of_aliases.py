"""What every registry promises of aliases that move: who moved them and why is kept, and nobody is overtaken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from haetae.core.ledger import Promotion
from haetae.core.reference import Reference
from haetae.core.registry import AliasMove, Stand
from haetae.errors import RegistryError, StoreError
from haetae.store.sql import SqlLedger

PRODUCTION, CANDIDATE = Reference("llm", "production"), Reference("llm", "후보")


@pytest.fixture
def registry(ledger: SqlLedger, given: Any) -> SqlLedger:
    """Three versions of a model, the first in production."""
    for t in (0.0, 0.5, 1.0):
        ledger.register("model", "llm", {"temperature": t}, given.at)
    ledger.set_alias("model", "llm", "production", 1, given.at)
    ledger.set_alias("model", "llm", "후보", 2, given.at)
    return ledger


def test_a_move_is_kept_with_who_made_it_on_which_verdicts_and_why(registry: SqlLedger, given: Any) -> None:
    verdicts = {"bot.4": "regression"}
    moved = registry.set_alias(
        "model", "llm", "production", 2, given.later(1), by="promote", verdicts=verdicts, reason="급한 수정"
    )
    kept = AliasMove("model", "llm", "production", 2, 1, "promote", given.later(1), verdicts, "급한 수정")
    assert moved == kept
    first, *_ = registry.moves("model", "llm")
    assert first == kept
    assert [move.text for move in registry.moves()] == [
        "llm@production: 1 → 2",
        "llm@후보: none → 2",
        "llm@production: none → 1",
    ]
    assert registry.moves("prompt") == []
    assert len(registry.moves(limit=1)) == 1


def test_an_alias_that_points_there_already_has_not_moved(registry: SqlLedger, given: Any) -> None:
    assert registry.set_alias("model", "llm", "production", 1, given.later(1)) is None
    assert len(registry.moves("model", "llm")) == 2


@pytest.mark.parametrize(
    ("still", "said"),
    [
        ({PRODUCTION: 3, CANDIDATE: 2}, "model llm@production is version 1 now and was version 3"),
        ({PRODUCTION: 1, CANDIDATE: 3}, "model llm@후보 is version 2 now and was version 3"),
        ({PRODUCTION: None}, "model llm@production is version 1 now and was no version"),
        ({Reference("llm"): 2}, "model llm is version 3 now and was version 2"),
    ],
)
def test_nothing_moves_where_a_reference_means_another_version_by_now(
    registry: SqlLedger, given: Any, still: dict[Reference, int | None], said: str
) -> None:
    with pytest.raises(RegistryError, match=said):
        registry.set_alias("model", "llm", "production", 2, given.at, still=still)
    assert registry.find("model", PRODUCTION).number == 1
    assert len(registry.moves()) == 2


def test_of_many_who_promote_at_once_one_does(registry: SqlLedger, reopen: Callable[[], SqlLedger], given: Any) -> None:
    ledgers = [reopen() for _ in range(6)]
    together, moved, refused = threading.Barrier(len(ledgers)), [], []

    def promote(ledger: SqlLedger, number: int) -> None:
        together.wait()
        try:
            moved.append(ledger.set_alias("model", "llm", "production", number, given.at, still={PRODUCTION: 1}))
        except RegistryError as exc:
            refused.append(str(exc))

    threads = [threading.Thread(target=promote, args=(one, 2 + n % 2)) for n, one in enumerate(ledgers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(moved), len(refused)) == (1, 5)
    assert registry.find("model", PRODUCTION).number == moved[0].number
    assert len(registry.moves()) == 3


def test_where_both_registries_were_seen_is_kept_by_alias(registry: SqlLedger, given: Any) -> None:
    registry.keep_stand("model", "llm", "production", Stand(1, "7"), given.at)
    registry.keep_stand("model", "llm", "후보", Stand(2, None), given.at)
    registry.keep_stand("model", "llm", "production", Stand(2, "8"), given.later(1))
    assert registry.stands("model", "llm") == {"production": Stand(2, "8"), "후보": Stand(2, None)}
    assert registry.stands("prompt", "llm") == {}


def test_a_baseline_keeps_why_a_verdict_was_overruled(ledger: SqlLedger, given: Any) -> None:
    first, second = (given.start(ledger) for _ in range(2))
    ledger.promote("support", "production", first.id, given.at)
    ledger.promote("support", "production", second.id, given.later(1), "the data set has 40 new samples")
    newest, oldest = ledger.promotions("support")
    assert newest == Promotion("support", "production", second.id, given.later(1), "the data set has 40 new samples")
    assert oldest.reason is None
    assert ledger.promotions(run_id=first.id) == [oldest]
    assert ledger.promotions("other") == []


def test_a_baseline_that_has_moved_is_not_replaced_unseen(ledger: SqlLedger, given: Any) -> None:
    first, second, third = (given.start(ledger) for _ in range(3))
    ledger.promote("support", "production", first.id, given.at, still={"production": None})
    with pytest.raises(StoreError, match=f"production' of support is {first.id} now and was no run: it has moved"):
        ledger.promote("support", "production", second.id, given.at, still={"production": None})
    ledger.promote("support", "production", second.id, given.at, still={"production": first.id})
    with pytest.raises(StoreError, match=f"is {second.id} now and was {first.id}"):
        ledger.promote("support", "production", third.id, given.at, still={"production": first.id})
    ledger.promote("support", "production", second.id, given.at, still={"production": first.id})  # it is that one
    assert ledger.baseline("support", "production") == second


def test_of_many_runs_that_become_the_baseline_at_once_one_does(
    ledger: SqlLedger, reopen: Callable[[], SqlLedger], given: Any
) -> None:
    runs = [given.start(ledger) for _ in range(6)]
    ledgers, together, refused = [reopen() for _ in runs], threading.Barrier(len(runs)), []

    def promote(ledger: SqlLedger, run: str) -> None:
        together.wait()
        try:
            ledger.promote("support", "production", run, given.at, still={"production": None})
        except StoreError as exc:
            refused.append(exc)

    threads = [threading.Thread(target=promote, args=(one, run.id)) for one, run in zip(ledgers, runs, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(ledger.promotions("support")), len(refused)) == (1, 5)
