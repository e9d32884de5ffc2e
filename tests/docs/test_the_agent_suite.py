"""The conversations that ship score as they were worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from haetae import Workbench, load_settings

SUITE = Path(__file__).parents[2] / "datasets" / "agent" / "suite.yaml"

# (F1 of the calls, all expected in order, turns written)
BY_HAND = {
    "ko-track": (1, 1, 3),
    "ko-refund": (1, 1, 3),
    "ko-address": (2 / 3, 0, 2),  # never looked the order up; the address differs in a blank
    "ko-policy": (1, 1, 1),
    "ko-correct": (1, 1, 3),  # four turns, of which one was given
    "ko-coupon": (1, 0, 2),
    "en-track": (1, 1, 3),
    "en-refund": (4 / 5, 1, 4),  # one wrong call before the right one
    "en-policy": (0, 1, 2),  # a call where none was needed
    "en-cancel": (4 / 5, 0, 3),
    "en-correct": (1, 1, 2),  # 50 written as "50"
    "en-charge": (1, 0, 3),
}


def test_the_agents_conversations_score_as_worked_out_by_hand(tmp_path: Path) -> None:
    with Workbench(load_settings({"HAETAE_HOME": str(tmp_path)})) as bench:
        report = bench.run(SUITE)
        found = {result.sample.id: result.scores for result in bench.ledger.results(report.run.id)}
    assert found.keys() == BY_HAND.keys()
    for sample_id, (calls, way, turns) in BY_HAND.items():
        scores = [found[sample_id][name].score.value for name in ("calls", "way", "turns")]
        assert scores == [pytest.approx(calls), way, turns], sample_id
