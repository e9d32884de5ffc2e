"""How the figures of `haetae cache` read."""

from __future__ import annotations

import pytest

from haetae.store.sizes import Held, Saved
from haetae.workbench.caching import Cache, size_text

HELD = Held(runs=3, samples=1000, answers=3000, scores=6000, reusable_answers=1000, reusable_judgements=1000)
SAVED = (
    Saved("bot", "2026-02", answers=1000, judgements=0, calls=1010, tokens=20_000, cost_usd=None),
    Saved("bot", "2026-03", answers=1000, judgements=1000, calls=2005, tokens=40_000, cost_usd=1.25),
    Saved("상담", "2026-03", answers=1, judgements=1, calls=2, tokens=30, cost_usd=0.5),
)


def _cache(saved: tuple[Saved, ...] = SAVED, half_pruned: tuple[str, ...] = ()) -> Cache:
    return Cache(
        "/home", "/home/ledger.db", {"ledger": 1_234_567, "ledger's log (WAL)": 32_768}, 4096, HELD, saved, half_pruned
    )


def test_what_was_saved_is_added_up_and_told_by_suite_and_month() -> None:
    assert _cache().text.splitlines() == [
        "/home",
        "  in all              1.3 MB",
        "  ledger              1.2 MB",
        "  ledger's log (WAL)  32.8 kB",
        "  4.1 kB of the ledger are gaps that new rows take first",
        "",
        "3 runs, 1,000 samples, 3,000 answers, 6,000 scores",
        "to be reused: 1,000 answers, 1,000 judgements",
        "reused so far: 2,001 answers, 1,001 judgements; that saved 3,017 calls, 60,030 tokens, $1.7500",
        "",
        "suite  month    answers  judgements  calls  tokens  cost",
        "bot    2026-02  1,000    0           1,010  20,000  cost unknown",
        "bot    2026-03  1,000    1,000       2,005  40,000  $1.2500",
        "상담   2026-03  1        1           2      30      $0.5000",
    ]
    said = _cache().as_json()
    assert said["saved"] == {"answers": 2001, "judgements": 1001, "calls": 3017, "tokens": 60_030, "cost_usd": 1.75}
    assert [part["month"] for part in said["saved_by"]] == ["2026-02", "2026-03", "2026-03"]


def test_what_has_no_price_has_no_sum() -> None:
    assert _cache(SAVED[:1]).as_json()["saved"]["cost_usd"] is None
    assert _cache(SAVED[:1]).text.count("cost unknown") == 2


def test_a_prune_that_was_cut_short_is_told() -> None:
    assert _cache(half_pruned=("bot.1", "bot.2")).text.endswith(
        "a prune has yet to delete 2 runs: haetae cache prune goes on"
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (38_649_856, "38.6 MB"), (5_000_000_000_000, "5,000.0 GB")],
)
def test_sizes_are_for_people(size: int, text: str) -> None:
    assert size_text(size) == text
