"""What the gate on score files returns to its door, and how it reads as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from haetae.core.canonical import Json
from haetae.core.metric import MetricFacts
from haetae.core.verdict import Comparison, Difference, Verdict
from haetae.stats.power import detectable_from
from haetae.workbench.report import comparison_lines, exit_code
from haetae.workbench.scores.counts import MetricCount
from haetae.workbench.words import points

_SHOWN = 6
"""Metrics whose smallest findable drop is printed."""


@dataclass(frozen=True)
class ScoreReport:
    """A comparison of two score files; `facts` and `counts` are by metric, `margin` as it was declared."""

    comparison: Comparison
    facts: Mapping[str, MetricFacts]
    counts: Mapping[str, MetricCount]
    margin: float

    def exit_code_when(self, strict: bool) -> int:
        """0 pass, 1 regression, 3 no verdict, and when `strict` also inconclusive."""
        return exit_code(self.comparison.verdict, strict)

    def as_json(self) -> Json:
        """The report for scripts. `delta`, `ci` and `margin` of a result are in the metric's own units,
        candidate − baseline; `changed` names what regressed.
        """
        said = self.comparison
        return {
            "verdict": said.verdict.value,
            "reason": said.reason,
            "more_samples_needed": said.more_samples_needed,
            "alpha": said.alpha,
            "margin": self.margin,
            "baseline": said.baseline[0],
            "candidate": said.candidate,
            "changed": [
                {"metric": d.metric, "slice": d.slice, "delta": d.delta}
                for d in said.differences
                if d.verdict is Verdict.REGRESSION
            ],
            "results": [self._result(d) for d in said.differences],
            "unscored": {
                name: {"baseline": count.baseline.as_json(), "candidate": count.candidate.as_json()}
                for name, count in self.counts.items()
            },
            "movers": [mover.as_json() for mover in said.movers],
            "warnings": list(said.warnings),
        }

    @property
    def text(self) -> str:
        """The report as plain text for a terminal or a log."""
        lines = comparison_lines(self.comparison, self.facts)
        lines += [f"  {name}: {remark}" for name, count in self.counts.items() for remark in count.remarks]
        wholes = [(d, drop) for d in self.comparison.differences if not d.slice and (drop := self._detectable(d))]
        if wholes:
            found = ", ".join(f"{d.metric} {points(drop, self.facts[d.metric])}" for d, drop in wholes[:_SHOWN])
            more = f", and {len(wholes) - _SHOWN} more metrics (--json)" if len(wholes) > _SHOWN else ""
            lines.append(f"  smallest drop that this comparison finds four times in five: {found}{more}")
        return "\n".join(lines)

    def _result(self, d: Difference) -> Json:
        return {
            "metric": d.metric,
            "slice": d.slice,
            "n": d.n,
            "baseline": d.baseline,
            "candidate": d.candidate,
            "delta": d.delta,
            "ci": None if d.low is None or d.high is None else [d.low, d.high],
            "margin": d.margin,
            "p_drop": d.p_drop,
            "p_drop_adj": d.p_drop_adjusted,
            "p_noninferior": d.p_noninferior,
            "detectable_drop": self._detectable(d),
            "verdict": d.verdict.value,
            "note": d.note,
        }

    def _detectable(self, d: Difference) -> float | None:
        """With an equal share of α for every test, which is less than what they get: never too good."""
        if d.low is None or d.high is None or d.p_drop is None:
            return None
        tests = sum(other.p_drop is not None for other in self.comparison.differences)
        return detectable_from(d.low, d.high, self.comparison.alpha / tests)
