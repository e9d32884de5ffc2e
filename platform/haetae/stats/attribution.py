"""Did the judge move? The same answer scored twice should score the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from haetae.core.table import ScoreTable
from haetae.stats.paired import pair
from haetae.stats.samples import sum_by
from haetae.stats.signflip import family_p


@dataclass(frozen=True, slots=True)
class JudgeMoved:
    """What the identical answers say of the judge.

    `n_identical` of the `n` samples scored on both sides have an answer that occurs on both sides.
    `delta` is their mean difference in native units, candidate − baseline, and `p` the two-sided
    evidence that it is not 0; both None without an identical answer.
    """

    n_identical: int
    n: int
    delta: float | None
    p: float | None


def judge_moved(baseline: Sequence[ScoreTable], candidate: ScoreTable, *, seed: int = 0) -> JudgeMoved:
    """Compare the scores of answers whose output digests are the same on both sides.

    With repeats or several runs, every (sample, answer) found on both sides is paired by itself, and
    flips sign with its cluster (the engine of the gate; p doubles the smaller one-sided mid-p).
    """
    n = len(pair(baseline, candidate).ids)
    known = [table for table in baseline if table.outputs]
    if not known or not candidate.outputs:
        return JudgeMoved(0, n, None, None)
    pairs = pair([_by_answer(table) for table in known], _by_answer(candidate))
    if not pairs.ids:
        return JudgeMoved(0, n, None, None)
    moved = pairs.candidate - pairs.baseline
    moved[np.isclose(pairs.candidate, pairs.baseline, rtol=1e-12, atol=0)] = 0.0
    p = family_p(sum_by(pairs.clusters, moved)[:, None], alpha=0.05, seed=seed)
    samples = {candidate.sample_ids[row] for row in pairs.rows}
    return JudgeMoved(len(samples), n, float(moved.mean()), min(1.0, 2 * float(min(p.drop[0], p.rise[0]))))


def _by_answer(table: ScoreTable) -> ScoreTable:
    """The same rows, keyed by sample and answer; a row without an answer is unscored."""
    ids = tuple(f"{sample}\0{output}" for sample, output in zip(table.sample_ids, table.outputs, strict=True))
    answered = np.array([bool(output) for output in table.outputs])
    return replace(table, sample_ids=ids, values=np.where(answered, table.values, np.nan), stats=None)
