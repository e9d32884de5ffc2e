"""The workload of the bench: 1,000 questions, suites over them, the mock endpoint, and the clock on a process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

RATE_SAMPLES, RATE_IN_FLIGHT = 5_000, 256
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


def tools_folder(named: Path | None) -> Path:
    """The folder that `--tools` or HAETAE_BENCH_TOOLS names. Exits where it holds no mock endpoint."""
    folder = named or Path(os.environ.get("HAETAE_BENCH_TOOLS", ""))
    if not (folder / "mockllm" / "server.py").exists():
        sys.exit(f"no mock endpoint (mockllm/server.py) in {folder.absolute()}; name its folder with --tools")
    return folder.resolve()


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
        raise subprocess.CalledProcessError(
            process.returncode, command, (folder / "last.log").read_text(errors="replace")
        )
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


def counts(url: str) -> dict[str, float]:
    """What the mock has counted since the last reset: `requests`, `span_s`, `max_inflight` and others."""
    found: dict[str, float] = json.loads(_control(url, "/__stats"))
    return found


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


def rate_workload(tools: Path, folder: Path) -> None:
    """Five times the samples, each with an id of its own, as the bare loop repeats them."""
    rows = [json.loads(row) for row in (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    with (folder / "many.jsonl").open("w", encoding="utf-8") as out:
        for number in range(RATE_SAMPLES):
            row = rows[number % len(rows)]
            out.write(json.dumps({**row, "id": f"{row['id']}-{number}", "input": f"{row['input']} ({number})"}) + "\n")
    suite = (folder / "em.yaml").read_text()
    suite = suite.replace("bench-em", "bench-rate").replace("samples.jsonl", "many.jsonl")
    (folder / "rate.yaml").write_text(re.sub("in_flight: [0-9]+", f"in_flight: {RATE_IN_FLIGHT}", suite))
