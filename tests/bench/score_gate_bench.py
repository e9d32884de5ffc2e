"""haetae gate on two plain score files: the whole process, and the gate alone on scores already read.

    python tests/bench/score_gate_bench.py [SAMPLES ...]

20 metrics, half 0/1 and half continuous, 1,000 and 100,000 samples by default. The process is timed from its
start to its exit, reading and printing included (median of five, of three above 10,000 samples); its peak
memory is the operating system's.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from haetae.catalog.scores.source import scores_of
from haetae.workbench.scores.gate import gate_scores
from haetae.workbench.scores.rules import ScoreRules

METRICS = 20


def write_scores(path: Path, samples: int, seed: int) -> None:
    """One side: a line per sample and metric."""
    rng = np.random.default_rng(seed)
    columns = [
        rng.binomial(1, 0.8, samples).tolist()
        if m % 2 == 0
        else np.clip(rng.normal(0.7, 0.2, samples), 0, 1).round(3).tolist()
        for m in range(METRICS)
    ]
    with path.open("w") as file:
        for n in range(samples):
            for m, column in enumerate(columns):
                file.write(json.dumps({"id": f"s{n}", "metric": f"m{m:02}", "score": column[n]}) + "\n")


def process(baseline: Path, candidate: Path) -> tuple[float, float, float]:
    """(wall seconds, processor seconds, peak MB) of one `haetae gate`."""
    command = [str(Path(sys.executable).with_name("haetae")), "gate", "--margin", "0.05", "--json"]
    command += ["--baseline-scores", str(baseline), "--candidate-scores", str(candidate)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as running:
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode != 0:
        raise SystemExit(f"haetae gate exited with {running.returncode}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def gate_alone(baseline: Path, candidate: Path) -> tuple[float, float]:
    """(wall, processor seconds) of the gate on scores that are in memory."""
    sides = scores_of(baseline), scores_of(candidate)
    wall, processor = time.perf_counter(), time.process_time()
    gate_scores(*sides, ScoreRules(margin=0.05))
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """Print the table."""
    print(f"| samples x {METRICS} metrics | process: wall s | CPU s | peak MB | gate alone: wall s | CPU s |")
    print("|---|---|---|---|---|---|")
    for samples in [int(given) for given in sys.argv[1:]] or [1_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            sides = Path(folder, "a.jsonl"), Path(folder, "b.jsonl")
            for seed, side in enumerate(sides):
                write_scores(side, samples, seed)
            rounds = 5 if samples <= 10_000 else 3
            whole = [statistics.median(each) for each in zip(*(process(*sides) for _ in range(rounds)), strict=True)]
            alone = [statistics.median(each) for each in zip(*(gate_alone(*sides) for _ in range(rounds)), strict=True)]
        print(f"| {samples:,} | {whole[0]:.2f} | {whole[1]:.2f} | {whole[2]:.0f} | {alone[0]:.3f} | {alone[1]:.3f} |")


if __name__ == "__main__":
    main()
