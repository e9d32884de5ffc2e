"""What the simulation asks: each function draws `repetitions` from one world and says what was decided.

All take (seed, repetitions, *world) and return one answer per repetition, so that they can run anywhere.
"""

from __future__ import annotations

import json
import resource
import subprocess
import tempfile
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import worlds
from naive import RULES
from scipy.special import ndtr
from worlds import Floats, pair, table

from haetae.core.verdict import Verdict
from haetae.stats.betting import betting_e_values
from haetae.stats.compare import GatedColumn, compare
from haetae.stats.judge_correction import correct, correct_drop
from haetae.stats.monitor import Night, monitor
from haetae.stats.sequential import Design, decide, equal_looks

Seed = list[int]

MARGINS = {50: 0.10, 200: 0.05, 1_000: 0.03}
Z05, Z80 = 1.6449, 0.8416
STREAMS, NIGHTS, RATE = 20, 30, 0.8
JUDGES: dict[str, tuple[tuple[float, ...], ...]] = {
    "0/1": ((0.93, 0.07, 0.8), (0.85, 0.30, 0.8), (0.90, 0.50, 0.7)),
    "continuous": ((0.05,), (0.15,), (0.40,)),
}
"""0/1: how often the judge says 1 of a good and of a bad answer, and the share of good ones. Continuous: its noise."""


def column(before: Floats, after: Floats, margin: float, slice_: str = "", name: str = "m") -> GatedColumn:
    return GatedColumn(name, (table(before),), table(after), None, margin, slice_)


@lru_cache(maxsize=64)
def findable(kind: str, n: int, rho: float) -> tuple[float, float]:
    """The drop that a known-variance z-test finds with probability .8, and the spread of d there."""
    drop = 0.0
    for _ in range(3):
        spread = worlds.spread(kind, rho, drop)
        drop = min((Z05 + Z80) * spread / n**0.5, 0.2)
    return drop, worlds.spread(kind, rho, drop)


def one_column(seed: Seed, repetitions: int, kind: str, n: int, rho: float) -> list[list[float]]:
    """[alarm when nothing changed, pass at the margin, drop found, power of the known-variance z-test]."""
    rng, margin = np.random.default_rng(seed), MARGINS[n]
    drop, spread = findable(kind, n, rho)
    limit = float(ndtr(drop / spread * n**0.5 - Z05))
    out = []
    for i in range(repetitions):
        alarm = compare([column(*pair(rng, kind, n, rho), 0.0)], seed=i)[0] is Verdict.REGRESSION
        passed = compare([column(*pair(rng, kind, n, rho, margin), margin)], seed=i)[0] is Verdict.PASS
        before, after = pair(rng, kind, n, rho, drop)
        found = compare([column(before, after, 0.0)], seed=i)[0] is Verdict.REGRESSION
        out.append([alarm, passed, found, limit])
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


def looks(seed: Seed, repetitions: int, kind: str, drop: float) -> list[tuple[int, str]]:
    """(samples asked, verdict) with ten looks at 1,000 samples, tolerance 5 points, correlation .5."""
    rng, design = np.random.default_rng(seed), Design(equal_looks(1_000))
    out = []
    for i in range(repetitions):
        before, after = pair(rng, kind, 1_000, 0.5, drop)
        for look, n in enumerate(design.looks):
            verdict, _ = decide([column(before[:n], after[:n], 0.05)], look, design, seed=i)
            if verdict is not None:
                out.append((n, verdict.value))
                break
    return out


def betting(seed: Seed, repetitions: int) -> list[bool]:
    """Does the e-value against "no drop" ever reach 20, looking after each of 1,000 samples?"""
    rng = np.random.default_rng(seed)
    return [
        bool((betting_e_values(before - after) >= 20).any())
        for before, after in (pair(rng, "binary", 1_000, 0.5) for _ in range(repetitions))
    ]


def quiet_month(seed: Seed, repetitions: int, n: int) -> list[int]:
    """Alarms of one stream of n samples over 30 nights when nothing changed."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(repetitions):
        rates = worlds.rates(rng, n, RATE)
        history = [Night(str(t), table(worlds.night(rng, rates))) for t in range(NIGHTS)]
        out.append(len(monitor(history, budget=1.0, streams=STREAMS)))
    return out


def dropped_stream(seed: Seed, repetitions: int, n: int, drop: float, within: int) -> list[tuple[bool, bool]]:
    """(found in time, change run within one night) after 14 to 29 quiet nights."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(repetitions):
        rates, first = worlds.rates(rng, n, RATE), int(rng.integers(14, NIGHTS))
        history = [
            Night(str(t), table(worlds.night(rng, rates, drop / RATE if t >= first else 0.0)))
            for t in range(first + within)
        ]
        alarms = [a for a in monitor(history, budget=1.0, streams=STREAMS) if int(a.detected_at) >= first]
        out.append((bool(alarms), bool(alarms) and abs(int(alarms[0].changed_at) - first) <= 1))
    return out


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
    """(seconds, MB before, MB at most) of one gate: 20 metrics of mixed kinds, each with its own texts."""
    rng = np.random.default_rng(0)
    columns = []
    for j in range(20):
        kind = worlds.KINDS[j % 3]
        ids = tuple(f"s{i:06d}" for i in range(n))  # texts that no other metric shares, as read from its own file
        before, after = (replace(table(side), sample_ids=ids, clusters=ids) for side in pair(rng, kind, n, 0.5))
        columns.append(GatedColumn(f"m{j}", (before,), after, None, 0.03))
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    compare(columns)
    seconds = time.perf_counter() - start
    return seconds, before_mb, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Rivals:
    """Other packages, asked about the same data in their own environment; None asks nobody."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.missing: list[str] = [] if folder else ["evalproof, statgate and ppi-python (no --rivals given)"]

    def gated(self, seed: int, repetitions: int) -> dict[str, tuple[float, float, float]]:
        """Per package: share of alarms when nothing changed; of alarms, and of passes, at the margin of 5 points."""
        rng = np.random.default_rng(seed)
        said = []
        for drop in (0.0, 0.05):
            pairs = [pair(rng, "binary", 200, 0.5, drop) for _ in range(repetitions)]
            before, after = (np.array(side) for side in zip(*pairs, strict=True))
            said.append(self._ask("gate", before=before, after=after, margin=np.array(0.05)))
        quiet, dropped = said

        def share(of: dict[str, list[str]], name: str, word: str) -> float:
            return float(np.mean([verdict == word for verdict in of[name]]))

        return {
            name: (share(quiet, name, "regression"), share(dropped, name, "regression"), share(dropped, name, "pass"))
            for name in sorted(quiet.keys() & dropped.keys())
        }

    def judged(self, seed: int, repetitions: int, labels: int) -> str:
        """Coverage of each package's interval for the 0/1 judge of the middle world."""
        rng, world = np.random.default_rng(seed), JUDGES["0/1"][1]
        draws = [judged(rng, "0/1", world, 1_000) for _ in range(repetitions)]
        judge, human = (np.array([draw[i] for draw in draws]) for i in (0, 1))
        said = self._ask("judge", judge=judge, human=human, labels=np.array(labels), truth=np.array(world[2]))
        return ", ".join(f"{name} {rate:.3f}".replace("0.", ".", 1) for name, rate in said.items()) or "not run"

    def _ask(self, question: str, **data: object) -> dict[str, Any]:
        if self.folder is None:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "data.npz"
            np.savez(path, **data)  # type: ignore[arg-type]  # arrays by name
            script = Path(__file__).with_name("rivals.py")
            done = subprocess.run(
                [self.folder / "bin" / "python", script, question, path], capture_output=True, text=True, check=False
            )
        self.missing += [line for line in done.stderr.splitlines() if ": " in line and not line.startswith(" ")]
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}
