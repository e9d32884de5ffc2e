"""A disk that fills up at twenty points of a run: what is said, what is lost, and whether the run goes on afterwards.

    unshare --mount python tests/bench/full_disk_bench.py

Mounts a small tmpfs for the ledger (needs root, and a mount namespace of its own). Prints Markdown, and exits with
1 when anything was lost, when a message did not name the ledger and the free bytes, or when a run could not go on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from alembic import command
from sqlalchemy.exc import SQLAlchemyError

from haetae.core.run import RunStatus
from haetae.errors import StoreError
from haetae.settings import load_settings
from haetae.store.address import parse_url
from haetae.store.database import Database
from haetae.store.ledger import Recording
from haetae.store.schema import SCHEMA
from haetae.workbench.bench import Workbench

SAMPLES, AT_ONCE, SIZE_MB = 300, 25, 6
_SUITE = """\
suite: full
dataset: samples.jsonl
target: { outputs: outputs.jsonl }
metrics: { chrf: chrf, right: exact_match }
limits: { in_flight: 8 }
"""
_SCORES = "SELECT sample_id, metric, value, reason FROM score ORDER BY 1, 2"


@dataclass(frozen=True)
class Point:
    """When the disk fills up, and how many bytes it leaves: before the work starts, or after so many commits."""

    phase: str
    leaves: int
    after_commits: int = 0
    has_ledger: bool = True
    is_old: bool = False


POINTS = (
    *(Point("commit", kb << 10) for kb in (60, 100, 160, 240, 330, 430, 540, 660)),
    *(Point("checkpoint", 4096, commits) for commits in (1, 2, 3, 5, 8)),
    *(Point("opening", kb << 10, has_ledger=False) for kb in (0, 40)),
    *(Point("opening", kb << 10) for kb in (0, 8)),
    *(Point("migration", kb << 10, is_old=True) for kb in (40, 300, 480)),
)


@dataclass(frozen=True)
class Outcome:
    """What a full disk came to."""

    point: Point
    said: str
    told: bool
    lost: int
    resumed: bool


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A tmpfs at a folder."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=755", "none", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, leaves: int) -> None:
    """Fill the disk up to so many bytes."""
    found = os.statvfs(folder)
    with (folder / "ballast").open("wb") as ballast:
        ballast.write(bytes(max(0, found.f_bavail * found.f_frsize - leaves)))


class Acknowledging:
    """Notes the rows that `record` acknowledged, and does something after so many commits.

    However many rows are handed over at once, a commit has those of `AT_ONCE` samples: a fast machine commits as often
    as a slow one.
    """

    def __init__(self, commits: int, then: Callable[[], None]) -> None:
        self.rows: set[tuple[str, str]] = set()
        self._left = commits
        self._then = then
        self._record = Recording.record

    def __enter__(self) -> Acknowledging:
        def record(
            ledger: Recording, run_id: str, samples: Any, generations: Any, scores: Any, *more: Any, **rest: Any
        ) -> None:
            samples = list(samples)
            ids = list(dict.fromkeys(row.sample_id for row in (*generations, *scores)))
            for start in range(0, len(ids), AT_ONCE):
                these = set(ids[start : start + AT_ONCE])
                answers = [row for row in generations if row.sample_id in these]
                values = [row for row in scores if row.sample_id in these]
                of_these = [sample for sample in samples if sample.id in these]
                self._record(ledger, run_id, of_these, answers, values, *more, **rest)
                self.rows |= {(row.sample_id, "") for row in answers} | {(row.sample_id, row.metric) for row in values}
                self._left -= 1
                if self._left == 0:
                    self._then()

        Recording.record = record  # type: ignore[method-assign]
        return self

    def __exit__(self, *_error: object) -> None:
        Recording.record = self._record  # type: ignore[method-assign]


def write_project(folder: Path) -> Path:
    """A suite over recorded outputs; where it is."""
    (folder / "pyproject.toml").touch()
    rows = [{"id": f"s{n}", "input": f"question {n}", "reference": f"answer {n}"} for n in range(SAMPLES)]
    outputs = [{"id": f"s{n}", "output": f"answer {n} " + "word " * 150} for n in range(SAMPLES)]
    for name, lines in (("samples", rows), ("outputs", outputs)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "suite.yaml").write_text(_SUITE)
    return folder / "suite.yaml"


def prepare(point: Point, ledger: str) -> None:
    """Make the ledger that there is before the disk fills up."""
    if point.is_old:
        database = Database(parse_url(ledger))
        database.write("making an old ledger", lambda c: command.upgrade(SCHEMA.config(c), "0001"))
        database.close()
    elif point.has_ledger:
        with Workbench(load_settings({"HAETAE_LEDGER": ledger})) as bench:
            bench.ledger.suites()


def run_into(point: Point, home: Path, suite: Path) -> tuple[str, set[tuple[str, str]]]:
    """Run until the disk is full; what was said, and what was acknowledged."""
    settings = load_settings({"HAETAE_HOME": str(home)})
    if not point.after_commits:
        fill(home, point.leaves)
    with Acknowledging(point.after_commits, lambda: fill(home, point.leaves)) as acknowledged:
        try:
            with Workbench(settings) as bench:
                report = bench.run(suite, track=False)
            said = "" if report.run.status is RunStatus.FINISHED else report.text
        except StoreError as exc:
            said = str(exc)
    return said, acknowledged.rows


def rows(home: Path) -> set[tuple[str, str]]:
    """The rows that the ledger has."""
    try:
        with Workbench(load_settings({"HAETAE_HOME": str(home)}), readonly=True) as bench:
            query = "SELECT sample_id, '' FROM generation UNION SELECT sample_id, metric FROM score"
            return {(a, b) for a, b in bench.ledger._database.read("looking", lambda c: c.exec_driver_sql(query).all())}
    except (StoreError, SQLAlchemyError):
        return set()  # there is no ledger yet


def goes_on(home: Path, suite: Path) -> list[tuple[Any, ...]]:
    """The scores of the run after it has gone on to its end."""
    with Workbench(load_settings({"HAETAE_HOME": str(home)})) as bench:
        free = [one for one in bench.ledger.unfinished_runs() if one.worked_on_by is None]
        report = bench.resume(track=False) if free else bench.run(suite, track=False)
        if report.run.status is not RunStatus.FINISHED or len(bench.ledger.runs()) != 1:
            return []
        return [
            tuple(row) for row in bench.ledger._database.read("looking", lambda c: c.exec_driver_sql(_SCORES).all())
        ]


def outcome(point: Point, folder: Path, suite: Path, expected: list[tuple[Any, ...]]) -> Outcome:
    """Fill the disk at a point, look, make room, go on."""
    home = folder / "home"
    with small_disk(home):
        prepare(point, f"sqlite:///{home / 'ledger.db'}")
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:  # a lease on a full disk ends with its process
            said, acknowledged = alone.submit(run_into, point, home, suite).result()
        (home / "ballast").unlink()
        lost = len(acknowledged - rows(home))
        told = str(home / "ledger.db") in said and "bytes are free" in said
        return Outcome(point, said, told, lost, goes_on(home, suite) == expected)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="haetae-disk-") as name:
        folder = Path(name)
        suite = write_project(folder)
        with small_disk(folder / "home"):
            expected = goes_on(folder / "home", suite)
        outcomes = [outcome(point, folder, suite, expected) for point in POINTS]
    print("| disk full in | bytes left | rows lost | path and free bytes said | went on afterwards |")
    print("|---|---:|---:|---|---|")
    for one in outcomes:
        said = "yes" if one.told else f"NO: {one.said!a}"
        print(f"| {one.point.phase} | {one.point.leaves:,} | {one.lost} | {said} | {'yes' if one.resumed else 'NO'} |")
    print(
        f"\n{len(outcomes)} points: lost {sum(o.lost for o in outcomes)}, clear message "
        f"{sum(o.told for o in outcomes)} of {len(outcomes)}, went on {sum(o.resumed for o in outcomes)} of "
        f"{len(outcomes)}."
    )
    sys.exit(not all(one.told and one.resumed and not one.lost for one in outcomes) or not expected)


if __name__ == "__main__":
    main()
