"""What the simulation asks of the gate: each question draws `repetitions` from one world and says what was decided.

All take (seed, repetitions, *world) and return one answer per repetition, so that they can run anywhere.
"""

from __future__ import annotations

import resource
import time
from dataclasses import replace
from functools import lru_cache

import numpy as np
import worlds
from naive import RULES
from worlds import Floats, pair, table

from haetae.core.verdict import Verdict
from haetae.stats.compare import GatedColumn, compare

Seed = list[int]

MARGINS = {50: 0.10, 200: 0.05, 1_000: 0.03}
Z05, Z80 = 1.6449, 0.8416


def column(before: Floats, after: Floats, margin: float) -> GatedColumn:
    return GatedColumn("m", (table(before),), table(after), None, margin)


@lru_cache(maxsize=64)
def findable(kind: str, n: int, rho: float) -> tuple[float, float]:
    """The drop that a known-variance z-test finds with probability .8, and the spread of d there."""
    drop = 0.0
    for _ in range(3):
        spread = worlds.spread(kind, rho, drop)
        drop = min((Z05 + Z80) * spread / n**0.5, 0.2)
    return drop, worlds.spread(kind, rho, drop)


def one_column(seed: Seed, repetitions: int, kind: str, n: int, rho: float) -> list[list[bool]]:
    """[alarm when nothing changed, pass at the margin, drop found, found by a z-test that knows the variance].

    The z-test is that of theory, which knows no grid of scores: each mean is moved at random within its step.
    """
    rng, margin = np.random.default_rng(seed), MARGINS[n]
    within = np.random.default_rng([*seed, 1]).uniform(-0.5, 0.5, repetitions) * worlds.STEPS[kind] / n
    drop, spread = findable(kind, n, rho)
    out = []
    for i in range(repetitions):
        alarm = compare([column(*pair(rng, kind, n, rho), 0.0)], seed=i)[0] is Verdict.REGRESSION
        passed = compare([column(*pair(rng, kind, n, rho, margin), margin)], seed=i)[0] is Verdict.PASS
        before, after = pair(rng, kind, n, rho, drop)
        found = compare([column(before, after, 0.0)], seed=i)[0] is Verdict.REGRESSION
        z = (float((before - after).mean()) + within[i]) / spread * n**0.5
        out.append([alarm, passed, found, z >= Z05])
    return out


def family_of_twenty(seed: Seed, repetitions: int) -> list[bool]:
    """Any alarm over 20 columns of 200 samples, correlated .5, when nothing changed."""
    rng, zero = np.random.default_rng(seed), np.zeros(200)
    out = []
    for i in range(repetitions):
        d = np.sqrt(0.5) * (rng.normal(size=(200, 1)) + rng.normal(size=(200, 20)))
        before = table(zero, open_scale=True)
        columns = [
            GatedColumn(f"m{j}", (before,), table(d[:, j], open_scale=True), None, 0.0) for j in range(d.shape[1])
        ]
        out.append(compare(columns, seed=i)[0] is Verdict.REGRESSION)
    return out


def suite(rng: np.random.Generator, columns: int) -> list[GatedColumn]:
    """1 metric, or 1 or 4 metrics with their four slices: 1, 5 or 20 columns of which nothing changed."""
    language = [("ko", "en", "ja", "de")[i % 4] for i in range(200)]
    out = []
    for j in range(max(1, columns // 5)):
        before, after = (table(side, {"lang": language}) for side in pair(rng, "binary", 200, 0.5))
        slices = [f"lang={x}" for x in ("ko", "en", "ja", "de")] if columns > 1 else []
        out += [GatedColumn(f"m{j}", (before,), after, None, 0.05, s) for s in ("", *slices)]
    return out


def nightly(seed: Seed, repetitions: int, columns: int) -> list[list[bool]]:
    """Whether each naive rule, then Haetae, alarms on any column of one suite when nothing changed."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(repetitions):
        gated = suite(rng, columns)
        said = []
        for rule in RULES.values():
            sides = []
            for c in gated:
                kept = slice(("ko", "en", "ja", "de").index(c.slice[5:]), None, 4) if c.slice else slice(None)
                sides.append(rule(c.baseline[0].values[kept], c.candidate.values[kept]))
            said.append(any(sides))
        out.append([*said, compare(gated, seed=i)[0] is Verdict.REGRESSION])
    return out


def against_rules(seed: Seed, repetitions: int, drop: float) -> list[list[bool]]:
    """Whether each naive rule, then Haetae, alarms at a true drop; last, whether Haetae passes it."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(repetitions):
        before, after = pair(rng, "binary", 200, 0.5, drop)
        verdict = compare([column(before, after, drop)], seed=i)[0]
        rules = [rule(before, after) for rule in RULES.values()]
        out.append([*rules, verdict is Verdict.REGRESSION, verdict is Verdict.PASS])
    return out


def speed(n: int) -> tuple[float, float, float]:
    """(seconds of the fastest of three, MB before, MB at most) of a gate: 20 metrics, each with its own texts."""
    rng = np.random.default_rng(0)
    columns = []
    for j in range(20):
        kind = worlds.KINDS[j % 3]
        ids = tuple(f"s{i:06d}" for i in range(n))  # texts that no other metric shares, as read from its own file
        before, after = (replace(table(side), sample_ids=ids, clusters=ids) for side in pair(rng, kind, n, 0.5))
        columns.append(GatedColumn(f"m{j}", (before,), after, None, 0.03))
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        compare(columns)
        seconds.append(time.perf_counter() - start)
    return min(seconds), before_mb, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
