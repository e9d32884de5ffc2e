"""The nightly watch over scheduled runs: what fell, since which run, and what changed there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from haetae.core.canonical import Json
from haetae.core.ledger import Ledger
from haetae.core.run import Run, RunStatus
from haetae.stats.monitor import Alarm, Night, monitor
from haetae.workbench.comparable import changes
from haetae.workbench.words import points

_NIGHTS = 60
"""How many scheduled runs back the watch looks."""


@dataclass(frozen=True, slots=True)
class Watched:
    """An alarm of one suite's metric. `delta` is in the metric's own units; `changed` names what differs
    between the run where the change began and the one before it."""

    suite: str
    metric: str
    alarm: Alarm
    changed: tuple[str, ...]
    sentence: str

    def as_json(self) -> Json:
        """The alarm for scripts."""
        said = {"suite": self.suite, "metric": self.metric, **asdict(self.alarm)}
        return {**said, "slices": list(self.alarm.slices), "changed": list(self.changed), "sentence": self.sentence}


def watch(ledger: Ledger, budget: float, suites: Iterable[str] | None = None) -> list[Watched]:
    """The alarms over the history of scheduled runs, oldest first.

    `budget` is how many false alarms a month the whole installation accepts, shared by all gated metrics
    of all suites, also when only some `suites` are asked about.
    """
    histories = {suite: _history(ledger, suite) for suite in ledger.suites()}
    streams = max(1, sum(len(_gated(runs)) for runs in histories.values()))
    found = []
    for suite in histories if suites is None else suites:
        runs = histories.get(suite, [])
        for metric in _gated(runs):
            found += _alarms(ledger, suite, metric, runs, budget, streams)
    return found


def _history(ledger: Ledger, suite: str) -> list[Run]:
    """Finished scheduled runs (they asked everything anew) on the newest one's dataset, oldest first."""
    runs = [run for run in ledger.runs(suite, limit=_NIGHTS) if run.manifest.epoch and run.status is RunStatus.FINISHED]
    alike = [run for run in runs if run.manifest.dataset["version"] == runs[0].manifest.dataset["version"]]
    return alike[::-1]


def _gated(runs: Sequence[Run]) -> list[str]:
    gate = runs[-1].manifest.suite.get("gate") if len(runs) > 1 else None
    return list(gate["metrics"]) if gate else []


def _alarms(ledger: Ledger, suite: str, metric: str, runs: Sequence[Run], budget: float, streams: int) -> list[Watched]:
    """The alarms of one metric, over the nights on which it was measured as it is now."""
    newest = runs[-1]
    judge = ledger.reported_models(newest.id).get(metric)
    alike = [
        run
        for run in runs
        if run.manifest.metrics.get(metric) == newest.manifest.metrics[metric]
        and ledger.reported_models(run.id).get(metric) == judge
    ]
    nights = [Night(run.id, ledger.table(run.id, metric)) for run in alike]
    return [_watched(suite, metric, alarm, alike) for alarm in monitor(nights, budget=budget, streams=streams)]


def _watched(suite: str, metric: str, alarm: Alarm, runs: Sequence[Run]) -> Watched:
    place = next(i for i, run in enumerate(runs) if run.id == alarm.changed_at)
    before, after = runs[max(0, place - 1)], runs[place]
    changed = tuple(map(str, changes(before.manifest, after.manifest, frozenset({metric}))))
    facts = after.manifest.metrics[metric]
    where = f", mostly in {alarm.slices[0]}" if alarm.slices else ""
    why = f"; changed there: {'; '.join(changed)}" if changed else "; nothing that is fingerprinted changed there"
    verb = "fell" if alarm.delta < 0 else "rose"
    text = f"{metric} of {suite} {verb} by {points(abs(alarm.delta), facts)} since {alarm.changed_at}{where}{why}"
    return Watched(suite, metric, alarm, changed, text)
