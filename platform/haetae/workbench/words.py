"""Verdicts in words that a product manager understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haetae.core.metric import MetricFacts
from haetae.core.verdict import IMPROVED, Comparison, Difference, Verdict, lies_mostly_in
from haetae.workbench.grounds import BROKEN, awaits_a_limit, of_doubts, of_drops, of_passes, of_small_drops


def points(amount: float, facts: MetricFacts, *, sign: bool = False) -> str:
    """An amount of a metric's own units for people: points of 100 on a bounded scale, else as it is."""
    if facts.low is not None and facts.high is not None:
        return f"{100 * amount / (facts.high - facts.low):{'+' if sign else ''}.1f} points"
    return f"{amount:{'+' if sign else ''}.3g}"


def figure(number: float | None) -> str:
    """A value of any metric for people: four significant digits, a small one (a cost) without an exponent."""
    if number is None:
        return "none"
    text = f"{number:.4g}"
    return f"{number:.8f}".rstrip("0") if "e-" in text and abs(number) >= 1e-7 else text


def tolerance(difference: Difference, facts: MetricFacts) -> str:
    """The declared tolerance of a column for people."""
    return "none declared" if difference.margin is None else points(difference.margin, facts).replace(".0 ", " ")


def counted(number: int, what: str) -> str:
    """`1 sample`, `1,200 samples`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def clock(seconds: float) -> str:
    """`0:05`, `16:40`, `1:02:03`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def interval(difference: Difference, facts: MetricFacts) -> str:
    """The 95 % interval of a difference for people, as far as the scale goes; "" where there is none."""
    if difference.low is None or difference.high is None:
        return ""
    low, high = (points(end, facts, sign=True) for end in _within(facts, difference.low, difference.high))
    return f"{low.removesuffix(' points')} to {high}"


def sentence(verdict: Verdict, differences: Sequence[Difference], facts: Mapping[str, MetricFacts]) -> str:
    """The verdict in one or two sentences, with its numbers."""
    if verdict is Verdict.REGRESSION:
        return _regression([d for d in differences if d.verdict is Verdict.REGRESSION], facts)
    if verdict is Verdict.INCONCLUSIVE:
        primary = [d for d in differences if not d.slice] or differences
        return _inconclusive([d for d in primary if d.verdict is Verdict.INCONCLUSIVE], facts)
    if verdict is Verdict.NO_VERDICT:
        notes = dict.fromkeys(d.note for d in differences if d.note)
        return f"Nothing can be said: {', '.join(notes) or 'no sample is scored on both sides'}."
    tolerated = [d for d in differences if "tolerated" in d.note]
    if tolerated:
        names = ", ".join(_name(d) for d in tolerated)
        return f"Within tolerance: {names} got worse, by less than the declared tolerance."
    proven = of_passes(differences, facts)
    return f"Nothing got worse by more than its tolerance ({counted(len(differences), 'comparison')}).{proven}"


def _regression(found: Sequence[Difference], facts: Mapping[str, MetricFacts]) -> str:
    """Every metric that fell, and where it fell most; by its worst slice, where only slices of it fell.

    A slice of all samples says no more than the whole.
    """
    parts, shown, allowed = [], [], {}
    for metric in dict.fromkeys(d.metric for d in found):
        own = sorted((d for d in found if d.metric == metric), key=lambda d: abs(d.delta or 0.0), reverse=True)
        whole = next((d for d in own if not d.slice), None)
        slices = [d for d in own if d.slice and (whole is None or d.n < whole.n)]
        mostly = f", mostly in {slices[0].slice}" if whole and slices and _holds_most(slices[0], whole) else ""
        shown.append(whole or slices[0])
        parts.append(f"{moved(shown[-1], facts[metric])}{mostly}")
        allowed[metric] = tolerance(own[0], facts[metric])
    amounts = dict.fromkeys(allowed.values())
    told = amounts if len(amounts) == 1 else (f"{metric} {amount}" for metric, amount in allowed.items())
    return f"{'; '.join(parts)}; {of_drops(shown)}. Tolerance: {', '.join(told)}{of_small_drops(shown, facts)}."


def _holds_most(part: Difference, whole: Difference) -> bool:
    return lies_mostly_in((part.n, part.delta or 0.0), (whole.n, whole.delta or 0.0))


def moved(difference: Difference, facts: MetricFacts) -> str:
    """`faithful fell by 4.1 points (95 % interval 1.9 to 6.3)`."""
    delta = difference.delta or 0.0
    worse = (delta < 0) == facts.higher_is_better
    change = f"{'fell' if delta < 0 else 'rose'} by {points(abs(delta), facts)}" if delta else "did not change"
    text = f"{_name(difference)} {change}"
    if difference.low is not None and difference.high is not None:
        ends = sorted((-difference.low, -difference.high) if delta < 0 else (difference.low, difference.high))
        low, high = (points(end, facts).removesuffix(" points") for end in _within(facts, *ends))
        text += f" (95 % interval {low} to {high})"
    text += "".join(f", {limit}" for limit in BROKEN if limit in difference.note)
    return text if worse or delta == 0 else f"{text}, an improvement"


def improvements(differences: Sequence[Difference], facts: Mapping[str, MetricFacts]) -> list[str]:
    """A warning for each sudden rise of quality: a broken measurement looks like progress.

    Not for an open scale: a cost or a latency that falls is what it seems.
    """
    return [
        f"{d.metric}{f'[{d.slice}]' if d.slice else ''}: improved by {points(abs(d.delta or 0.0), facts[d.metric])}, "
        "more than chance explains: check that nothing broke the measurement"
        for d in differences
        if IMPROVED in d.note and _is_bounded(facts[d.metric])
    ]


def pooled(comparison: Comparison) -> str:
    """` and 9 quiet runs like it`: what else than its first run the baseline is, "" for nothing."""
    others = len(comparison.baseline) - 1
    return f" and {counted(others, 'quiet run')} like it" if others > 0 else ""


def of_slices(comparison: Comparison) -> str:
    """Why a comparison passes although slices of it do not, "" where all do or it does not pass."""
    if comparison.verdict is not Verdict.PASS or all(d.verdict is Verdict.PASS for d in comparison.differences):
        return ""
    return "A pass rests on whole metrics: a slice can fail the gate by a proven drop, but cannot withhold a pass."


def _inconclusive(found: Sequence[Difference], facts: Mapping[str, MetricFacts]) -> str:
    if not found:
        return "The numbers would pass, but errors on one side withhold it."
    needed = [d.needed - d.n for d in found if d.needed is not None and d.needed > d.n]
    at_a_limit = [d for d in found if awaits_a_limit(d, facts)]
    fallen = [d for d in found if d not in at_a_limit]
    parts = [
        f"{', '.join(dict.fromkeys(map(_name, some)))} {what}, or not"
        for some, what in (
            (fallen, "may have got worse by more than the tolerance"),
            (at_a_limit, "may be beyond the declared floor or ceiling"),
        )
        if some
    ]
    more = f" About {counted(max(needed), 'more sample')} would settle it." if needed else ""
    return f"Not proven either way: {'; '.join(parts)}.{of_doubts(fallen, facts)}{more}"


def _within(facts: MetricFacts, *ends: float) -> list[float]:
    """The ends of an interval of a difference, none beyond what a bounded scale allows."""
    if facts.low is None or facts.high is None:
        return list(ends)
    width = facts.high - facts.low
    return [max(-width, min(width, end)) for end in ends]


def _is_bounded(facts: MetricFacts) -> bool:
    return facts.low is not None and facts.high is not None


def _name(difference: Difference) -> str:
    return f"{difference.metric} in {difference.slice}" if difference.slice else difference.metric
