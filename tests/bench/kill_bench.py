"""kill -9 at named and at random points of a run: what is lost, doubled, paid twice, and what the scores become.

    python tests/bench/kill_bench.py [--samples 500] [--random 50] [--in-flight 16]

Prints Markdown, and exits with 1 when anything was lost or doubled. Every trial is a project of its own: a run
is killed, the ledger is looked through, `haetae resume` (or `haetae run`, where no run had started) ends it, and
its scores are compared, byte for byte, with those of a run that nobody killed. The endpoint counts its calls.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from alembic import command
from dying import LAST, MIDDLE_BATCH

from haetae.settings import load_settings
from haetae.store.address import parse_url
from haetae.store.database import Database
from haetae.store.schema import SCHEMA
from haetae.workbench.bench import Workbench

LATENCY_S = 0.02
NAMED = (
    "before commit 1",
    "after commit 1",
    f"before commit {MIDDLE_BATCH}",
    f"after commit {MIDDLE_BATCH}",
    f"before commit {LAST}",
    f"after commit {LAST}",
    "between answer and judge",
    "checkpoint",
    "migration 2",
    "before finish",
    "after finish",
    "before enqueue",
    "after enqueue",
)
_SUITE = """\
suite: bot
dataset: samples.jsonl
target: {{ model: llm@1, prompt: ask.md }}
judge: grader@1
metrics:
  chrf: chrf
  polite: {{ judge: polite.md, scale: [0, 1] }}
limits: {{ in_flight: {in_flight}, timeout_s: 30, tries: 2 }}
track: [mlflow]
"""
_SCORES = "SELECT sample_id, repeat, metric, value, reason, stats, explanation FROM score ORDER BY 1, 2, 3"


@dataclass
class Endpoint:
    """Counts the calls by model and question; kills a process when a number of calls, all or judged, is there."""

    url: str = ""
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    victim: int = 0
    kill_at: int = 0
    kill_at_judged: int = 0
    kill_after_s: float = 0.0

    def reset(self) -> None:
        self.calls.clear()
        self.kill_at = self.kill_at_judged = 0

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json(loads=orjson.loads)
        model, asked = body["model"], body["messages"][-1]["content"]
        self.calls[model, asked] += 1
        judged = sum(count for (name, _), count in self.calls.items() if name == "judge") if self.kill_at_judged else 0
        if self.calls.total() == self.kill_at or (self.kill_at_judged and judged == self.kill_at_judged):
            asyncio.get_running_loop().call_later(self.kill_after_s, self._kill)
        await asyncio.sleep(LATENCY_S)
        grade = json.dumps({"reasoning": "it is", "score": round(len(asked) % 7 / 6, 4)})
        text = grade if model == "judge" else f"answer to {asked}"
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        return web.json_response({"choices": [choice], "usage": usage, "model": model})

    def _kill(self) -> None:
        if self.victim:
            os.kill(self.victim, signal.SIGKILL)


@contextmanager
def serving() -> Iterator[Endpoint]:
    """The endpoint on loopback, in a thread."""
    endpoint, loop, ready = Endpoint(), asyncio.new_event_loop(), threading.Event()

    async def serve() -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", endpoint.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        ready.set()
        return runner

    def run() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(serve())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        yield endpoint
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


@dataclass
class Project:
    """A folder with a suite over so many samples, and commands of haetae in it."""

    folder: Path
    samples: int

    @property
    def ledger(self) -> Path:
        return self.folder / "home" / "ledger.db"

    @property
    def env(self) -> dict[str, str]:
        return {"HAETAE_HOME": str(self.folder / "home")}

    def start(self, point: str, *arguments: str, cgroup: Path | None = None) -> subprocess.Popen[str]:
        """A haetae that dies at a point; "nowhere" lets it live. `cgroup` is one for it to be in."""
        said = str(self.folder / "acknowledged")
        script = [sys.executable, str(Path(__file__).with_name("dying.py")), str(self.ledger), said]
        command = [*script, point, str(3 * self.samples), *arguments]
        if cgroup is not None:
            command = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(cgroup / "cgroup.procs"), *command]
        env = {**os.environ, **self.env}
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.ledger)) as connection:
            return connection.execute(query).fetchall()

    def acknowledged(self) -> set[str]:
        file = self.folder / "acknowledged"
        return set(file.read_text().splitlines()) if file.exists() else set()


def made(folder: Path, samples: int, in_flight: int, url: str) -> Project:
    """A project whose models are registered, and whose ledger is larger than its log ever gets."""
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    rows = ({"id": f"s{n:04}", "input": f"question {n}", "reference": f"answer to q {n}"} for n in range(samples))
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "suite.yaml").write_text(_SUITE.format(in_flight=in_flight))
    (folder / "polite.md").write_text("Is this polite? {{ output }}")
    (folder / "ask.md").write_text("q {{ input }}")
    project = Project(folder, samples)
    with Workbench(load_settings(project.env)) as bench:
        for name, model in (("llm", "m"), ("grader", "judge")):
            (folder / f"{name}.yaml").write_text(f"base_url: {url}\nmodel: {model}\nparameters: {{ temperature: 0 }}\n")
            bench.register("model", folder / f"{name}.yaml")
        bench.ledger.register("prompt", "large", {"text": "x" * 8_000_000}, datetime(2026, 3, 1, tzinfo=UTC))
    return project


def age(project: Project) -> None:
    """Give the ledger the first schema."""
    database = Database(parse_url(f"sqlite:///{project.ledger}"))
    database.write("ageing", lambda connection: command.downgrade(SCHEMA.config(connection), "0001"))
    database.close()


@dataclass
class Trial:
    """What one killed run came to."""

    point: str
    whole: bool
    lost: int
    doubled: int
    repeated: int
    paid_twice: int
    equal: bool
    told: int

    @property
    def is_good(self) -> bool:
        return self.whole and self.equal and self.told == 1 and not (self.lost or self.doubled or self.paid_twice)


@contextmanager
def small_memory(most: int) -> Iterator[Path | None]:
    """A cgroup whose processes may take so many bytes together; None where none can be made."""
    places = (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"))
    for parent, limit in places:
        folder = Path(parent) / f"haetae-{os.getpid()}"
        if not (Path(parent) / "cgroup.procs").exists():
            continue
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            limited = (folder / limit).exists()
            if limited:
                (folder / limit).write_text(str(most))
            yield folder if limited else None
        finally:
            folder.rmdir()
        return
    yield None


def killed(project: Project, endpoint: Endpoint, point: str, *arguments: str, cgroup: Path | None = None) -> None:
    """Run haetae until it is killed at its point; raises RuntimeError when it lives."""
    process = project.start(point, *arguments, cgroup=cgroup)
    endpoint.victim = process.pid
    said, _ = process.communicate(timeout=300)
    endpoint.victim = 0
    if process.returncode not in (-signal.SIGKILL, -signal.SIGXFSZ):
        raise RuntimeError(f"{point}: not killed, exit {process.returncode}: {said}")


def left(project: Project) -> tuple[set[str], list[tuple[Any, ...]]]:
    """What the ledger has: ids as they are acknowledged, and the rows behind them."""
    if not project.rows("SELECT 1 FROM sqlite_master WHERE name = 'generation'"):
        return set(), []
    answers = project.rows("SELECT sample_id, '', key, output, created_at FROM generation")
    scores = project.rows("SELECT sample_id, metric, key, value, created_at FROM score")
    return {f"{row[0]}\t{row[1]}" for row in (*answers, *scores)}, [*answers, *scores]


def on(project: Project) -> list[str]:
    """The command that goes on: with the run, where there is one."""
    runs = project.rows("SELECT id FROM run")
    return ["resume", runs[0][0], "--quiet"] if runs else ["run", str(project.folder / "suite.yaml"), "--quiet"]


def ended(project: Project, endpoint: Endpoint, point: str, expected: bytes) -> Trial:
    """Look through the ledger of a killed run, go on with it to its end, and look again."""
    whole = project.rows("PRAGMA integrity_check") == [("ok",)]
    had, rows = left(project)
    lost = len(project.acknowledged() - had)
    before = Counter(endpoint.calls)
    process = project.start("nowhere", *on(project))
    said, _ = process.communicate(timeout=300)
    if process.returncode != 0 and "is finished; haetae show" not in said:  # it died after its whole report
        raise RuntimeError(f"{point}: going on ended with {process.returncode}: {said}")
    whole &= project.rows("PRAGMA integrity_check") == [("ok",)]
    after, now = left(project)
    lost += len(had - after) + len(set(rows) - set(now))
    doubled = len(now) - len(after) + len(project.rows("SELECT id FROM run")) - 1
    answered = {row[0] for row in rows if row[1] == ""}
    again = endpoint.calls - before
    paid_twice = sum(count for (model, asked), count in again.items() if model == "m" and _id(asked) in answered)
    return Trial(
        point=point,
        whole=whole,
        lost=lost + 3 * project.samples - len(after),
        doubled=doubled,
        repeated=endpoint.calls.total() - len(endpoint.calls),
        paid_twice=paid_twice,
        equal=scores(project) == expected,
        told=len(project.rows("SELECT id FROM outbox")),
    )


def _id(asked: str) -> str:
    return f"s{int(asked.rpartition(' ')[2]):04}"


def scores(project: Project) -> bytes:
    """Every score of the ledger, as bytes."""
    return repr(project.rows(_SCORES)).encode()


class Trials:
    """Trials over one endpoint, in a folder that goes away with them."""

    def __init__(self, endpoint: Endpoint, folder: Path, samples: int, in_flight: int) -> None:
        self._endpoint = endpoint
        self._folder = folder
        self._samples = samples
        self._count = 0
        self._pattern = made(folder / "pattern", samples, in_flight, endpoint.url).folder
        self.expected = self._uninterrupted()

    def _project(self) -> Project:
        self._count += 1
        self._endpoint.reset()
        return Project(shutil.copytree(self._pattern, self._folder / f"{self._count:02}"), self._samples)

    def _uninterrupted(self) -> bytes:
        project = self._project()
        said, _ = (process := project.start("nowhere", *on(project))).communicate(timeout=300)
        if process.returncode != 0 or self._endpoint.calls.total() != 2 * self._samples:
            raise RuntimeError(f"the run that nobody killed ended with {process.returncode}: {said}")
        return scores(project)

    def named(self, point: str) -> Trial:
        """A kill at one of `NAMED`."""
        project = self._project()
        if point.startswith("migration"):
            age(project)
        if point == "between answer and judge":
            self._endpoint.kill_at_judged, self._endpoint.kill_after_s = self._samples // 2, 0.0
        killed(project, self._endpoint, point, *on(project))
        return self._ended(project, point)

    def at_call(self, number: int, after_s: float) -> Trial:
        """A kill so long after a call has arrived."""
        project = self._project()
        self._endpoint.kill_at, self._endpoint.kill_after_s = number, after_s
        killed(project, self._endpoint, f"call {number}", *on(project))
        return self._ended(project, f"call {number}")

    def while_resuming(self, numbers: list[int]) -> Trial:
        """A kill at each of these calls in turn: the first of the run, the others while it is resumed."""
        project = self._project()
        point = f"calls {', '.join(map(str, numbers))} in turn"
        for number in numbers:
            self._endpoint.kill_at, self._endpoint.kill_after_s = number, 0.0
            killed(project, self._endpoint, point, *on(project))
        return self._ended(project, point)

    def out_of_memory(self) -> Trial:
        """A kill by the kernel, for want of memory."""
        project = self._project()
        with small_memory(300 << 20) as cgroup:
            point = "out of memory" if cgroup else "out of memory (no cgroup here: an own kill)"
            killed(project, self._endpoint, "memory", *on(project), cgroup=cgroup)
        return self._ended(project, point)

    def _ended(self, project: Project, point: str) -> Trial:
        self._endpoint.kill_at = self._endpoint.kill_at_judged = 0
        trial = ended(project, self._endpoint, point, self.expected)
        shutil.rmtree(project.folder)
        return trial


def table(trials: list[Trial]) -> str:
    """Trials as Markdown."""
    head = "| killed | integrity | lost | doubled | calls repeated | kept answers asked again | scores equal |"
    lines = [head, "|---|---|---:|---:|---:|---:|---|"]
    lines += [
        f"| {t.point} | {'ok' if t.whole else 'DAMAGED'} | {t.lost} | {t.doubled} | {t.repeated} | {t.paid_twice} | "
        f"{'yes' if t.equal else 'NO'} |"
        for t in trials
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--random", type=int, default=50)
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--seed", type=int, default=20_260_301)
    options = parser.parse_args()
    rng = random.Random(options.seed)  # noqa: S311  # moments of death
    with serving() as endpoint, tempfile.TemporaryDirectory(prefix="haetae-kill-") as folder:
        trials = Trials(endpoint, Path(folder), options.samples, options.in_flight)
        named = [_shown(trials.named(point)) for point in NAMED]
        calls = sorted(rng.randint(1, 2 * options.samples) for _ in range(options.random))
        by_chance = [_shown(trials.at_call(number, rng.uniform(0, LATENCY_S))) for number in calls]
        resuming = _shown(trials.while_resuming([options.samples * part // 3 for part in (1, 2, 3, 4)]))
        starved = _shown(trials.out_of_memory())
    once = [*named, starved, *by_chance]
    repeated = sorted(trial.repeated for trial in once)
    print(f"{options.samples} samples with one judge call each, {options.in_flight} in flight.\n")
    print(table([*once, resuming]))
    print(
        f"\n{len(once)} kills: lost {sum(t.lost for t in once)}, doubled {sum(t.doubled for t in once)}, "
        f"calls repeated at most {repeated[-1]} (median {repeated[len(once) // 2]}), "
        f"integrity ok {sum(t.whole for t in once)} of {len(once)}, "
        f"scores byte-equal {sum(t.equal for t in once)} of {len(once)}. "
        f"One run killed four times, three of them while it was resumed: lost {resuming.lost}, "
        f"doubled {resuming.doubled}, {resuming.repeated} calls repeated."
    )
    sys.exit(not all(t.is_good for t in [*once, resuming]))


def _shown(trial: Trial) -> Trial:
    print(f"{trial.point}: {'good' if trial.is_good else trial}", file=sys.stderr, flush=True)
    return trial


if __name__ == "__main__":
    main()
