"""Which columns dropped: step-down max-T over random sign flips of cluster sums.

Under the null "nothing moved" every cluster's summed difference is as likely to be +U as −U. The same
flip for all columns keeps their correlation, so the family costs what its correlation leaves of it.
Sources: Westfall and Young 1993; Hemerik, Goeman and Finos 2020 (sign flipping); Fagerland et al. 2013
(mid-p: on 0/1 data with one column this is McNemar's mid-p).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from haetae.stats.distributions import sign_mid_p
from haetae.stats.samples import Floats

EXACT = 12
ROUND, ROUNDS = 2_000, 5
BLOCKS = 4_096
CELLS = 1 << 22
"""Signs held at once: 16 MB."""
TIE = 1e-4
"""Closer than this, in standard deviations, is a tie: wider than float32's error, narrower than a step of 0/1 data."""

Signs = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FamilyP:
    """One-sided p-values per column, (columns,) each: of a drop, plain and adjusted over the family, and of a rise."""

    drop: Floats
    drop_adjusted: Floats
    rise: Floats
    rise_adjusted: Floats


def family_p(sums: Floats, *, alpha: float, seed: int) -> FamilyP:
    """p-values of "this column's mean is below 0" and "above 0" from `sums` (clusters, columns).

    A cluster that a column lacks has sum 0 there. All 2^G flips when at most 12 clusters moved at all;
    otherwise 2,000 random ones, and up to 10,000 while any adjusted p is within four standard errors of
    `alpha`. A column whose movements all have one size gets its exact binomial p. One that did not
    move has p = 1/2.
    """
    moved = sums[(sums != 0).any(axis=1)]
    if sums.shape[1] == 1 and _one_size(moved[:, 0]):
        fallen, risen = (np.array([_binomial(side * moved[:, 0])]) for side in (1, -1))
        return FamilyP(fallen, fallen, risen, risen)
    whole, moved = moved, _blocks(moved, seed)
    norm = np.sqrt((moved * moved).sum(axis=0))
    scaled = np.divide(moved, norm, out=np.zeros_like(moved), where=norm > 0)
    drop, rise = _Tally(-scaled.sum(axis=0)), _Tally(scaled.sum(axis=0))
    for flipped, last in _flips(scaled.astype(np.float32), seed):
        drop.add(flipped)
        rise.add(flipped)
        if last and all(tally.settled(alpha) for tally in (drop, rise)):
            break
    if len(moved) > EXACT:  # the data themselves are one of the equally likely flips
        drop.add(-scaled.sum(axis=0, keepdims=True))
        rise.add(scaled.sum(axis=0, keepdims=True))
    p_drop, p_rise = _exact(whole, drop.plain()), _exact(-whole, rise.plain())
    if sums.shape[1] == 1:
        return FamilyP(p_drop, p_drop, p_rise, p_rise)
    return FamilyP(p_drop, np.maximum(drop.adjusted(), p_drop), p_rise, np.maximum(rise.adjusted(), p_rise))


def _flips(scaled: Signs, seed: int) -> Iterator[tuple[Floats, bool]]:
    """Flipped standardised sums (flips, columns) in chunks; the flag marks the end of a round.

    Every flip comes with its opposite, which is as likely: half the work, and one set serves drops and rises.
    """
    clusters = len(scaled)
    whole = scaled.sum(axis=0)
    if clusters <= EXACT:
        bits = (np.arange(1 << clusters)[:, None] >> np.arange(clusters)) & 1
        yield 2 * (bits.astype(np.float32) @ scaled) - whole, True
        return
    rng = np.random.default_rng(seed)
    half = ROUND // 2
    step = max(1, min(half, CELLS // clusters))
    for _ in range(ROUNDS):
        for start in range(0, half, step):
            rows = min(step, half - start)
            raw = np.frombuffer(rng.bytes(rows * ((clusters + 7) // 8)), dtype=np.uint8).reshape(rows, -1)
            signs = np.unpackbits(raw, axis=1, count=clusters).astype(np.float32)
            flipped = 2 * (signs @ scaled) - whole
            yield np.concatenate([flipped, -flipped]), start + rows == half


class _Tally:
    """Counts flips at least as extreme as `observed` (columns,), ties by half."""

    def __init__(self, observed: Floats) -> None:
        self.order = np.argsort(-observed, kind="stable")
        self.observed = observed[self.order]
        self.flips = 0
        self.alone = np.zeros(len(observed))
        self.stepdown = np.zeros(len(observed))

    def add(self, flipped: Floats) -> None:
        """Count `flipped` (flips, columns), in the columns' own order."""
        ordered = flipped[:, self.order]
        self.alone += self._extreme(ordered)
        # The j-th largest is compared with the maximum over itself and all smaller ones.
        self.stepdown += self._extreme(np.maximum.accumulate(ordered[:, ::-1], axis=1)[:, ::-1])
        self.flips += len(flipped)

    def _extreme(self, flipped: Floats) -> Floats:
        at_least = (flipped >= self.observed - TIE).sum(axis=0)
        above = (flipped > self.observed + TIE).sum(axis=0)
        return np.asarray((at_least + above) / 2)

    def plain(self) -> Floats:
        return self._back(self.alone / self.flips)

    def adjusted(self) -> Floats:
        return self._back(np.maximum.accumulate(self.stepdown / self.flips))

    def settled(self, alpha: float) -> bool:
        p = self.stepdown / self.flips
        error = math.sqrt(alpha * (1 - alpha) / self.flips)
        return bool((np.abs(p - alpha) > 4 * error).all())

    def _back(self, ordered: Floats) -> Floats:
        out = np.empty_like(ordered)
        out[self.order] = ordered
        return out


def _blocks(moved: Floats, seed: int) -> Floats:
    """Above 4,096 clusters, the sums of as many random blocks of them.

    To flip whole blocks is to choose among fewer of the same equally likely flips, so the p-values are
    as exact (Hemerik and Goeman 2018); only a drop far larger than its error would lose power.
    """
    if len(moved) <= BLOCKS:
        return moved
    order = np.random.default_rng(seed).permutation(len(moved))
    starts = np.linspace(0, len(moved), BLOCKS, endpoint=False).astype(np.intp)
    return np.asarray(np.add.reduceat(moved[order], starts, axis=0), dtype=np.float64)


def _exact(moved: Floats, p: Floats) -> Floats:
    """Replace p-values of a drop by binomial ones where all movements of a column have one size."""
    return np.array(
        [_binomial(column) if _one_size(column) else plain for column, plain in zip(moved.T, p, strict=True)]
    )


def _one_size(column: Floats) -> bool:
    """Whether all movements (there may be none) are +u or −u."""
    size = np.abs(column[column != 0])
    return not len(size) or float(np.ptp(size)) <= 1e-9 * float(size.max())


def _binomial(column: Floats) -> float:
    """The exact mid-p of a drop, of movements of one size."""
    return sign_mid_p(int((column < 0).sum()), int((column != 0).sum()))
