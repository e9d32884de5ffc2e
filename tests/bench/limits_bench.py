"""How close a run comes to the rate of its endpoint: `haetae run` against a token bucket that answers 429 above it.

    python tests/bench/limits_bench.py [--samples 200] [--per-second 10] [--burst 1] [--rounds 1]

The endpoint lives in this process and notes when requests come in and when it refused one. A request is inside a
wait when it comes more than 50 ms after a refusal was sent and before the wait told in it was over; what was on its
way at the time of the refusal is not. Ideal is samples / rate. Prints Markdown; nothing here is an assertion.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

_HAETAE = shutil.which("haetae", path=str(Path(sys.executable).parent)) or "haetae"
_ON_ITS_WAY_S = 0.05
_EARLY_S = 0.002
"""What the two clocks may differ by: a wait is told in whole milliseconds and counted from its arrival."""
_REPLY = {
    "model": "m",
    "choices": [{"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 1},
}


@dataclass
class Bucket:
    """A token bucket behind /v1/chat/completions, and what it has seen."""

    per_second: float
    burst: float
    retry_after_s: float
    tokens: float = 0.0
    at: float = 0.0
    came: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tokens = self.burst

    async def answer(self, request: web.Request) -> web.Response:
        now = time.monotonic()
        self.came.append(now)
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.per_second) if self.at else self.burst
        self.at = now
        if self.tokens < 1:
            self.refused.append(time.monotonic())
            headers = {"Retry-After": f"{self.retry_after_s:g}"}
            return web.json_response({"error": {"message": "rate limit"}}, status=429, headers=headers)
        self.tokens -= 1
        return web.json_response(_REPLY)

    @property
    def inside_a_wait(self) -> int:
        """Requests that came although a wait told before was not over."""
        return sum(
            any(sent + _ON_ITS_WAY_S < came < sent + self.retry_after_s - _EARLY_S for sent in self.refused)
            for came in self.came
        )

    @property
    def asking_s(self) -> float:
        """From the first request to the last."""
        return self.came[-1] - self.came[0]


def served(bucket: Bucket) -> tuple[int, threading.Event]:
    """The bucket on a port of its own, in a thread, until the event is set."""
    ready: list[int] = []
    started, done = threading.Event(), threading.Event()

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", bucket.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ready.append(runner.addresses[0][1])
        started.set()
        await asyncio.to_thread(done.wait)
        await runner.cleanup()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    started.wait()
    return ready[0], done


def run(bucket: Bucket, samples: int, known: bool) -> tuple[float, int]:
    """Seconds from the first request to the last of one run, and how many samples it answered."""
    port, done = served(bucket)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        rows = [{"id": f"s{n}", "input": f"question {n}", "reference": "yes"} for n in range(samples)]
        (home / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (home / "prompt.md").write_text("{{ input }}")
        rate = f"requests_per_minute: {round(60 * bucket.per_second)}\n" if known else ""
        (home / "model.yaml").write_text(f"base_url: http://127.0.0.1:{port}/v1\nmodel: m\n{rate}")
        (home / "suite.yaml").write_text(
            "suite: limited\ndataset: data.jsonl\ntarget: {model: m@1, prompt: prompt.md}\n"
            "metrics: {exact: exact_match}\nlimits: {in_flight: 64, tries: 20}\n"
        )
        env = os.environ | {"HAETAE_HOME": str(home / ".haetae"), "DO_NOT_TRACK": "true"}
        register = [_HAETAE, "register", "model", "model.yaml", "--name", "m"]
        subprocess.run(register, cwd=home, env=env, check=True, capture_output=True)
        command = [_HAETAE, "run", "suite.yaml", "--quiet", "--json"]
        said = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, check=False)
        done.set()
        if said.returncode:
            raise SystemExit(said.stdout + said.stderr)
        report = json.loads(said.stdout)
        return bucket.asking_s, report["accounting"][0]["scored"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=10.0)
    parser.add_argument("--burst", type=float, default=1.0)
    parser.add_argument("--retry-after-s", type=float, nargs="+", default=[0.2, 0.5, 1.0])
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    ideal = given.samples / given.per_second
    print(f"{given.samples} samples at {given.per_second:g} requests/s, bucket of {given.burst:g}; ideal {ideal:g} s\n")
    print("| Retry-After | rate known | seconds | × ideal | refused | inside a wait | scored |")
    print("|---|---|---|---|---|---|---|")
    for wait_s in given.retry_after_s:
        for known in (True, False):
            buckets = [Bucket(given.per_second, given.burst, wait_s) for _ in range(given.rounds)]
            found = [run(bucket, given.samples, known) for bucket in buckets]
            seconds = statistics.median(taken for taken, _ in found)
            refused = statistics.median(len(bucket.refused) for bucket in buckets)
            inside, scored = sum(bucket.inside_a_wait for bucket in buckets), min(count for _, count in found)
            shown = f"| {wait_s:g} s | {'yes' if known else 'no'} | {seconds:.1f} | {seconds / ideal:.2f} "
            print(f"{shown}| {refused:g} | {inside} | {scored} of {given.samples} |", flush=True)


if __name__ == "__main__":
    main()
