"""What the simulation asks of the gate in looks and of the nightly monitor; see `gate_questions`."""

from __future__ import annotations

import numpy as np
import worlds
from gate_questions import Seed, column
from scipy.special import ndtr
from worlds import Floats, pair, table

from haetae.stats.betting import betting_e_values
from haetae.stats.boundaries import boundaries
from haetae.stats.monitor import NIGHTS_A_MONTH, WINDOWS, Night, monitor
from haetae.stats.sequential import Design, decide, equal_looks

LOOKS, MARGIN = equal_looks(1_000), 0.05
STREAMS, RATE, CORRELATION = 20, 0.8, 0.5


def looks(seed: Seed, repetitions: int, kind: str, drop: float) -> list[tuple[int, str]]:
    """(samples asked, verdict) with ten looks at 1,000 samples, tolerance 5 points, correlation .5."""
    rng, design = np.random.default_rng(seed), Design(LOOKS)
    out = []
    for i in range(repetitions):
        before, after = pair(rng, kind, LOOKS[-1], CORRELATION, drop)
        for look, n in enumerate(LOOKS):
            verdict, _ = decide([column(before[:n], after[:n], MARGIN)], look, design, seed=i)
            if verdict is not None:
                out.append((n, verdict.value))
                break
    return out


def known_looks(seed: Seed, repetitions: int, kind: str, drop: float) -> list[int]:
    """Samples asked by the same looks where d is normal and its variance known: the yardstick of `looks`."""
    rng, n = np.random.default_rng(seed), np.array(LOOKS)
    spread = worlds.spread(kind, CORRELATION, drop)
    bounds = np.array(boundaries(tuple(n / LOOKS[-1]), Design(LOOKS).alpha))
    steps = np.diff(n, prepend=0)
    moved = np.cumsum(rng.normal(-drop * steps, spread * np.sqrt(steps), (repetitions, len(n))), axis=1)
    z = np.maximum(moved + n * MARGIN, -moved) / (spread * np.sqrt(n))
    decided = z >= bounds
    decided[:, -1] = True
    return [int(samples) for samples in n[decided.argmax(axis=1)]]


def betting(seed: Seed, repetitions: int) -> list[bool]:
    """Does the e-value against "no drop" ever reach 20, looking after each of 1,000 samples?"""
    rng = np.random.default_rng(seed)
    return [
        bool((betting_e_values(before - after) >= 20).any())
        for before, after in (pair(rng, "binary", 1_000, CORRELATION) for _ in range(repetitions))
    ]


def quiet_month(seed: Seed, repetitions: int, n: int) -> list[int]:
    """Alarms of one stream of n samples over 30 nights when nothing changed."""
    return _month(seed, repetitions, n, shared=0.0)


def uneasy_month(seed: Seed, repetitions: int, n: int) -> list[int]:
    """The same where all samples of a night share a shift, which is as large as the noise of the night's mean."""
    return _month(seed, repetitions, n, shared=noise(n))


def _month(seed: Seed, repetitions: int, n: int, shared: float) -> list[int]:
    rng, shifts = np.random.default_rng(seed), np.random.default_rng([*seed, 1])
    out = []
    for _ in range(repetitions):
        rates = worlds.rates(rng, n, RATE, CORRELATION)
        nights = [worlds.shifted(rates, by) for by in shared * shifts.normal(size=NIGHTS_A_MONTH)]
        history = [Night(str(t), table(worlds.night(rng, night))) for t, night in enumerate(nights)]
        out.append(len(monitor(history, budget=1.0, streams=STREAMS)))
    return out


def noise(n: int) -> float:
    """The standard deviation of the mean of n samples from night to night."""
    return float(np.sqrt(RATE * (1 - RATE) * (1 - CORRELATION) / n))


def dropped_stream(seed: Seed, repetitions: int, n: int, drop: float, within: int) -> list[tuple[bool, bool, bool]]:
    """(found in time, change run within one night, found by `known_noise`) after 14 to 29 quiet nights."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(repetitions):
        rates, first = worlds.rates(rng, n, RATE, CORRELATION), int(rng.integers(14, NIGHTS_A_MONTH))
        nights = [worlds.night(rng, rates, drop / RATE if t >= first else 0.0) for t in range(first + within)]
        history = [Night(str(t), table(scores)) for t, scores in enumerate(nights)]
        alarms = [a for a in monitor(history, budget=1.0, streams=STREAMS) if int(a.detected_at) >= first]
        near = bool(alarms) and abs(int(alarms[0].changed_at) - first) <= 1
        out.append((bool(alarms), near, known_noise(np.array([scores.mean() for scores in nights]), first, n)))
    return out


def known_noise(means: Floats, first: int, n: int) -> bool:
    """Whether the same windows find a drop from night `first` where a night's noise is known: the yardstick."""
    level = 1 / (NIGHTS_A_MONTH * STREAMS * len(WINDOWS))
    for t in range(first + 1, len(means) + 1):
        for w in WINDOWS:
            before, after = means[: t - w], means[t - w : t]
            z = (before.mean() - after.mean()) / (noise(n) * np.sqrt(1 / w + 1 / (t - w)))
            if ndtr(-z) <= level:
                return True
    return False
