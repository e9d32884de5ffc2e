"""A month of nightly runs, played in minutes on the embedded server.

Three things happen, and a threshold on the mean would call all three a regression:
a prompt change makes the Korean support application worse (a true regression), the judge of the
documentation application is replaced by a stricter one (the application is as good as before), and
the translations wobble by chance from night to night, below a baseline that was a lucky night.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from haetae.core.run import Run
from haetae.core.verdict import Estimate, Verdict
from haetae.demo.server import DemoServer
from haetae.settings import Settings, load_settings
from haetae.workbench.bench import Workbench
from haetae.workbench.report import Report
from haetae.workbench.shipped import shipped

SUITES = ("support-ko", "docs-en", "translate-ko-en")
PROMPT_CHANGE, ROLLBACK = 0.60, 0.75
"""When the support prompt gets worse and when it is rolled back, as shares of the month."""
JUDGE_CHANGE, NEW_BASELINE = 0.40, 0.55
"""When the documentation judge is replaced, and when its team promotes a new baseline."""
LUCKY_BASELINE = 0.40
"""When the translation team promotes its best night so far."""

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
_URL = "HAETAE_DEMO_URL"
_NOISE = {"support-ko": 0.01, "docs-en": 0.01, "translate-ko-en": 0.6}
"""How often, at temperature 1, each suite's model takes the second-best answer: a property, not an event."""
_THRESHOLD = 0.02
"""What the naive rule calls a regression: a mean more than 2 points of 100 lower."""


@dataclass
class NightClock:
    """Tells the date of the night being played; durations are the machine's own."""

    night: datetime
    _base: float = 0.0

    def now(self) -> datetime:
        """The night, moving on as the machine's clock does."""
        return self.night + timedelta(seconds=time.monotonic() - self._base)

    def monotonic(self) -> float:
        """The machine's own."""
        return time.monotonic()

    def turn(self, night: datetime) -> None:
        """Another night begins."""
        self.night, self._base = night, time.monotonic()


def play(folder: Path | None, nights: int, port: int | None) -> None:
    """Play the month, print a line a night, then serve the dashboard on `port` (None: do not)."""
    settings = load_settings()
    home = (folder or settings.home / "demo").absolute()
    if port is not None:
        click.echo(f"The dashboard will listen on http://127.0.0.1:{port} once the month is played.")
    with _serving() as server:
        env = {**settings.env, _URL: server.base_url}
        settings = Settings(
            home=home, ledger=f"sqlite:///{home / 'ledger.db'}", mlflow=f"sqlite:///{home / 'mlflow.db'}", env=env
        )
        clock = NightClock(datetime.now(UTC))
        with Workbench(settings, clock=clock) as bench:
            if bench.ledger.suites():
                click.echo(f"The month has been played already in {home}; remove the folder to play it again.")
            else:
                _Month(bench, clock, server, nights).play()
    if port is not None:
        from haetae.dashboards.asgi import serve

        os.environ["HAETAE_HOME"] = str(home)
        serve(host="127.0.0.1", port=port)


@dataclass
class _Month:
    """The play: who does what on which night."""

    bench: Workbench
    clock: NightClock
    server: DemoServer
    nights: int

    def play(self) -> None:
        start = datetime.now(UTC).replace(hour=18, minute=0, second=0, microsecond=0) - timedelta(days=self.nights)
        self.clock.turn(start)
        self._register()
        for number in range(self.nights):
            self.clock.turn(start + timedelta(days=number))
            self._happen(number)
            for suite in SUITES:
                self._run(suite, number)
        click.echo(_CLOSING)
        for suite in SUITES:
            click.echo(f"  {suite:16} {self._tally(suite)}")

    def _register(self) -> None:
        bench = self.bench
        for name, (model, parameters, price) in _MODELS.items():
            content = {"base_url": f"${{{_URL}}}", "model": model, "parameters": parameters, "price": price}
            version, _ = bench.ledger.register("model", name, content, self.clock.now())
            bench.alias("model", version.reference, "production")
        for name, path in _PROMPTS.items():
            for number in (1, 2):
                bench.register(
                    "prompt", shipped(path.partition("/")[0]) / f"{path.partition('/')[2]}.v{number}.yaml", name
                )
            bench.alias("prompt", f"{name}@1", "production")

    def _happen(self, number: int) -> None:
        """What people do on the day before this night."""
        self.server.night = number
        if number == self._on(PROMPT_CHANGE):
            self.bench.alias("prompt", "support-ko-answer@2", "production")
            click.echo("  (someone makes the support prompt answer in eight words)")
        if number == self._on(ROLLBACK):
            self.bench.alias("prompt", "support-ko-answer@1", "production")
            click.echo("  (the support prompt is rolled back)")
        if number == self._on(JUDGE_CHANGE):
            click.echo("  (the judge of docs-en is replaced by a stricter revision behind the same name)")
        if number == self._on(NEW_BASELINE):
            newest = self.bench.ledger.runs("docs-en", 1)[0]
            self.bench.promote(newest.id)
            click.echo(f"  (the docs-en team promotes {newest.id} as its new baseline)")

        if number == self._on(LUCKY_BASELINE):
            best = max(self.bench.ledger.runs("translate-ko-en", number), key=lambda run: self._value(run.id, "chrf"))
            self.bench.promote(best.id)
            click.echo(f"  (the translation team promotes its best night so far, {best.id})")

    def _value(self, run_id: str, metric: str) -> float:
        found = [e.value for e in self.bench.ledger.estimates(run_id) if e.metric == metric and not e.slice]
        return found[0] or 0.0

    def _run(self, suite: str, number: int) -> None:
        drifted = suite == "docs-en" and number >= self._on(JUDGE_CHANGE)
        self.server.judge_revision = 2 if drifted else 1
        self.server.temperature_noise = _NOISE[suite]
        last = number == self.nights - 1
        report = self.bench.run(shipped(suite) / "suite.yaml", fresh=True, track=last, tags={"door": "demo"})
        if number == 0:
            self.bench.promote(report.run.id)
        self._say(report, first=number == 1 and suite == SUITES[0], last=last)

    def _say(self, report: Report, *, first: bool, last: bool) -> None:
        said = report.comparison
        verdict = "first run, promoted" if said is None or report.run.number == 1 else said.verdict.value
        click.echo(f"{report.run.started_at:%m-%d}  {report.run.id:20} {verdict}")
        if first:
            click.echo(f"\nThe first verdict:\n\n{report.text}\n")
        elif said is not None and report.run.number > 1 and said.verdict in (Verdict.REGRESSION, Verdict.NO_VERDICT):
            click.echo(f"       {said.reason}\n       what moved: {', '.join(said.moved)}")
        if last:
            for note in report.notes:
                click.echo(f"       {note}")

    def _tally(self, suite: str) -> str:
        """What was said of a suite over the month, beside what the naive rule would have said."""
        ledger = self.bench.ledger
        runs = sorted(ledger.runs(suite, limit=self.nights), key=lambda run: run.number)[1:]
        said = [(run, c) for run in runs if (c := ledger.comparison(run.id)) is not None]
        alarms = sum(self._below(run, comparison.baseline[0]) for run, comparison in said)
        counts = Counter(comparison.verdict for _, comparison in said)
        verdicts = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.most_common())
        return f'{verdicts}; "the mean fell by 2 points" alarms on {alarms} nights'

    def _below(self, run: Run, baseline: str) -> bool:
        """Whether a gated mean is more than 2 points of 100 below the promoted run's."""
        then = {e.metric: e for e in self.bench.ledger.estimates(baseline) if not e.slice}
        return any(_fell(e, then, run) for e in self.bench.ledger.estimates(run.id))

    def _on(self, share: float) -> int:
        return round(share * self.nights)


def _fell(estimate: Estimate, baseline: Mapping[str, Estimate], run: Run) -> bool:
    facts, then = run.manifest.metrics[estimate.metric], baseline.get(estimate.metric)
    gated = estimate.metric in run.manifest.suite["gate"]["metrics"] and not estimate.slice
    if not gated or then is None or then.value is None or estimate.value is None:
        return False
    return then.value - estimate.value > _THRESHOLD * ((facts.high or 1.0) - (facts.low or 0.0))


@contextmanager
def _serving() -> Iterator[DemoServer]:
    """The demonstration server in a thread with an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="haetae-demo-server", daemon=True)
    thread.start()
    server = DemoServer()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


_CLOSING = """
What a threshold cannot tell apart:
  support-ko       fell because its prompt changed: a regression, named with metric and interval
  docs-en          is judged lower because the judge changed: no verdict, the judge is named
  translate-ko-en  wobbles from night to night: noise, and said so
"""
