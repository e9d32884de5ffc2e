"""What happens in the month, and on which night.

Three things happen, and a threshold on the mean would call all three a regression:
a prompt change makes the Korean support application worse (a true regression), the judge of the
documentation application is replaced by a stricter one (the application is as good as before), and
the translations wobble by chance from night to night, below a baseline that was a lucky night.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Protocol

import click

from haetae.core.clock import Clock
from haetae.core.run import RunStatus
from haetae.demo import telling, threshold
from haetae.demo.server import DemoServer
from haetae.errors import HaetaeError
from haetae.workbench.bench import Workbench
from haetae.workbench.shipped import shipped

SUITES = ("support-ko", "docs-en", "translate-ko-en")
PROMPT_CHANGE, ROLLBACK = 0.60, 0.75
"""When the support prompt gets worse and when it is rolled back, as shares of the month."""
JUDGE_CHANGE, NEW_BASELINE = 0.40, 0.55
"""When the documentation judge is replaced, and when its team promotes a new baseline."""
LUCKY_BASELINE = 0.40
"""When the translation team promotes its best night so far."""
URL = "HAETAE_DEMO_URL"
"""The variable that the registered models take the server's address from: it has another port every time."""

_MODELS = {
    "demo-answerer": ("extractive-answerer", {"temperature": 0.7}, {"input": 0.15, "output": 0.6}),
    "demo-translator": ("translation-memory", {"temperature": 0.7}, {"input": 0.15, "output": 0.6}),
    "demo-judge": ("lexical-judge", {"temperature": 0}, {"input": 0.15, "output": 0.6}),
    "demo-embedder": ("hashed-embedder", {}, {"input": 0.02, "output": 0}),
}
_PROMPTS = {
    "support-ko-answer": "support-ko/prompts/answer",
    "docs-en-answer": "docs-en/prompts/answer",
    "translate-ko-en": "translate-ko-en/prompts/translate",
}
_NOISE = {"support-ko": 0.01, "docs-en": 0.01, "translate-ko-en": 0.6}
"""How often, at temperature 1, each suite's model takes the second-best answer: a property, not an event."""


class Nights(Clock, Protocol):
    """A clock that can be turned to another night."""

    def turn(self, night: datetime) -> None: ...


@dataclass
class Story:
    """Who does what on which night. Every night may be begun again: what was done stays done."""

    bench: Workbench
    clock: Nights
    server: DemoServer
    nights: int
    _told: set[str] = field(default_factory=set)
    """Suites whose last run did not pass, and it was said why: once for as many nights as it lasts."""

    def play(self, stop: Event) -> None:
        """Play the nights that the ledger does not hold yet; KeyboardInterrupt after the run in which `stop` is set."""
        ledger = self.bench.ledger
        known = [run for suite in SUITES for run in ledger.runs(suite, limit=self.nights)]
        begun = min((run.started_at for run in known), default=datetime.now(UTC) - timedelta(days=self.nights))
        start = begun.replace(hour=18, minute=0, second=0, microsecond=0)
        played = {(run.suite, run.number) for run in known if run.status is RunStatus.FINISHED}
        if not played:
            self.clock.turn(start)
            self._register()
        due = [[suite for suite in SUITES if (suite, number + 1) not in played] for number in range(self.nights)]
        click.echo(telling.HEADER if any(due) else "The month has been played; remove that folder to play it again.")
        for number, suites in enumerate(due):
            if suites:
                self.clock.turn(start + timedelta(days=number))
                self._happen(number)
            for suite in suites:
                self._run(suite, number)
                if stop.is_set():
                    raise KeyboardInterrupt
        click.echo(telling.closing(ledger, self.nights, self.bench.settings.home))

    def _register(self) -> None:
        bench = self.bench
        for name, (model, parameters, price) in _MODELS.items():
            content = {"base_url": f"${{{URL}}}", "model": model, "parameters": parameters, "price": price}
            version, _ = bench.ledger.register("model", name, content, self.clock.now())
            bench.alias("model", version.reference, "production")
        for name, path in _PROMPTS.items():
            suite, _, file = path.partition("/")
            for number in (1, 2):
                bench.register("prompt", shipped(suite) / f"{file}.v{number}.yaml", name)
            bench.alias("prompt", f"{name}@1", "production")

    def _happen(self, number: int) -> None:
        """What people do on the day before this night, the `number`-th from 0: run `number` is the last one."""
        self.server.night = number
        if number == 1:
            for suite in SUITES:
                self.bench.promote(f"{suite}.1")
        if number == self._on(PROMPT_CHANGE):
            self.bench.alias("prompt", "support-ko-answer@2", "production")
            click.echo("  (someone makes the support prompt answer in eight words)")
        if number == self._on(ROLLBACK):
            self.bench.alias("prompt", "support-ko-answer@1", "production")
            click.echo("  (the support prompt is rolled back)")
        if number == self._on(JUDGE_CHANGE):
            click.echo("  (the judge of docs-en is replaced by a stricter one behind the same name)")
        if number == self._on(NEW_BASELINE):
            self.bench.promote(f"docs-en.{number}", reason="the judge was replaced by a stricter one")
            click.echo(f"  (the docs-en team makes docs-en.{number}, judged by the new judge, its baseline)")
        if number == self._on(LUCKY_BASELINE):
            best = max((f"translate-ko-en.{n}" for n in range(1, number + 1)), key=lambda run: self._value(run, "chrf"))
            self.bench.promote(best, reason="its best night so far")
            click.echo(f"  (the translation team makes its best night so far, {best}, its baseline)")

    def _value(self, run_id: str, metric: str) -> float:
        found = [e.value for e in self.bench.ledger.estimates(run_id) if e.metric == metric and not e.slice]
        return found[0] or 0.0

    def _run(self, suite: str, number: int) -> None:
        drifted = suite == "docs-en" and number >= self._on(JUDGE_CHANGE)
        self.server.judge_revision = 2 if drifted else 1
        self.server.temperature_noise = _NOISE[suite]
        last = number == self.nights - 1
        with ThreadPoolExecutor(1) as pool:  # in the main thread the run would take Ctrl-C for itself
            path, tags = shipped(suite) / "suite.yaml", {"door": "demo"}
            report = pool.submit(self.bench.run, path, fresh=True, track=last, tags=tags).result()
        if report.run.status is not RunStatus.FINISHED:
            raise HaetaeError(f"{report.run.id} {report.run.note}")
        baseline = report.comparison.baseline if report.comparison else ()
        alarm = bool(baseline) and threshold.alarms(self.bench.ledger, report.run, baseline[0])
        click.echo(telling.line(report, alarm))
        if number == 1 and suite == SUITES[0]:
            click.echo(f"\nThe first verdict in full:\n\n{report.text}\n\n{telling.HEADER}")
            return
        why = telling.reason(report)
        if why and suite not in self._told:
            click.echo(why)
        (self._told.add if why else self._told.discard)(suite)
        for note in report.notes:
            click.echo(telling.aside(note))

    def _on(self, share: float) -> int:
        return round(share * self.nights)
