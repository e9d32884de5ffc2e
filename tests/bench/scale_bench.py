"""One run by 1, 2 and 4 processes: samples a second, and how much of a process each further one is worth.

    python tests/bench/scale_bench.py --tools FOLDER [--samples 6000] [--latency-ms 500] [--in-flight 32] [--shards 16]
        [--workers 1 2 4] [--postgres URL]

FOLDER holds the mock endpoint. Each row is a run of its own, opened by this process and worked on by so many
`haetae work`, on SQLite and, where a server is named (`postgresql://postgres@127.0.0.1:5432`), on Postgres. The time
is the endpoint's: from the first call of anybody to the last answer. Efficiency is the rate over that of one process
times their number. Every sample has to be there once, and called once. Nothing here is an assertion of time.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from ledger_bench import a_database
from workload import counts, mock, reset, tools_folder, workload

from haetae.settings import Settings, load_settings
from haetae.workbench.bench import Workbench


@dataclass(frozen=True)
class Measured:
    """What came of one run: seconds at the endpoint and of wall, CPU seconds of the workers, calls, shards of each."""

    seconds: float
    wall: float
    cpu: float
    calls: int
    shards: tuple[int, ...]


def write_project(folder: Path, tools: Path, url: str, samples: int, in_flight: int) -> Path:
    """The suite without a judge over so many samples, each with a question of its own."""
    workload(tools, folder, url, in_flight)
    rows = [json.loads(row) for row in (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    with (folder / "many.jsonl").open("w", encoding="utf-8") as out:
        for number in range(samples):
            row = rows[number % len(rows)]
            out.write(json.dumps({**row, "id": f"{row['id']}-{number}", "input": f"{row['input']} ({number})"}) + "\n")
    suite = folder / "scale.yaml"
    text = (folder / "em.yaml").read_text().replace("bench-em", "bench-scale").replace("samples.jsonl", "many.jsonl")
    suite.write_text(re.sub("in_flight: [0-9]+", f"in_flight: {in_flight}", text))
    return suite


def measured(suite: Path, env: dict[str, str], url: str, workers: int, shards: int) -> Measured:
    """Open a run and let so many processes do it."""
    with Workbench(_settings(env, suite)) as bench:
        run = bench.share(suite, shards=shards, fresh=True)
        reset(url)
        started, said = time.perf_counter(), []
        processes = [_worker(run.id, suite.parent, env) for _ in range(workers)]
        cpu = 0.0
        for process in processes:
            assert process.stdout is not None
            said.append(process.stdout.read())
            _, status, usage = os.wait4(process.pid, 0)  # the kernel's own account of this one process
            process.returncode = os.waitstatus_to_exitcode(status)
            process.stdout.close()
            if process.returncode:
                raise subprocess.CalledProcessError(process.returncode, process.args, said[-1])
            cpu += usage.ru_utime + usage.ru_stime
        wall, at_endpoint = time.perf_counter() - started, counts(url)
        report = bench.resume(run.id, track=False)
        _must_be_whole(report.run.total, bench.ledger.done_count(run.id, list(run.manifest.metrics))[1])
    shares = tuple(len(json.loads(one)["shards"]) for one in said)
    return Measured(at_endpoint["span_s"], wall, cpu, int(at_endpoint["requests"]), shares)


def _must_be_whole(total: int, done: int) -> None:
    if done != total:
        raise RuntimeError(f"{done:,} of {total:,} samples are whole")


def _settings(env: dict[str, str], suite: Path) -> Settings:
    return load_settings(env, suite.parent)


def _worker(run: str, folder: Path, env: dict[str, str]) -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).parent / "haetae"), "work", run, "--json", "--quiet"]
    return subprocess.Popen(command, env={**os.environ, **env}, cwd=folder, stdout=subprocess.PIPE, text=True)


@contextmanager
def a_project(tools: Path, url: str, samples: int, in_flight: int, ledger: str | None) -> Iterator[tuple[Path, dict]]:
    """A project in a folder that goes away, its model registered, and the environment of its commands."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        suite = write_project(folder, tools, url, samples, in_flight)
        env = {"HAETAE_HOME": f"{folder}/home", **({"HAETAE_LEDGER": ledger} if ledger else {})}
        with Workbench(_settings(env, suite)) as bench:
            bench.register("model", folder / "model.yaml", "bench")
            bench.alias("model", "bench@1", "production")
        yield suite, env


def table(args: argparse.Namespace, tools: Path, url: str, name: str, ledger: str | None) -> None:
    """The rows of one database."""
    with a_project(tools, url, args.samples, args.in_flight, ledger) as (suite, env):
        alone = 0.0
        for workers in args.workers:
            got = measured(suite, env, url, workers, args.shards)
            rate = args.samples / got.seconds
            alone = alone or rate / workers
            most = workers * args.in_flight * 1000 / args.latency_ms
            print(
                f"| {name} | {workers} | {rate:.1f} | {rate / (workers * alone):.2f} | {rate / most:.2f} "
                f"| {got.seconds:.1f} | {got.wall:.1f} | {got.cpu:.1f} | {got.calls - args.samples} "
                f"| {', '.join(map(str, got.shards))} |",
                flush=True,
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path)
    parser.add_argument("--samples", type=int, default=6_000)
    parser.add_argument("--latency-ms", type=float, default=500.0)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--port", type=int, default=8477)
    parser.add_argument("--postgres", default=os.environ.get("HAETAE_TEST_POSTGRES"))
    args = parser.parse_args(arguments)
    tools = tools_folder(args.tools)
    print(
        f"{os.cpu_count()} cores; {args.samples:,} samples, {args.latency_ms:g} ms, {args.in_flight} in flight each\n"
    )
    print(
        "| ledger | processes | samples/s | efficiency | of what latency allows | s | wall s, with start "
        "| CPU s of workers | calls too many | shards of each |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    with mock(tools, args.latency_ms, args.port) as url:
        table(args, tools, url, "SQLite", None)
        with a_database(args.postgres) if args.postgres else nullcontext() as ledger:
            if ledger:
                table(args, tools, url, "Postgres", ledger)
    if not args.postgres:
        print("no Postgres was named (--postgres): it was not measured", file=sys.stderr)


if __name__ == "__main__":
    main()
