"""A Prefect server that goes away while suites are served from it: what runs then, and what is caught up with after."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from outage import Outage, Weather
from outage_worlds import Project, prefect_server, project, until

from haetae.core.run import Run, RunStatus
from haetae.errors import StoreError
from haetae.store.sql import open_ledger

_AWAY_S = 130.0
"""Long enough for two times at which the suite is due."""
_SCHEDULE = 'schedule: { cron: "* * * * *" }\nlimits: { in_flight: 2 }\n'
_COLUMNS = "the run it met | due then | runs then | first after, s | caught up | due twice | lines said |"
_OUTAGES: tuple[Weather, ...] = ("dead", "slow", "black hole", "unreachable")


def prefect_table(folder: Path) -> None:
    """A suite that is due every minute and takes ten seconds; the server goes away while it runs."""
    (folder / "server").mkdir(parents=True)
    print(f"\n| Prefect away for {_AWAY_S:g} s | {_COLUMNS}")
    print("|---|---|---|---|---|---|---|---|")
    with prefect_server(folder / "server") as port, ThreadPoolExecutor() as pool:
        for row in pool.map(lambda weather: _outlasted(folder, port, weather), _OUTAGES):
            print(row, flush=True)


def _outlasted(folder: Path, port: int, weather: Weather) -> str:
    """One process that serves, on a way of its own to the server."""
    suite = weather.replace(" ", "-")
    with Outage(port) as way:
        served = project(
            folder / suite, suite, _SCHEDULE, asks=True, PREFECT_API_URL=f"http://127.0.0.1:{way.port}/api"
        )
        served.env["PREFECT_HOME"] = str(folder / suite / "prefect")
        return _served_through(served, way, weather)


def _served_through(served: Project, way: Outage, weather: Weather) -> str:
    serving = served.started("schedule", "serve", "suite.yaml")
    try:
        met = until(lambda: _runs(served), 300)[0]
        way.becomes(weather)
        gone = datetime.now(UTC)
        time.sleep(_AWAY_S)
        assert serving.poll() is None, serving.communicate()
        way.becomes("there")
        back = datetime.now(UTC)
        until(lambda: len([run for run in _runs(served) if run.started_at > back and run.finished_at]) >= 2, 900)
    finally:
        way.becomes("there")
        serving.send_signal(signal.SIGINT)
        _, err = serving.communicate()
    runs = _runs(served)
    ended = next(run for run in runs if run.id == met.id)
    during = [run for run in runs if gone < run.started_at <= back]
    after = [run for run in runs if run.started_at > back]
    caught_up = [run for run in after if datetime.fromisoformat(run.tags["due"]) <= back]
    due = [run.tags["due"] for run in runs]
    said = [line for line in err.splitlines() if "Prefect server at" in line]
    meanwhile = int(back.timestamp() // 60 - gone.timestamp() // 60)
    first = (after[0].started_at - back).total_seconds()
    finished = "finished" if ended.status is RunStatus.FINISHED else ended.status.value
    return (
        f"| {weather} | {finished} | {meanwhile} | {len(during)} | {first:.0f} | {len(caught_up)} | "
        f"{len(due) - len({*due})} | {len(said)} |"
    )


def _runs(served: Project) -> list[Run]:
    """Oldest first; none while there is no ledger."""
    file = Path(served.env["HAETAE_HOME"]) / "ledger.db"
    if not file.exists():
        return []
    try:
        with open_ledger(f"sqlite:///{file}", readonly=True) as ledger:
            return list(reversed(ledger.runs(limit=50)))
    except StoreError:  # it is being made
        return []
