"""What the simulation asks of estimates that a judge gave and people corrected; see `gate_questions`."""

from __future__ import annotations

import numpy as np
from gate_questions import Seed, column
from worlds import Floats, pair

from haetae.core.verdict import Verdict
from haetae.stats.compare import compare
from haetae.stats.judge_correction import correct, correct_drop

JUDGES: dict[str, tuple[tuple[float, ...], ...]] = {
    "0/1": ((0.93, 0.07, 0.8), (0.85, 0.30, 0.8), (0.90, 0.50, 0.7)),
    "continuous": ((0.05,), (0.15,), (0.40,)),
}
"""0/1: how often the judge says 1 of a good and of a bad answer, and the share of good ones. Continuous: its noise."""


def judged(rng: np.random.Generator, kind: str, world: tuple[float, ...], n: int) -> tuple[Floats, Floats, float]:
    """(judge, human, truth): scores of n samples, and the mean that people would give all there are."""
    if kind == "0/1":
        right, wrong, truth = world
        human = (rng.random(n) < truth) * 1.0
        return (rng.random(n) < np.where(human == 1, right, wrong)) * 1.0, human, truth
    human = rng.beta(4, 2, n)
    return np.clip(0.3 + 0.6 * human + world[0] * rng.normal(size=n), 0, 1), human, 2 / 3


def coverage(seed: Seed, repetitions: int, kind: str, world: tuple[float, ...], labels: int) -> list[bool]:
    """Whether the interval from 1,000 judge scores and a few labels holds the truth."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(repetitions):
        judge, human, truth = judged(rng, kind, world, 1_000)
        found = correct(judge, judge[:labels], human[:labels], binary=kind == "0/1", seed=i)
        out.append(found.low is not None and found.high is not None and found.low <= truth <= found.high)
    return out


def pleased_judge(seed: Seed, repetitions: int) -> list[list[bool]]:
    """[raw judge passes, corrected passes]: the candidate lost 5 points, and pleases the judge in 3 of 10."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(repetitions):
        before, after = pair(rng, "binary", 1_000, 0.5, 0.05)
        old, new = (np.where(rng.random(1_000) < 0.9, side, 1 - side) for side in (before, after))
        new = np.maximum(new, rng.random(1_000) < 0.3)
        raw, d = compare([column(old, new, 0.03)])[0], new - old
        fixed = correct_drop(d, d[:50], (after - before)[:50], margin=0.03, seed=i)
        out.append([raw is Verdict.PASS, fixed.p_noninferior <= 0.05])
    return out
