"""Three suites due every minute on a real Prefect server; the worker is killed in mid-run, then the server for a while.

    python tests/bench/schedule_bench.py [--minutes 15]

Prints Markdown, and exits with 1 when two runs of a suite overlapped, a time was run twice, a run was left unfinished,
or a row is missing or there twice. All figures are read from the ledger alone. After a third of the time the process
that serves is killed with all its children while a run is in flight, and another one starts 45 s later; after three
fifths the server is killed, and starts again 90 s later. What came due meanwhile is run once.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from haetae.core.run import Run, RunStatus
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench

SAMPLES, LATENCY_S = 20, 2.0
WORKER_AWAY_S, SERVER_AWAY_S = 45.0, 90.0
MINUTE = timedelta(minutes=1)
_COMMON = "dataset: samples.jsonl\nschedule: { cron: '* * * * *', timezone: Asia/Seoul }\n"
SUITES = {
    "asked": "target: { model: llm@1, prompt: ask.md }\nmetrics: { chrf: chrf }\nlimits: { in_flight: 2 }\n",
    "recorded": "target: { outputs: outputs.jsonl }\nmetrics: { chrf: chrf, slow: latency_s }\n",
    "recorded-too": "target: { outputs: outputs.jsonl }\nmetrics: { right: exact_match, slow: latency_s }\n",
}
"""Those of recorded outputs measure a time too: else they would be run once, and never again."""
_QUIET = {
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # in memory, as by default, the places of runs that died are taken for good where the server dies as well
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}


_ANSWERS = "SELECT count(*), count(DISTINCT sample_id || ' ' || repeat) FROM generation WHERE run_id = ?"
_SCORES = "SELECT count(*), count(DISTINCT sample_id || ' ' || repeat || ' ' || metric) FROM score WHERE run_id = ?"


class Answers(BaseHTTPRequestHandler):
    """An endpoint that takes its time."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
        time.sleep(LATENCY_S)
        choice = {"message": {"role": "assistant", "content": f"answer to {asked}"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        said = json.dumps({"choices": [choice], "usage": usage, "model": "m"}).encode()
        with suppress(ConnectionError):  # who asked may have been killed
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def endpoint() -> Iterator[str]:
    """The address of an endpoint on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()


@dataclass
class Place:
    """A folder with the suites, their ledger, and the processes that serve them."""

    folder: Path
    port: int
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def env(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("HAETAE_", "PREFECT_"))}
        home = {"HAETAE_HOME": str(self.folder / "home"), "PREFECT_HOME": str(self.folder / "prefect")}
        return {**ours, **_QUIET, **home, "PREFECT_API_URL": self.api}

    def bench(self) -> Workbench:
        return Workbench(load_settings(self.env, self.folder))

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            command = [sys.executable, *arguments]
            child = subprocess.Popen(
                command, cwd=self.folder, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        self.started.append(child)
        return child

    def server(self) -> subprocess.Popen[bytes]:
        """A Prefect server that answers."""
        child = self.start(
            "server", "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)
        )
        until(lambda: _answers(self.api), 180)
        return child

    def worker(self) -> subprocess.Popen[bytes]:
        """A process that serves the suites."""
        code = "from haetae.cli.main import main; main()"
        return self.start("worker", "-c", code, "schedule", "serve", str(self.folder), "--at-once", "3")

    def runs(self) -> list[Run]:
        with self.bench() as bench:
            return [run for suite in SUITES for run in bench.ledger.runs(suite, limit=1_000)]


def write(place: Place, url: str) -> None:
    """The suites, their data and their model."""
    (place.folder / "pyproject.toml").touch()
    rows = [{"id": f"s{n}", "input": f"question {n}", "reference": f"answer to q {n}"} for n in range(SAMPLES)]
    given = [{"id": row["id"], "output": row["reference"], "latency_s": 0.1} for row in rows]
    for name, lines in (("samples", rows), ("outputs", given)):
        (place.folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (place.folder / "ask.md").write_text("q {{ input }}")
    (place.folder / "llm.yaml").write_text(f"base_url: {url}\nmodel: m\n")
    for name, text in SUITES.items():
        (place.folder / f"{name}.yaml").write_text(f"suite: {name}\n{_COMMON}{text}")
    with place.bench() as bench:
        bench.register("model", place.folder / "llm.yaml")


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9 a process and all that it started, at once."""
    family = [process.pid, *_children(process.pid)]
    for pid in family:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _children(pid: int) -> list[int]:
    """The processes below one, from what the kernel tells of each."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            told = stat.read_text(encoding="utf-8", errors="replace")
            parents[int(stat.parent.name)] = int(told.rpartition(")")[2].split()[1])
    found, new = [], {pid}
    while new := {child for child, parent in parents.items() if parent in new}:
        found += new
    return found


def until(look: Callable[[], Any], within_s: float) -> Any:
    """What `look` finds, asked again until it finds something. Raises TimeoutError."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing after {within_s:.0f} s")
        time.sleep(0.2)
    return found


def _answers(api: str) -> bool:
    try:
        return httpx.get(f"{api}/health", timeout=5).is_success
    except httpx.TransportError:
        return False


@dataclass(frozen=True)
class Blow:
    """A kill: when, how long nobody was there, and the run that it hit."""

    at: datetime
    back: datetime
    run: str | None = None


def ordeal(place: Place, minutes: float) -> tuple[Blow, Blow]:
    """Serve for so long; kill the worker in mid-run, and the server."""
    server = place.server()
    worker = place.worker()
    until(place.runs, 240)  # it serves from here on
    begin = time.monotonic()

    def sleep_to(share: float) -> None:
        time.sleep(max(0.0, begin + 60 * minutes * share - time.monotonic()))

    sleep_to(1 / 3)
    hit = until(lambda: _in_mid_run(place), 180)
    kill(worker)
    at = datetime.now(UTC)
    time.sleep(WORKER_AWAY_S)
    worker = place.worker()
    first = Blow(at, datetime.now(UTC), hit)
    until(lambda: any(run.started_at > first.back for run in place.runs()), 300)  # it serves again
    sleep_to(3 / 5)
    kill(server)
    at = datetime.now(UTC)
    time.sleep(SERVER_AWAY_S)
    place.server()
    second = Blow(at, datetime.now(UTC))
    sleep_to(1)
    until(lambda: all(run.status is not RunStatus.RUNNING for run in place.runs()), 300)
    kill(worker)
    return first, second


def _in_mid_run(place: Place) -> str | None:
    """The run of the asked suite, where some of its answers are there and most are not."""
    with place.bench() as bench:
        newest = bench.ledger.runs("asked", limit=1)
        if not newest or newest[0].status is not RunStatus.RUNNING:
            return None
        answered, _ = bench.ledger.done_count(newest[0].id, ["chrf"])
    return newest[0].id if 2 <= answered <= SAMPLES // 2 else None


@dataclass(frozen=True)
class Account:
    """What the ledger says of one suite."""

    due: int
    served: int
    runs: int
    unfinished: int
    overlapping: int
    doubled_times: int
    lost_rows: int
    doubled_rows: int
    delays_s: list[float]

    @property
    def is_exact(self) -> bool:
        faults = (self.unfinished, self.overlapping, self.doubled_times, self.lost_rows, self.doubled_rows)
        return not any(faults) and self.served == self.runs


def account(place: Place, suite: str) -> Account:
    """Runs in order, the times that they were due, and the rows that they have."""
    runs = sorted((run for run in place.runs() if run.suite == suite), key=lambda run: run.number)
    times = [datetime.fromisoformat(run.tags["due"]) for run in runs]
    ends = [(run.started_at, run.finished_at or datetime.max.replace(tzinfo=UTC)) for run in runs]
    lost = doubled = 0
    with closing(sqlite3.connect(place.folder / "home" / "ledger.db")) as ledger:
        for run in runs:
            for asked, each in ((_ANSWERS, 1), (_SCORES, len(run.manifest.metrics))):
                rows, distinct = ledger.execute(asked, [run.id]).fetchone()
                lost += each * run.total - distinct
                doubled += rows - distinct
    return Account(
        due=round((max(times) - min(times)) / MINUTE) + 1,
        served=len(set(times)),
        runs=len(runs),
        unfinished=sum(run.status is not RunStatus.FINISHED for run in runs),
        overlapping=sum(before[1] > after[0] for before, after in pairwise(sorted(ends))),
        doubled_times=len(times) - len(set(times)),
        lost_rows=lost,
        doubled_rows=doubled,
        delays_s=[(run.started_at - time).total_seconds() for run, time in zip(runs, times, strict=True)],
    )


def taken_up_s(place: Place, blow: Blow) -> float:
    """Seconds from the kill to the first answer that the run had afterwards."""
    with closing(sqlite3.connect(place.folder / "home" / "ledger.db")) as ledger:
        asked = "SELECT created_at FROM generation WHERE run_id = ? ORDER BY created_at"
        made = [datetime.fromisoformat(row[0]).replace(tzinfo=UTC) for row in ledger.execute(asked, [blow.run])]
    return min((at - blow.at).total_seconds() for at in made if at > blow.at)


def silent_s(place: Place, blow: Blow) -> float:
    """Seconds from the return of what was killed to the next start of any run."""
    return min((run.started_at - blow.back).total_seconds() for run in place.runs() if run.started_at > blow.back)


def shown(accounts: Mapping[str, Account], minutes: float, killed: float, back: float) -> str:
    """The outcome as Markdown."""
    rows = {
        "times due": [a.due for a in accounts.values()],
        "runs made": [a.runs for a in accounts.values()],
        "times without a run of their own, stood for by the next": [a.due - a.served for a in accounts.values()],
        "runs unfinished": [a.unfinished for a in accounts.values()],
        "runs that overlap": [a.overlapping for a in accounts.values()],
        "times run twice": [a.doubled_times for a in accounts.values()],
        "rows lost": [a.lost_rows for a in accounts.values()],
        "rows doubled": [a.doubled_rows for a in accounts.values()],
        "from due to start, median": [f"{median(a.delays_s):.1f} s" for a in accounts.values()],
        "from due to start, longest": [f"{max(a.delays_s):.1f} s" for a in accounts.values()],
    }
    lines = [f"| {minutes:g} minutes | {' | '.join(accounts)} |", f"|---|{'--:|' * len(accounts)}"]
    lines += [f"| {name} | {' | '.join(map(str, values))} |" for name, values in rows.items()]
    lines.append(
        f"\nThe worker was killed in mid-run and away for {WORKER_AWAY_S:.0f} s: {killed:.0f} s after the kill the run "
        f"went on. The server was killed and away for {SERVER_AWAY_S:.0f} s: {back:.0f} s after its return a run began."
    )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, endpoint() as url, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = Place(Path(folder), free.getsockname()[1])
        free.close()
        write(place, url)
        try:
            worker, server = ordeal(place, minutes)
        except BaseException:
            for log in sorted(place.folder.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text('utf-8', 'replace')[-4000:]}", file=sys.stderr)
            raise
        finally:
            for process in place.started:
                kill(process)
        accounts = {suite: account(place, suite) for suite in SUITES}
        print(shown(accounts, minutes, taken_up_s(place, worker), silent_s(place, server)))
    return 0 if all(each.is_exact for each in accounts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
