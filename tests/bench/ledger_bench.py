"""Rows at full speed: recorded outputs through exact match into the ledger, and rows a second on each database.

    python tests/bench/ledger_bench.py [--samples 100000] [--million] [--postgres URL]

The engine is measured from its first sample to its last, and the whole process besides: check, run, estimates,
report. `--million` adds a million samples and what memory they need beside a tenth of them. `--postgres` names a
server without a database name (`postgresql://postgres@127.0.0.1:5432`); a database is made there and dropped again.
Prints Markdown tables; RESULTS.md keeps the figures. Nothing here is an assertion: a shared machine is too noisy
for that, and CPU seconds tell more on it than wall seconds do.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench import Timing

from haetae.cli.main import _NEW_OBJECTS
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.settings import load_settings
from haetae.store.sql import open_ledger
from haetae.workbench.bench import Workbench
from haetae.workbench.running import Running

_BATCH = 2_000
"""Samples of one commit, three rows each: about what the engine commits at once where nothing is called."""


def write_project(folder: Path, samples: int) -> Path:
    """A suite over recorded outputs, of which every fifth is wrong."""
    with (folder / "samples.jsonl").open("w") as questions, (folder / "outputs.jsonl").open("w") as answers:
        for number in range(samples):
            name, said = f"s{number:07}", number if number % 5 else number + 1
            question = {"id": name, "input": f"What is the capital of country {number}?", "reference": f"city {number}"}
            questions.write(json.dumps(question) + "\n")
            answers.write(json.dumps({"id": name, "output": f"city {said}"}) + "\n")
    suite = folder / "suite.yaml"
    suite.write_text(
        "suite: recorded\ndataset: samples.jsonl\ntarget: { outputs: outputs.jsonl }\nmetrics: { exact: exact_match }\n"
    )
    return suite


def engine(samples: int) -> tuple[float, float]:
    """Seconds of wall and of CPU from the first sample of a run to its last commit."""
    with tempfile.TemporaryDirectory() as scratch:
        suite = write_project(Path(scratch), samples)
        with Workbench(load_settings({"HAETAE_HOME": f"{scratch}/home"}, Path(scratch))) as bench:
            assembly = bench._assemble(suite)
            _collect_as_the_command_does()
            running = Running(bench.ledger, bench._clock, bench._gate)
            evaluation = running.evaluation(running.open(assembly, False, None, {}), assembly, None, gating=False)
            took = _measured(lambda: asyncio.run(_called(evaluation)))
            asyncio.run(assembly.aclose())
    return took


def _collect_as_the_command_does() -> None:
    """What is there stays, and is not looked at; garbage is looked for as seldom as the command does."""
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)


async def _called(evaluation: Callable[[], object]) -> None:
    await evaluation()  # type: ignore[misc]  # an Evaluation


_LEAN = (
    "import json, os, sys; from dataclasses import astuple; from pathlib import Path; from bench import timed; "
    "print(json.dumps(astuple(timed(sys.argv[2:], dict(os.environ), Path(sys.argv[1])))))"
)
"""A small process that starts the large one: the kernel counts to a process what its parent held when it began."""


def whole(samples: int) -> Timing:
    """`haetae run` in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        write_project(Path(scratch), samples)
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        command = [str(Path(sys.executable).parent / "haetae"), "run", "suite.yaml", "--quiet"]
        env["HAETAE_HOME"] = f"{scratch}/home"
        asked = [sys.executable, "-c", _LEAN, scratch, *command]
        said = subprocess.run(asked, env=env, cwd=Path(__file__).parent, check=True, capture_output=True, text=True)
        return Timing(*json.loads(said.stdout))


def ledger_rows(url: str, samples: int) -> tuple[float, float]:
    """Seconds of wall and of this process' CPU to commit a sample, an answer and a score for each of `samples`."""
    at = datetime.now(UTC)
    manifest = Manifest({"suite": "rows"}, {}, {}, {"exact": MetricFacts("exact", "1")})
    made = [Sample(f"s{n:07}", f"What is the capital of country {n}?", (f"city {n}",)) for n in range(samples)]
    answers = [GenerationRow(s.id, 0, s.digest, s.digest, Generation(f"city {s.id}", attempts=0)) for s in made]
    scores = [ScoreRow(s.id, 0, "exact", s.digest, Score(1.0)) for s in made]
    with open_ledger(url) as ledger:
        run = ledger.start("rows", manifest, samples, at, 0, {})

        def work() -> None:
            for start in range(0, samples, _BATCH):
                part = slice(start, start + _BATCH)
                ledger.record(run.id, made[part], answers[part], scores[part], at)

        return _measured(work)


def _measured(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


@contextmanager
def a_database(server: str) -> Iterator[str]:
    """An empty Postgres database that is dropped afterwards."""
    import psycopg

    name = f"haetae_bench_{os.getpid()}"
    with psycopg.connect(f"{server.rstrip('/')}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{server.rstrip('/')}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--postgres", default=os.environ.get("HAETAE_TEST_POSTGRES"))
    args = parser.parse_args()
    print("| what | number | wall s | CPU s | a second, by wall | a second, by CPU |\n|---|---|---|---|---|---|")
    _say("recorded samples, exact match, SQLite", args.samples, engine(args.samples))
    with tempfile.TemporaryDirectory() as scratch:
        rows = ledger_rows(f"sqlite:///{scratch}/ledger.db", args.samples)
    _say("ledger rows, SQLite", 3 * args.samples, rows)
    if args.postgres:
        with a_database(args.postgres) as url:
            _say("ledger rows, Postgres", 3 * args.samples, ledger_rows(url, args.samples))
    else:
        print("no Postgres was named (--postgres): its rows were not measured", file=sys.stderr)
    print("\n| `haetae run`, whole process | wall s | CPU s | peak RSS MB |\n|---|---|---|---|")
    sizes = [1_000, 100_000, *([1_000_000] if args.million else [])]
    found = {}
    for samples in sizes:
        found[samples] = whole(samples)
        print(f"| {samples:,} | {found[samples].wall:.2f} | {found[samples].cpu:.2f} | {found[samples].rss:.0f} |")
    if args.million:
        print(f"\nRSS of a million over RSS of a tenth: {found[1_000_000].rss / found[100_000].rss:.2f}")


def _say(what: str, number: int, took: tuple[float, float]) -> None:
    wall, cpu = took
    print(f"| {what} | {number:,} | {wall:.2f} | {cpu:.2f} | {number / wall:,.0f} | {number / cpu:,.0f} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as exc:
        sys.exit(f"{exc}: {exc.output}")
