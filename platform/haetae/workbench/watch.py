"""The nightly watch over scheduled runs: what fell, since which run, and what changed there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from haetae.catalog.explain import nearest
from haetae.core.canonical import Json
from haetae.core.ledger import Ledger
from haetae.core.metric import MetricFacts
from haetae.core.run import Run, RunStatus
from haetae.errors import ConfigError
from haetae.stats.monitor import Alarm, Night, monitor
from haetae.workbench.comparable import changes
from haetae.workbench.instead import Instead
from haetae.workbench.words import points

COVERAGE = 0.95
"""Share of a night's scores that must be there: below it the silence of the watch says nothing of that night."""
_NIGHTS = 60
"""How many scheduled runs back the watch looks."""


@dataclass(frozen=True, slots=True)
class Watched:
    """An alarm of one suite's metric. `delta` is in the metric's own units; `changed` names what differs
    between the run where the change began and the one before it. `newest`: the suite's newest run raised it.
    An alarm stands until the metric has recovered, also on nights that raise none."""

    suite: str
    metric: str
    alarm: Alarm
    newest: bool
    sentence: str
    changed: tuple[str, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether the metric is still down."""
        return self.alarm.recovered_at is None

    @property
    def line(self) -> str:
        """The alarm with its mark, and what the mark means."""
        if not self.stands:
            return f"· {self.sentence} (recovered since {self.alarm.recovered_at})"
        return f"✗ {self.sentence} ({'new' if self.newest else 'still down'})"

    def as_json(self) -> Json:
        """The alarm for scripts."""
        return {
            "suite": self.suite,
            "metric": self.metric,
            "detected_at_run": self.alarm.detected_at,
            "changed_at_run": self.alarm.changed_at,
            "delta": self.alarm.delta,
            "slices": list(self.alarm.slices),
            "p": self.alarm.p,
            "newest": self.newest,
            "stands": self.stands,
            "recovered_at_run": self.alarm.recovered_at,
            "changed": list(self.changed),
            "sentence": self.sentence,
        }


@dataclass(frozen=True)
class Watch:
    """What the watch saw. `nights` counts the runs of each suite, `budget` is the false alarms a month that
    all watched metrics share. `blind` says what the newest runs lack, `notes` what is not watched at all."""

    alarms: tuple[Watched, ...]
    nights: Mapping[str, int]
    budget: float
    blind: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 where an alarm stands, new or not; 3 where none could be raised, or no suite has two runs; else 0."""
        if any(watched.stands for watched in self.alarms):
            return 1
        return 0 if not self.blind and any(count > 1 for count in self.nights.values()) else 3

    def as_json(self) -> Json:
        """The watch for scripts."""
        return {
            "alarms": [watched.as_json() for watched in self.alarms],
            "nights": dict(self.nights),
            "false_alarms_per_month": self.budget,
            "blind": list(self.blind),
            "notes": list(self.notes),
        }

    @property
    def text(self) -> str:
        """The watch as plain text."""
        over = ", ".join(f"{suite} ({count} {_runs(count)})" for suite, count in self.nights.items())
        alarms = "false alarm" if self.budget == 1 else "false alarms"
        lines = [f"Watched: {over or 'nothing'}; {self.budget:g} {alarms} a month for all of it."]
        lines += [watched.line for watched in self.alarms]
        if self.exit_code == 0:
            lines.append("✓ No alarm stands." if self.alarms else "✓ No alarm.")
        return "\n".join([*lines, *(f"  ! {note}" for note in (*self.blind, *self.notes))])


def watch(ledger: Ledger, budget: float, suites: Iterable[str] | None = None) -> Watch:
    """The alarms over the history of scheduled runs, oldest first.

    `budget` is how many false alarms a month the whole installation accepts, shared by all gated metrics
    of all suites, also when only some `suites` are asked about. Raises ConfigError for a suite without a run.
    """
    histories = {suite: _history(ledger, suite) for suite in ledger.suites()}
    streams = max(1, sum(len(_gated(runs)) for runs in histories.values()))
    asked = {suite: _known(suite, histories) for suite in (histories if suites is None else suites)}
    found: list[Watched] = []
    for suite, runs in asked.items():
        for metric in _gated(runs):
            found += _alarms(ledger, suite, metric, runs, budget, streams)
    nights = {suite: len(runs) for suite, runs in asked.items()}
    return Watch(tuple(found), nights, budget, tuple(_blind(ledger, asked)), tuple(_notes(asked)))


def _known(suite: str, histories: Mapping[str, list[Run]]) -> list[Run]:
    if suite not in histories:
        known = nearest(suite, histories) or f"; there are {', '.join(histories) or 'none'}"
        raise ConfigError(f"no suite {suite!r} has a run in this ledger{known}")
    return histories[suite]


def sentence(suite: str, metric: str, alarm: Alarm, facts: MetricFacts) -> str:
    """`right of shop fell by 5.0 points since shop.9, mostly in language=ko`."""
    where = f", mostly in {alarm.mostly}" if alarm.mostly else ""
    verb = "fell" if alarm.delta < 0 else "rose"
    return f"{metric} of {suite} {verb} by {points(abs(alarm.delta), facts)} since {alarm.changed_at}{where}"


def _history(ledger: Ledger, suite: str) -> list[Run]:
    """Finished scheduled runs (they asked everything anew, of what the suite names) on the newest one's dataset, oldest
    first."""
    runs = [run for run in ledger.runs(suite, limit=_NIGHTS) if run.manifest.epoch and run.status is RunStatus.FINISHED]
    runs = [run for run in runs if not Instead.of_run(run)]
    alike = [run for run in runs if run.manifest.dataset["version"] == runs[0].manifest.dataset["version"]]
    return alike[::-1]


def _gated(runs: Sequence[Run]) -> list[str]:
    gate = runs[-1].manifest.suite.get("gate") if len(runs) > 1 else None
    return list(gate["metrics"]) if gate else []


def _blind(ledger: Ledger, histories: Mapping[str, Sequence[Run]]) -> Iterable[str]:
    for suite, runs in histories.items():
        gated = _gated(runs)
        for account in ledger.accounting(runs[-1].id) if gated else ():
            if account.metric in gated and account.scored < COVERAGE * (account.total - account.not_run):
                yield f"{account.metric} of {suite}: {runs[-1].id} has {account.scored} of {account.total} scores"


def _notes(histories: Mapping[str, Sequence[Run]]) -> Iterable[str]:
    if not histories:
        yield "there is no run yet; scheduled ones are made by: haetae run SUITE --fresh"
    for suite, runs in histories.items():
        if len(runs) < 2:
            yield f"{suite}: two scheduled runs (haetae run --fresh) on one dataset are the least to watch"
        elif not _gated(runs):
            yield f"{suite}: its newest run declares no gate, and only gated metrics are watched"


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
    why = f"; changed there: {'; '.join(changed)}" if changed else "; nothing that is fingerprinted changed there"
    text = sentence(suite, metric, alarm, after.manifest.metrics[metric])
    return Watched(suite, metric, alarm, alarm.detected_at == runs[-1].id, f"{text}{why}", changed)


def _runs(count: int) -> str:
    return "run" if count == 1 else "runs"
