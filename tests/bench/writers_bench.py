"""Eight processes write one ledger while two read it: errors, rows, and how long a commit takes.

    python tests/bench/writers_bench.py [--writers 8] [--readers 2] [--commits 250 | --seconds 60] [--rows 5]
        [--postgres URL]

Prints Markdown, and exits with 1 when a row is missing, is there twice, or anything was raised. Each writer has a run
of its own and records so many batches, or for so many seconds; readers read its counts until the writers are through.
The ledger is a SQLite file, and besides a database made on the server that `--postgres` names.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, RunStatus, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.store.health import findings
from haetae.store.sql import open_ledger

AT = datetime(2026, 3, 1, tzinfo=UTC)
_COLUMNS = (
    *("ledger", "writers", "readers", "commits", "rows", "errors", "tried again", "reads a second", "integrity"),
    *("commit p50", "p99", "max", "samples a second"),
)


@dataclass(frozen=True)
class Outcome:
    """What came of it: rows there are and rows expected, how often a commit was tried again, and its seconds."""

    rows: int
    expected: int
    again: int
    reads: int
    failed: list[str]
    whole: bool
    seconds: list[float]
    wall_s: float

    @property
    def is_good(self) -> bool:
        return self.rows == self.expected and not self.failed and self.whole

    def percentile(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def write(url: str, number: int, commits: int, rows: int, lasting: float) -> None:
    """One writer: its own run, and the seconds of each commit; ends after so many commits, or so many seconds."""
    seconds: list[float] = []
    manifest = Manifest({"suite": "busy", "writer": number}, {}, {}, {"exact": MetricFacts("exact", "1")})
    with open_ledger(url) as ledger:
        _go()
        run = ledger.start("busy", manifest, 1_000_000, AT, 0, {})
        until = time.perf_counter() + lasting
        for first in range(0, commits * rows, rows):
            if time.perf_counter() > until:
                break
            samples = [Sample(f"s{n}", f"question {n} " * 10) for n in range(first, first + rows)]
            keys = [f"{number} {sample.id}" for sample in samples]
            answers = [
                GenerationRow(s.id, 0, key, s.digest, Generation("answer " * 40))
                for s, key in zip(samples, keys, strict=True)
            ]
            scores = [ScoreRow(s.id, 0, "exact", key, Score(1.0)) for s, key in zip(samples, keys, strict=True)]
            started = time.perf_counter()
            ledger.record(run.id, samples, answers, scores, AT)
            seconds.append(time.perf_counter() - started)
        ledger.finish(run.id, RunStatus.FINISHED, AT)
        print(json.dumps({"seconds": seconds, "again": ledger._database.again}))


def read(url: str) -> None:
    """One reader: accounts of all runs, again and again, until its standard input ends."""
    import threading

    ended, reads = threading.Event(), 0
    with open_ledger(url, readonly=True) as ledger:
        _go()
        threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
        while not ended.is_set():
            for run in ledger.runs():
                account = ledger.accounting(run.id)[0]
                if account.scored + account.not_run != account.total:
                    raise RuntimeError(f"half a commit was read: {account}")
                reads += 1
    print(json.dumps({"reads": reads}))


def _go() -> None:
    """Say that all is open, and wait for the others."""
    print("ready", flush=True)
    sys.stdin.readline()


def measured(url: str, writers: int, readers: int, commits: int, rows: int, lasting: float = float("inf")) -> Outcome:
    """Start everybody, let them go at once, and count."""
    open_ledger(url).close()
    each = (str(commits), str(rows), str(lasting))
    writing = [_started("write", url, str(number), *each) for number in range(writers)]
    reading = [_started("read", url) for _ in range(readers)]
    for process in (*writing, *reading):
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise RuntimeError(process.communicate()[1])
    started = time.perf_counter()
    for process in (*writing, *reading):
        if process.stdin is not None:
            process.stdin.write("go\n")
            process.stdin.flush()
    said = [process.communicate() for process in writing]
    wall = time.perf_counter() - started
    said += [process.communicate() for process in reading]
    processes = (*writing, *reading)
    failed = [err for process, (_, err) in zip(processes, said, strict=True) if process.returncode]
    told = [json.loads(out) for process, (out, _) in zip(processes, said, strict=True) if not process.returncode]
    with open_ledger(url, readonly=True) as ledger:
        counted = [account.scored for run in ledger.runs() for account in ledger.accounting(run.id)]
    seconds = [second for one in told for second in one.get("seconds", [])]
    return Outcome(
        rows=sum(counted),
        expected=rows * (len(seconds) if lasting < float("inf") else writers * commits),
        again=sum(one.get("again", 0) for one in told),
        reads=sum(one.get("reads", 0) for one in told),
        failed=failed,
        whole=not [finding for finding in findings(url) if finding.level == "problem"],
        seconds=seconds,
        wall_s=wall,
    )


def _started(*arguments: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, __file__, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def main() -> None:
    """Measure, and print a row for each database."""
    if sys.argv[1:2] == ["write"]:
        return write(sys.argv[2], *map(int, sys.argv[3:6]), float(sys.argv[6]))
    if sys.argv[1:2] == ["read"]:
        return read(sys.argv[2])
    parser = argparse.ArgumentParser()
    for name, default in (("writers", 8), ("readers", 2), ("commits", 250), ("rows", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, help="in place of --commits")
    parser.add_argument("--postgres", default=os.environ.get("HAETAE_TEST_POSTGRES"))
    options = parser.parse_args()
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}", flush=True)
    commits, lasting = (10**9, options.seconds) if options.seconds else (options.commits, float("inf"))
    asked = (options.writers, options.readers, commits, options.rows, lasting)
    with tempfile.TemporaryDirectory(prefix="haetae-writers-") as folder:
        good = _told("SQLite", measured(f"sqlite:///{folder}/ledger.db", *asked), options)
    if options.postgres:
        from ledger_bench import a_database  # here, so that writers and readers load no more than a ledger

        with a_database(options.postgres) as url:
            good &= _told("Postgres", measured(url, *asked), options)
    sys.exit(not good)


def _told(name: str, found: Outcome, options: argparse.Namespace) -> bool:
    """One row of the table; whether all went well."""
    p50, p99, most = (1000 * found.percentile(share) for share in (0.5, 0.99, 1.0))
    reads = found.reads / found.wall_s
    print(
        f"| {name} | {options.writers} | {options.readers} | {len(found.seconds):,} "
        f"| {found.rows:,} of {found.expected:,} | {len(found.failed)} | {found.again} | {reads:,.0f} "
        f"| {'ok' if found.whole else 'DAMAGED'} | {p50:.1f} ms | {p99:.1f} ms | {most:.0f} ms "
        f"| {found.rows / found.wall_s:,.0f} |",
        flush=True,
    )
    if not found.is_good:
        print("\n".join(found.failed), file=sys.stderr)
    return found.is_good


if __name__ == "__main__":
    main()
