"""What a run would do, cost and be able to see, said before anything is spent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from haetae.core.canonical import Json
from haetae.core.ledger import Ledger
from haetae.core.metric import MetricFacts
from haetae.core.run import Run, RunStatus
from haetae.stats.power import detectable, needed, paired_sd
from haetae.workbench.assemble import Assembly
from haetae.workbench.forecast import Forecast, forecast
from haetae.workbench.foreseen import foreseen
from haetae.workbench.report import one_line
from haetae.workbench.within_limits import ends_early, slowest_rate
from haetae.workbench.words import clock, counted, points

_LOOK_BACK = 20
"""How many runs back the last finished one is looked for."""
_Z95 = 1.96
_TYPICAL_SD = 0.25
"""Standard deviation of a score on the scale of 0 to 1, assumed while no run of the suite is known."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What one gated metric can see, in its own units.

    `drop` is the smallest true drop found with probability .8 on this run's samples, `tolerance` the
    declared one, `needed` the samples that find a drop as small as the tolerance (or the wanted drop).
    """

    metric: str
    drop: float
    tolerance: float | None
    needed: int | None


@dataclass(frozen=True)
class Plan:
    """A checked suite: samples, calls, spending, and the smallest drop that it can detect.

    Without a finished run of the suite, drops rest on a typical spread of scores. `warnings` are what a run
    would complain of; `slowest_rate` the requests a minute that hold it up longest, and the seconds that takes.
    """

    suite: str
    dataset: str
    version: str
    samples: int
    repeats: int
    spending: Forecast
    judged_metrics: tuple[str, ...]
    resolutions: tuple[Resolution, ...]
    references: Mapping[str, str]
    facts: Mapping[str, MetricFacts]
    warnings: tuple[str, ...] = ()
    slowest_rate: tuple[int, float] | None = None

    def as_json(self) -> Json:
        """The plan for scripts."""
        structured = ("facts", "resolutions", "references", "spending", "slowest_rate")
        plan = {name: value for name, value in vars(self).items() if name not in structured}
        return {
            **plan,
            **asdict(self.spending),
            "judged_metrics": list(self.judged_metrics),
            "warnings": list(self.warnings),
            "least_s": self.slowest_rate[1] if self.slowest_rate else None,
            "references": dict(self.references),
            "resolutions": [asdict(resolution) for resolution in self.resolutions],
        }

    @property
    def text(self) -> str:
        """The plan for people."""
        repeats = f" x {self.repeats} repeats" if self.repeats > 1 else ""
        lines = [
            f"{self.suite}: {self.dataset}, {counted(self.samples, 'sample')}{repeats} ({self.version[:19]})",
            f"  {self._spending_line()}",
            *([self._rate_line(*self.slowest_rate)] if self.slowest_rate else []),
            *(f"  {written} = {pinned}" for written, pinned in self.references.items() if written != pinned),
        ]
        lines += [self._resolution_line(r) for r in self.resolutions]
        return "\n".join(map(one_line, [*lines, *(f"  ! {warning}" for warning in self.warnings)]))

    def _spending_line(self) -> str:
        spending = self.spending
        if spending.calls == 0:
            return "no calls: no model is asked, and nothing is judged"
        tokens = "tokens unknown" if spending.tokens is None else f"{spending.tokens:,} tokens"
        cost = "cost unknown" if spending.cost_usd is None else f"${spending.cost_usd:.4f}"
        basis = f"as {spending.basis}" if spending.basis else "estimated from the length of the texts"
        judged = ", ".join(self.judged_metrics) or "nothing"
        return f"about {counted(spending.calls, 'call')}, {tokens}, {cost} ({basis}); judged: {judged}"

    def _rate_line(self, rate: int, seconds: float) -> str:
        return f"  at {counted(rate, 'request')} a minute at least {clock(seconds)}"

    def _resolution_line(self, resolution: Resolution) -> str:
        facts = self.facts[resolution.metric]
        line = f"  {resolution.metric}: finds a drop of {points(resolution.drop, facts)} or more (in 80 % of cases)"
        if resolution.tolerance is None:
            return line
        line += f", tolerance {points(resolution.tolerance, facts)}"
        if resolution.needed is not None and resolution.needed > self.samples:
            line += f": too few samples, it needs about {resolution.needed:,}"
        return line


def plan_of(assembly: Assembly, ledger: Ledger, wanted_drop: float | None = None) -> Plan:
    """The plan of an assembled suite. `wanted_drop` (0 to 1, of a bounded scale) replaces the tolerances."""
    data, suite = assembly.manifest.dataset, assembly.suite
    judged = tuple(name for name, facts in assembly.manifest.metrics.items() if facts.judge is not None)
    last = _last_finished(ledger, suite.suite)
    spreads = _spreads(ledger, last) if last else {}
    spending = forecast(assembly, ledger)
    return Plan(
        suite=suite.suite,
        dataset=data["name"],
        version=data["version"],
        samples=data["count"],
        repeats=suite.target.repeats,
        spending=spending,
        judged_metrics=judged,
        resolutions=tuple(_resolutions(assembly, spreads, wanted_drop)),
        references=assembly.manifest.references,
        facts=assembly.manifest.metrics,
        warnings=(*foreseen(assembly), *ends_early(suite.budget, spending, data["count"])),
        slowest_rate=slowest_rate(assembly),
    )


def _last_finished(ledger: Ledger, suite: str) -> Run | None:
    return next((run for run in ledger.runs(suite, limit=_LOOK_BACK) if run.status is RunStatus.FINISHED), None)


def _spreads(ledger: Ledger, run: Run) -> dict[str, float]:
    """The standard deviation of paired differences per sample, by metric, in its own units.

    From the interval of the run's own comparison; without one from its estimates, which assume how
    strongly two runs agree.
    """
    spreads = {
        e.metric: e.detectable_drop * math.sqrt(e.n) / detectable(1.0, 1)
        for e in ledger.estimates(run.id)
        if not e.slice and e.detectable_drop is not None
    }
    said = ledger.comparison(run.id)
    for d in said.differences if said else ():
        if not d.slice and d.low is not None and d.high is not None:
            spreads[d.metric] = (d.high - d.low) / (2 * _Z95) * math.sqrt(d.n)
    return spreads


def _resolutions(assembly: Assembly, spreads: Mapping[str, float], wanted_drop: float | None) -> Iterator[Resolution]:
    gate, samples = assembly.suite.gate, assembly.manifest.dataset["count"]
    for name, declared in (gate.metrics if gate else {}).items():
        facts = assembly.manifest.metrics[name]
        bounded = facts.low is not None and facts.high is not None
        span = facts.high - facts.low if facts.high is not None and facts.low is not None else 1.0
        if name not in spreads and not bounded:
            continue  # an open scale has no typical spread
        sd = spreads.get(name, paired_sd(_TYPICAL_SD) * span)
        tolerance = declared.max_drop if wanted_drop is None or not bounded else wanted_drop
        if tolerance is None and declared.min is None and declared.max is None and gate is not None:
            tolerance = gate.max_drop
        yield Resolution(
            metric=name,
            drop=detectable(sd, samples),
            tolerance=None if tolerance is None else tolerance * span,
            needed=needed(sd / span, tolerance) if tolerance else None,
        )
