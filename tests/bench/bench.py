"""Speed as ratios: `haetae run` beside the bare aiohttp loop, interleaved in one run against one mock endpoint.

    python tests/bench/bench.py --tools FOLDER [--rounds 3] [--in-flight 64] [--latency-ms 100]

FOLDER holds the mock endpoint (`mockllm/server.py`), the bare loop (`adapters/floor.py`) and the
1,000-sample workload (`qa1000.jsonl`). Prints a Markdown table; RESULTS.md keeps the figures. Nothing here
is an assertion: a shared machine is too noisy for that.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROMPT = """messages:
  - role: system
    content: Answer the question in one sentence, using only the context.
  - role: user
    content: "Context:\\n{{ contexts | join('\\n') }}\\n\\nQuestion: {{ input }}"
"""
_RUBRIC = """messages:
  - role: user
    content: |
      You grade an answer against a reference.
      Question: {{ input }}
      Reference: {{ reference }}
      Answer:
      {{ output }}
"""


@dataclass(frozen=True)
class Timing:
    """One process: seconds of wall, seconds of CPU with its children, peak resident memory in MB."""

    wall: float
    cpu: float
    rss: float


def timed(command: list[str], env: dict[str, str], folder: Path) -> Timing:
    """Run a command to its end; raises CalledProcessError when it exits with anything but 0 or 3."""
    started = time.perf_counter()
    with (folder / "last.log").open("w") as log:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)  # the kernel's own account of this one process
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        raise subprocess.CalledProcessError(process.returncode, command, (folder / "last.log").read_text())
    return Timing(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


@contextmanager
def mock(tools: Path, latency_ms: float, port: int) -> Iterator[str]:
    """The mock endpoint in a process of its own."""
    server = subprocess.Popen(
        [
            sys.executable,
            "mockllm/server.py",
            "--port",
            str(port),
            "--qa",
            "qa1000.jsonl",
            "--latency-ms",
            str(latency_ms),
        ],
        cwd=tools,
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            try:
                _control(f"http://127.0.0.1:{port}", "/__stats")
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise RuntimeError("the mock endpoint did not start")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait()


def _control(url: str, path: str, method: str = "GET") -> bytes:
    """The mock's control plane, on loopback."""
    request = urllib.request.Request(url.removesuffix("/v1") + path, method=method)  # noqa: S310  # our own address
    with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310  # our own address
        content: bytes = reply.read()
        return content


def asked(url: str) -> int:
    """How many requests the mock has answered since the last reset."""
    return int(json.loads(_control(url, "/__stats"))["requests"])


def reset(url: str) -> None:
    """Set the mock's counters to 0."""
    _control(url, "/__reset", "POST")


def workload(tools: Path, folder: Path, url: str, in_flight: int) -> None:
    """The 1,000 samples, a prompt, a rubric, a model and the two suites."""
    with (tools / "qa1000.jsonl").open(encoding="utf-8") as rows, (folder / "samples.jsonl").open("w") as out:
        for row in map(json.loads, rows):
            sample = {
                "id": row["id"],
                "input": row["question"],
                "reference": row["reference"],
                "contexts": row["contexts"],
            }
            out.write(json.dumps(sample, ensure_ascii=False) + "\n")
    (folder / "prompt.yaml").write_text(_PROMPT)
    (folder / "rubric.yaml").write_text(_RUBRIC)
    (folder / "model.yaml").write_text(f"base_url: {url}\nmodel: gpt-4o-mini\nparameters: {{ temperature: 0 }}\n")
    metrics = "  exact: exact_match\n  rouge: { rouge: L }\n"
    for name, more in (("em", ""), ("judge", "  graded: { judge: rubric.yaml, scale: [0, 1] }\n")):
        (folder / f"{name}.yaml").write_text(
            f"suite: bench-{name}\ndataset: samples.jsonl\n"
            "target: { model: bench@production, prompt: prompt.yaml }\n"
            f"judge: bench@production\nmetrics:\n{metrics}{more}limits: {{ in_flight: {in_flight} }}\n"
        )


def main() -> None:
    """Interleave the contestants and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, default=os.environ.get("HAETAE_BENCH_TOOLS", "../shared/tools"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=100.0)
    parser.add_argument("--port", type=int, default=8917)
    args = parser.parse_args()
    tools = Path(args.tools).resolve()
    if not (tools / "mockllm" / "server.py").exists():
        sys.exit(f"no mock endpoint in {tools}; name its folder with --tools")
    haetae = shutil.which("haetae", path=str(Path(sys.executable).parent)) or "haetae"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found: dict[tuple[str, str], list[Timing]] = {}
    with tempfile.TemporaryDirectory() as scratch, mock(tools, args.latency_ms, args.port) as url:
        folder = Path(scratch)
        workload(tools, folder, url, args.in_flight)
        floor_env = env | {"OPENAI_BASE_URL": url, "BENCH_WORK": scratch}
        floor = [sys.executable, str(tools / "adapters" / "floor.py"), "--base-url", url, "-c", str(args.in_flight)]
        for round_ in range(args.rounds + 1):
            for variant in ("em", "judge"):
                home = folder / f"home-{variant}-{round_}"
                own = env | {"HAETAE_HOME": str(home)}
                subprocess.run([haetae, "register", "model", "model.yaml", "--name", "bench", "--alias", "production"],
                               env=own, cwd=folder, check=True, capture_output=True)  # fmt: skip
                reset(url)
                ours = timed([haetae, "run", f"{variant}.yaml", "--quiet"], own, folder)
                calls = asked(url)
                again = timed([haetae, "run", f"{variant}.yaml", "--quiet"], own, folder)
                bare = timed([*floor, "--variant", variant], floor_env, folder)
                if round_:  # the first round warms the machine up
                    for name, timing in (
                        ("bare aiohttp loop", bare),
                        ("haetae run", ours),
                        ("haetae run, all cached", again),
                    ):
                        found.setdefault((variant, name), []).append(timing)
                    print(f"round {round_} {variant}: {calls} requests", file=sys.stderr)
    print_table(found)


def print_table(found: dict[tuple[str, str], list[Timing]]) -> None:
    """Medians, and ratios to the bare loop."""
    print(
        "| workload | who | wall s | CPU s | peak RSS MB | wall ÷ floor | CPU ÷ floor |\n|---|---|---|---|---|---|---|"
    )
    for (variant, name), timings in sorted(found.items()):
        floor = found[variant, "bare aiohttp loop"]
        wall, cpu = (statistics.median(getattr(t, what) for t in timings) for what in ("wall", "cpu"))
        ratio = [
            statistics.median(getattr(t, what) / getattr(f, what) for t, f in zip(timings, floor, strict=True))
            for what in ("wall", "cpu")
        ]
        rss = max(t.rss for t in timings)
        print(f"| {variant} | {name} | {wall:.2f} | {cpu:.2f} | {rss:.0f} | {ratio[0]:.2f} | {ratio[1]:.2f} |")


if __name__ == "__main__":
    main()
