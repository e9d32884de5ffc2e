"""What a verdict rests on, said where its 95 % interval does not show it.

Verdicts come from one-sided tests at α, which also guard against what few samples cannot show; the interval
beside them has two sides at 95 %. So a drop may be proven although its interval holds 0, and a tolerance kept
although the interval reaches beyond it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haetae.core.metric import MetricFacts
from haetae.core.verdict import Difference

BROKEN = ("below the floor", "above the ceiling")
"""Notes of a column that regressed by its value, whatever its change."""


def of_drops(found: Sequence[Difference]) -> str:
    """That the drops are no noise; where an interval holds 0, how often chance alone does this."""
    unclear = [d.p_drop_adjusted for d in found if _holds_zero(d) and d.p_drop_adjusted is not None and not _broken(d)]
    if not unclear:
        return "this is not noise"
    p = max(unclear)
    return f"chance alone does this in {p:.1%} of unchanged comparisons (one-sided p = {p:.3f})".replace("%", " %")


def of_small_drops(found: Sequence[Difference], facts: Mapping[str, MetricFacts]) -> str:
    """Which drops are smaller than their tolerance and regress all the same, "" for none."""
    small = [d for d in found if d.margin is not None and _worse(d.delta, d, facts) < d.margin and not _broken(d)]
    return f"; not proven to stay within it: {_names(small)}" if small else ""


def of_passes(found: Sequence[Difference], facts: Mapping[str, MetricFacts]) -> str:
    """Why whole metrics pass whose interval reaches beyond the tolerance, "" where none does."""
    wide = [d for d in found if not d.slice and d.p_noninferior is not None and not _inside(d, facts)]
    if not wide:
        return ""
    return (
        f" The 95 % interval of {_names(wide)} reaches beyond the tolerance: it has two sides, and the one-sided "
        f"test that decides proves the tolerance kept ({_largest(wide)})."
    )


def of_doubts(found: Sequence[Difference], facts: Mapping[str, MetricFacts]) -> str:
    """Why columns do not pass whose interval lies within the tolerance, "" where none does."""
    narrow = [d for d in found if d.p_noninferior is not None and d.margin is not None and _inside(d, facts)]
    if not narrow:
        return ""
    return (
        f" The 95 % interval of {_names(narrow)} lies within the tolerance, but {max(d.n for d in narrow)} samples "
        f"cannot rule out a rare harm (one-sided {_largest(narrow)})."
    )


def awaits_a_limit(d: Difference, facts: Mapping[str, MetricFacts]) -> bool:
    """Whether only its floor or ceiling keeps a column from passing."""
    return "not settled" in d.note and _inside(d, facts)


def _inside(d: Difference, facts: Mapping[str, MetricFacts]) -> bool:
    """Whether the interval lies within the tolerance; where either is missing, nothing contradicts it."""
    end = d.low if facts[d.metric].higher_is_better else d.high
    return end is None or d.margin is None or _worse(end, d, facts) <= d.margin


def _worse(change: float | None, d: Difference, facts: Mapping[str, MetricFacts]) -> float:
    """By how much a change is for the worse, negative for the better."""
    return (change or 0.0) * (-1 if facts[d.metric].higher_is_better else 1)


def _holds_zero(d: Difference) -> bool:
    return d.low is not None and d.high is not None and d.low <= 0 <= d.high


def _broken(d: Difference) -> bool:
    return any(limit in d.note for limit in BROKEN)


def _names(found: Sequence[Difference]) -> str:
    return ", ".join(dict.fromkeys(f"{d.metric} in {d.slice}" if d.slice else d.metric for d in found))


def _largest(found: Sequence[Difference]) -> str:
    p = max(d.p_noninferior or 0.0 for d in found)
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
