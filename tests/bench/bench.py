"""Speed as ratios: `haetae run` beside the bare aiohttp loop, interleaved in one run against one mock endpoint.

    python tests/bench/bench.py --tools FOLDER [--rounds 3] [--in-flight 64] [--latency-ms 100] [--rivals FOLDER]

FOLDER holds the mock endpoint (`mockllm/server.py`), the bare loop (`adapters/floor.py`), the same work for other
tools, and the 1,000-sample workload (`qa1000.jsonl`). The bare loop runs in a lean environment of its own, which is
made when it is first needed; so do the other tools, when `--rivals` says where. Prints Markdown; RESULTS.md keeps
the figures. Nothing here is an assertion: a shared machine is too noisy for that.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import environments
from contestants import FLOOR, QUIET, Contestant, floor_folder, those_made
from workload import (
    RATE_IN_FLIGHT,
    RATE_SAMPLES,
    Timing,
    counts,
    mock,
    rate_workload,
    reset,
    timed,
    tools_folder,
    workload,
)

_HAETAE = shutil.which("haetae", path=str(Path(sys.executable).parent)) or "haetae"

Found = dict[tuple[str, str], list[Timing]]


@dataclass(frozen=True)
class Bench:
    """Where a bench happens: the folder of tools, the environments, a scratch folder, and the mock endpoint."""

    tools: Path
    environments: Path
    scratch: Path
    url: str
    env: dict[str, str]
    in_flight: int

    def run(self, contestant: Contestant, variant: str, number: int) -> Timing:
        """One run of another tool."""
        work = self.scratch / f"{contestant.environment}-{contestant.script}-{variant}-{number}-{time.monotonic_ns()}"
        command = contestant.command(self.tools, self.environments, self.url, variant, self.in_flight, work)
        return timed(command, self.env | QUIET | {"OPENAI_BASE_URL": self.url}, self.scratch)

    def haetae(self, suite: str, number: int) -> tuple[Timing, Timing, dict[str, float]]:
        """A run of ours in a new home, the same again, and what the mock counted of the first."""
        own = self.env | {"HAETAE_HOME": str(self.scratch / f"home-{suite}-{number}")}
        register = [_HAETAE, "register", "model", "model.yaml", "--name", "bench", "--alias", "production"]
        subprocess.run(register, env=own, cwd=self.scratch, check=True, capture_output=True)
        reset(self.url)
        ours = timed([_HAETAE, "run", f"{suite}.yaml", "--quiet"], own, self.scratch)
        counted = counts(self.url)
        return ours, timed([_HAETAE, "run", f"{suite}.yaml", "--quiet"], own, self.scratch), counted


def workload_rows(bench: Bench, rounds: int, rivals: list[Contestant], rival_rounds: int) -> Found:
    """1,000 samples, without and with a judge: everybody in turn, so that a drift of the machine hits all alike."""
    found: Found = {}
    for number in range(rounds + 1):
        for variant in ("em", "judge"):
            ours, again, counted = bench.haetae(variant, number)
            bare = bench.run(FLOOR, variant, number)
            if number == 0:  # warms the machine up
                continue
            for name, timing in ((FLOOR.name, bare), ("haetae run", ours), ("haetae run, all cached", again)):
                found.setdefault((variant, name), []).append(timing)
            print(f"round {number} {variant}: {counted['requests']:g} requests", file=sys.stderr)
            for rival in rivals if number <= rival_rounds else ():
                if variant in rival.variants:
                    try:
                        found.setdefault((variant, rival.name), []).append(bench.run(rival, variant, number))
                    except subprocess.CalledProcessError as exc:
                        print(f"{rival.name}, {variant}: it failed: {last_line(exc.stdout)}", file=sys.stderr)
    return {key: timings for key, timings in found.items() if timings}


def rate_rows(bench: Bench, rounds: int) -> Iterator[str]:
    """Requests per second without any latency, from the first request to the last answer as the mock saw them."""
    rates: dict[str, list[float]] = {}
    floor = replace(FLOOR, samples=RATE_SAMPLES)
    for number in range(rounds):
        _, _, counted = bench.haetae("rate", number)
        rates.setdefault("haetae run", []).append(counted["requests"] / counted["span_s"])
        reset(bench.url)
        bench.run(floor, "em", number)
        counted = counts(bench.url)
        rates.setdefault(FLOOR.name, []).append(counted["requests"] / counted["span_s"])
    bare = statistics.median(rates[FLOOR.name])
    for name, found in rates.items():
        middle = statistics.median(found)
        yield f"| {name} | {middle:,.0f} | {middle / bare:.2f} |"


def last_line(text: str | None) -> str:
    """The last line that is not blank."""
    return next((line for line in reversed((text or "").splitlines()) if line.strip()), "it said nothing")


def main() -> None:
    """Interleave the contestants and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, help="the folder of tools; default $HAETAE_BENCH_TOOLS")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=100.0)
    parser.add_argument("--port", type=int, default=8917)
    parser.add_argument("--rivals", type=Path, help="a folder for the other tools' environments; they are made there")
    parser.add_argument("--rival-rounds", type=int, default=1, help="how often each of them runs")
    args = parser.parse_args()
    tools, folder = tools_folder(args.tools), (args.rivals or floor_folder()).absolute()
    environments.main(str(folder), *([] if args.rivals else ["floor"]))
    if not environments.made(folder, "floor"):
        sys.exit(f"the environment of the bare loop could not be made in {folder}")
    rivals, missing = those_made(folder) if args.rivals else ([], ["the other tools: no --rivals FOLDER was given"])
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as scratch:
        with mock(tools, args.latency_ms, args.port) as url:
            bench = Bench(tools, folder, Path(scratch), url, env, args.in_flight)
            workload(tools, bench.scratch, url, args.in_flight)
            print_table(workload_rows(bench, args.rounds, rivals, args.rival_rounds))
        with mock(tools, 0.0, args.port) as url:
            bench = Bench(tools, folder, Path(scratch), url, env, RATE_IN_FLIGHT)
            rate_workload(tools, bench.scratch)
            print(f"\n| no latency, {RATE_IN_FLIGHT} in flight | requests/s | ÷ floor |\n|---|---|---|")
            print("\n".join(rate_rows(bench, args.rounds)))
    for why in missing:
        print(f"\nNot run: {why}.")


def print_table(found: Found) -> None:
    """Medians, and ratios to the bare loop of the same rounds."""
    print(
        "| workload | who | wall s | CPU s | peak RSS MB | wall ÷ floor | CPU ÷ floor |\n|---|---|---|---|---|---|---|"
    )
    for variant in ("em", "judge"):
        floor = found[variant, FLOOR.name]
        rows = [(name, timings) for (of, name), timings in found.items() if of == variant]
        for name, timings in sorted(rows, key=lambda row: statistics.median(t.wall for t in row[1])):
            wall, cpu = (statistics.median(getattr(t, what) for t in timings) for what in ("wall", "cpu"))
            ratio = [
                statistics.median(getattr(t, what) / getattr(f, what) for t, f in zip(timings, floor, strict=False))
                for what in ("wall", "cpu")
            ]
            rss = max(t.rss for t in timings)
            print(f"| {variant} | {name} | {wall:.2f} | {cpu:.2f} | {rss:.0f} | {ratio[0]:.2f} | {ratio[1]:.2f} |")


if __name__ == "__main__":
    main()
