"""The error rates and the power of Haetae's verdicts, beside the usual rules and other packages.

    python tests/bench/simulate.py [--quick] [--seed 1] [--rivals DIR [--install-rivals]]

Prints Markdown and writes nothing. Every figure is seeded. `--rivals` names a virtual environment with
evalproof, statgate and ppi-python, which `--install-rivals` makes first; without it their rows say so.
`--quick` takes a hundredth of the repetitions: enough to see that it runs, not to quote.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the repetitions share the processors instead
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from repetitions import Repetitions
from rival_runs import Rivals
from rows import gate_rows, judge_rows, monitor_rows, naive_table, sequential_rows, speed_rows

WORKERS = 2
RIVALS = ("evalproof", "statgate", "ppi-python")


def install(folder: Path) -> None:
    """Make the environment of the other packages."""
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "-q", *RIVALS], check=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few repetitions: seconds, not minutes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rivals", type=Path, help="a virtual environment with evalproof, statgate and ppi-python")
    parser.add_argument("--install-rivals", action="store_true", help="make that environment first")
    chosen = parser.parse_args(arguments)
    if chosen.install_rivals:
        if chosen.rivals is None:
            parser.error("--install-rivals needs --rivals DIR")
        install(chosen.rivals)
    start, rivals = time.monotonic(), Rivals(chosen.rivals)
    with ProcessPoolExecutor(WORKERS) as pool:
        bench = Repetitions(pool, chosen.seed, 0.01 if chosen.quick else 1.0)
        parts = (gate_rows(bench), sequential_rows(bench), monitor_rows(bench), judge_rows(bench, rivals))
        print("| what | target | measured |\n|---|---|---|")
        for part in (*parts, speed_rows(chosen.quick)):
            for row in part:
                print("| " + " | ".join(row) + " |", flush=True)
        print("\nNothing changed, 20 suites a night, 200 samples of 0/1 scores, correlation .5:\n")
        print("\n".join(naive_table(bench, rivals)))
    print(f"\n{time.monotonic() - start:.0f} s with {WORKERS} processes, seed {chosen.seed}.", file=sys.stderr)


if __name__ == "__main__":
    main()
