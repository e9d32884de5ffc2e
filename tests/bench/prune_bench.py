"""How a history of a million rows is pruned while it is read and written.

    python tests/bench/prune_bench.py [ROWS]        default 1,000,000

Makes a ledger of finished runs (1,000 samples each: an answer, an exact match and a judgement, two thirds of them
reused from the first run), prunes all but the newest tenth, and meanwhile reads it as the dashboard does and writes
to it as a run does, each in a process of its own. Prints what it measured as one JSON object.
"""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from haetae.core.generation import Generation, Usage
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, RunStatus, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import StoreError
from haetae.store.backup import backup_ledger
from haetae.store.database import Database
from haetae.store.pruning.compacting import compact
from haetae.store.sql import SqlLedger, open_ledger

SAMPLES, START = 1000, datetime(2026, 1, 1, tzinfo=UTC)
FACTS = {name: MetricFacts(name, "1") for name in ("exact", "polite")}
MANIFEST = Manifest({"suite": "bot"}, {"name": "d", "version": "1", "count": SAMPLES}, {"model": "m"}, FACTS)


def key(*parts: object) -> str:
    return sha256(repr(parts).encode()).hexdigest()


def rows(number: int) -> tuple[list[Sample], list[GenerationRow], list[ScoreRow]]:
    """What run `number` holds: 100 samples are its own, of the others two in three are copies of the first run's."""
    samples, answers, scores = [], [], []
    for n in range(SAMPLES):
        own, reused = n < 100, number > 1 and n % 3 > 0
        sample = Sample(f"s{n}", f"question {n} {number if own else 0}" * 5, (f"answer {n}",))
        told = Generation(f"the answer to question {n} " * 4, usage=Usage(input=90, output=30), cost_usd=0.001)
        source = 1 if reused and not own else number
        samples.append(sample)
        answers.append(GenerationRow(sample.id, 0, key("g", n, source), sample.digest, told, reused))
        scores.append(ScoreRow(sample.id, 0, "exact", key("e", n, source), Score(1.0)))
        judged = Score(0.8, explanation="it is polite " * 8, usage=told.usage, calls=1, cost_usd=0.001)
        scores.append(ScoreRow(sample.id, 0, "polite", key("p", n, source), judged, reused))
    return samples, answers, scores


def fill(ledger: SqlLedger, runs: int) -> None:
    for number in range(1, runs + 1):
        at = START + timedelta(hours=number)
        run = ledger.start("bot", MANIFEST, SAMPLES, at, 7, {})
        ledger.record(run.id, *rows(number), at)
        ledger.finish(run.id, RunStatus.FINISHED, at)


def read(url: str, stop: Any, said: Any) -> None:
    """The dashboard: lists runs, opens one, adds it up; every number must be of a whole run."""
    slowest, reads, wrong = 0.0, 0, 0
    with open_ledger(url, readonly=True) as ledger:
        while not stop.is_set():
            begun = time.monotonic()
            listed = ledger.runs("bot", limit=1000)
            run = listed[reads % len(listed)]
            try:
                accounts, spent = ledger.accounting(run.id), ledger.spent(run.id)
                shown = len(ledger.results(run.id, limit=50, offset=SAMPLES - 50))
            except StoreError as exc:
                wrong += "no run" not in str(exc)  # it was hidden since it was listed
            else:
                wrong += any(a.scored != SAMPLES for a in accounts) or shown != 50 or not (spent.calls or spent.reused)
            slowest, reads = max(slowest, time.monotonic() - begun), reads + 1
    said.put({"reads": reads, "slowest_read_s": round(slowest, 3), "wrong_counts": int(wrong)})


def write(url: str, stop: Any, said: Any) -> None:
    """A run: commits one answer after the other; how long each had to wait and took."""
    took = []
    with open_ledger(url) as ledger:
        run = ledger.start("other", MANIFEST, 10**6, START, 7, {})
        while not stop.is_set():
            sample = Sample(f"w{len(took)}", f"new question {len(took)}")
            row = GenerationRow(sample.id, 0, key("w", len(took)), sample.digest, Generation("new"))
            begun = time.monotonic()
            ledger.record(run.id, [sample], [row], [], START)
            took.append(time.monotonic() - begun)
            time.sleep(0.01)
    took.sort()
    said.put(
        {
            "commits": len(took),
            "slowest_commit_s": round(took[-1], 3),
            "median_commit_s": round(took[len(took) // 2], 4),
        }
    )


def main(total: int) -> dict[str, Any]:
    runs = max(total // (3 * SAMPLES), 20)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        url = f"sqlite:///{path}"
        held: list[float] = []
        transact = Database._transact

        def timed(self: Database, engine: Any, what: str, work: Any) -> Any:
            """As ever, and note how long the lock was held: from BEGIN IMMEDIATE until the commit is on disk."""
            begun = [0.0]

            def began(connection: Any) -> Any:
                begun[0] = time.monotonic()
                return work(connection)

            done = transact(self, engine, what, began)
            if engine is self._writer:
                held.append(time.monotonic() - begun[0])
            return done

        with open_ledger(url) as ledger:
            fill(ledger, runs)
            found: dict[str, Any] = {"rows": runs * SAMPLES * 3, "runs": runs, "bytes": path.stat().st_size}
            begun = time.monotonic()
            counted, saved = ledger.held(), ledger.saved()
            found |= {"haetae_cache_s": round(time.monotonic() - begun, 2), "saved_calls": sum(s.calls for s in saved)}
            old = [run.id for run in ledger.runs("bot", limit=runs)][runs // 10 :]
            said, stop = multiprocessing.Queue(), multiprocessing.Event()
            others = [multiprocessing.Process(target=each, args=(url, stop, said)) for each in (read, write)]
            for each in others:
                each.start()
            Database._transact = timed  # type: ignore[method-assign]  # how long the lock is held
            begun = time.monotonic()
            deleted = ledger.prune(old)
            lasted = time.monotonic() - begun
            Database._transact = transact  # type: ignore[method-assign]
            begun = time.monotonic()
            backup_ledger(url, None)
            found["backup_while_written_s"] = round(time.monotonic() - begun, 2)
            stop.set()
            told = [said.get(timeout=60) for _ in others]
            for each in others:
                each.join()
            gone = sum(count for table, count in deleted.items() if table != "run")
            found |= {"reusable_before": counted.reusable_answers, "reusable_after": ledger.held().reusable_answers}
        found |= {"deleted": dict(deleted), "prune_s": round(lasted, 1), "rows_per_s": round(gone / lasted)}
        found |= {"transactions": len(held), "longest_lock_s": round(max(held), 3)}
        for each in told:
            found |= each
        begun = time.monotonic()
        found["bytes_pruned"], found["bytes_compacted"] = compact(url)
        found["compact_s"] = round(time.monotonic() - begun, 1)
        with closing(sqlite3.connect(path)) as connection:
            found["integrity"] = connection.execute("PRAGMA integrity_check").fetchone()[0]
            found["dangling"] = len(connection.execute("PRAGMA foreign_key_check").fetchall())
    return found


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000), indent=2))
