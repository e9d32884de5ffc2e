"""What faults cost: every sample accounted for, how many attempts it took, and the time beside the bare loop.

    python tests/bench/faults_bench.py --tools FOLDER [--rounds 3]

FOLDER holds the mock endpoint (`mockllm/server.py`), the bare loop (`adapters/floor.py`) and the 1,000-sample
workload (`qa1000.jsonl`). The bare loop runs in a lean environment of its own, made when it is first needed. Prints
Markdown. Nothing here is an assertion: a shared machine is too noisy for that.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
from contestants import floor_folder
from workload import Timing, counts, mock, reset, timed, tools_folder, workload

_HAETAE = shutil.which("haetae", path=str(Path(sys.executable).parent)) or "haetae"
_MANY = 10_000
_IN_FLIGHT = 64
_THIRD = {"p429": 0.075, "p500": 0.075, "p_reset": 0.075, "p_malformed": 0.075}
"""Faults of four kinds, 30 % together."""


@dataclass(frozen=True)
class Done:
    """One run of ours: what it took, what its report says, and what the mock counted."""

    timing: Timing
    report: dict[str, Any]
    counted: dict[str, float]

    @property
    def accounted(self) -> str:
        account = self.report["accounting"][0]
        unscored = sum(account["unscored"].values())
        return f"{account['scored']} + {unscored} + {account['not_run']} of {account['total']}"

    @property
    def unanswered(self) -> int:
        """Samples for which nothing came: no answer, and no failure that says why."""
        account = self.report["accounting"][0]
        return int(account["total"] - account["scored"] - sum(account["unscored"].values()))

    @property
    def unscored(self) -> float:
        account = self.report["accounting"][0]
        return float(sum(account["unscored"].values()) / account["total"])


def configured(url: str, **settings: float) -> None:
    """Set what the mock does wrong; its counters are set to 0."""
    address = url.removesuffix("/v1") + "/__config"
    request = urllib.request.Request(address, json.dumps(settings).encode(), method="POST")  # noqa: S310  # our own
    with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310  # our own address
        reply.read()


def ran(folder: Path, suite: str, number: int, env: dict[str, str]) -> Done:
    """A run of ours in a new home."""
    own = env | {"HAETAE_HOME": str(folder / f"home-{suite}-{number}")}
    register = [_HAETAE, "register", "model", "model.yaml", "--name", "bench", "--alias", "production"]
    subprocess.run(register, env=own, cwd=folder, check=True, capture_output=True)
    url = re.search("base_url: (.*)", (folder / "model.yaml").read_text())
    assert url is not None  # it was written there
    reset(url[1])
    timing = timed([_HAETAE, "run", f"{suite}.yaml", "--quiet"], own, folder)
    counted = counts(url[1])
    shown = subprocess.run(
        [_HAETAE, "show", f"bench-{suite}.1", "--json"], env=own, cwd=folder, check=True, capture_output=True
    )
    return Done(timing, json.loads(shown.stdout), counted)


def many(folder: Path) -> None:
    """10,000 samples of their own, of which each call may fail four times."""
    rows = [json.loads(row) for row in (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    with (folder / "ten.jsonl").open("w", encoding="utf-8") as out:
        for number in range(_MANY):
            row = rows[number % len(rows)]
            out.write(json.dumps({**row, "id": f"{row['id']}-{number}", "input": f"{row['input']} ({number})"}) + "\n")
    suite = (folder / "em.yaml").read_text().replace("bench-em", "bench-ten").replace("samples.jsonl", "ten.jsonl")
    (folder / "ten.yaml").write_text(suite)


def third(folder: Path, url: str, env: dict[str, str]) -> None:
    """30 % of calls fail, at random, in 10,000 samples with five tries."""
    configured(url, **_THIRD, latency_ms=0, retry_after_s=0)
    many(folder)
    done = ran(folder, "ten", 0, env)
    attempts = done.counted["requests"] / _MANY
    print("| samples | scored + unscored + not run | attempts a sample | unscored | wall s | CPU s | nothing came |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {_MANY} | {done.accounted} | {attempts:.3f} | {done.unscored:.2%} | {done.timing.wall:.1f} "
        f"| {done.timing.cpu:.1f} | {done.unanswered} |\n",
        flush=True,
    )


def twentieth(folder: Path, url: str, env: dict[str, str], floor: list[str], rounds: int) -> None:
    """5 % of calls fail with a 500 or a 429, beside the bare loop with as many tries."""
    print("| 5 % of 500s and 429s, Retry-After | who | accounted | wall s | CPU s | wall ÷ bare loop |")
    print("|---|---|---|---|---|---|")
    for wait_s in (0.0, 1.0):
        configured(url, p429=0.025, p500=0.025, p_reset=0, p_malformed=0, latency_ms=100, retry_after_s=wait_s)
        ours, bare = list[Done](), list[Timing]()
        for number in range(rounds):
            ours.append(ran(folder, "em", int(1_000 * wait_s) + number, env))
            reset(url)
            work = folder / f"floor-{wait_s}-{number}"
            work.mkdir()
            bare.append(timed([*floor, "--work", str(work)], env | {"OPENAI_BASE_URL": url}, folder))
        wall, cpu = (statistics.median(getattr(done.timing, what) for done in ours) for what in ("wall", "cpu"))
        base, base_cpu = (statistics.median(getattr(timing, what) for timing in bare) for what in ("wall", "cpu"))
        header = f"{wait_s:g} s"
        print(f"| {header} | bare loop, which does not read it | | {base:.2f} | {base_cpu:.2f} | 1 |", flush=True)
        print(
            f"| {header} | haetae run | {ours[-1].accounted} | {wall:.2f} | {cpu:.2f} | {wall / base:.2f} |", flush=True
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, help="the folder of tools; default $HAETAE_BENCH_TOOLS")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=8931)
    args = parser.parse_args()
    tools = tools_folder(args.tools)
    environments.main(str(floor_folder()), "floor")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as scratch, mock(tools, 0, args.port) as url:
        folder = Path(scratch)
        workload(tools, folder, url, _IN_FLIGHT)
        floor = [
            str(floor_folder() / "floor" / "bin" / "python"),
            str(tools / "adapters" / "floor.py"),
            "-c",
            str(_IN_FLIGHT),
        ]
        floor += ["--base-url", url, "--variant", "em", "-n", "1000", "--retries", "4"]
        twentieth(folder, url, env, floor, args.rounds)
        print()
        third(folder, url, env)


if __name__ == "__main__":
    main()
