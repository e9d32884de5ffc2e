"""A ledger of ten million scores on Postgres: how fast it grows, what a score weighs, and what is slow in it first.

    python tests/bench/postgres_bench.py --postgres URL [--scores 10_000_000]

`--postgres` names a server on this machine without a database name; a database is made there and dropped again.
Runs of 10,000 samples with four metrics (exact match, chrF with its statistics, two judges) are written by the ledger's
own path; past 400,000 scores the server copies them, with keys of their own, but for the runs that are measured. The
last run has 100,000 samples. Prints Markdown: what the next run costs at each size, bytes by table and index, seconds
of what is asked most, a prune of the large run beside two readers, and what writing costs without each index. CPU is
the server process's own, from /proc. Nothing here is an assertion.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from ledger_bench import a_database

from haetae.core.generation import Generation, Usage
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, Run, RunStatus, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.store.sql import open_ledger

START = datetime(2026, 1, 1, tzinfo=UTC)
METRICS = ("exact", "chrf", "faithful", "helpful")
RUN, LARGE, COMMIT, OWN = 10_000, 100_000, 500, 400_000
MARKS = (100_000, 1_000_000, 5_000_000, 10_000_000, 100_000_000)
WORDS = [sha256(str(n).encode()).hexdigest()[: 3 + n % 7] for n in range(2_000)]
FACTS = {name: MetricFacts(name, "1", corpus=name == "chrf") for name in METRICS}
_PAGE = os.sysconf("SC_CLK_TCK")


def words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(WORDS, k=count))


_CHANCE = random.Random(7)  # noqa: S311  # rows that are always the same
ANSWERS = [words(_CHANCE, 50) for _ in range(5_000)]
REASONINGS = [words(_CHANCE, 20) for _ in range(5_000)]
STATISTICS = [tuple(float(_CHANCE.randrange(200)) for _ in range(18)) for _ in range(5_000)]


def samples_of(count: int) -> list[Sample]:
    chance = random.Random(count)  # noqa: S311
    return [
        Sample(f"s{n:06}", words(chance, 20), (words(chance, 12),), metadata={"topic": f"t{n % 5}"})
        for n in range(count)
    ]


def rows(run: str, samples: list[Sample], chance: random.Random) -> tuple[list[GenerationRow], list[ScoreRow]]:
    """An answer, four scores, and what the answer and two judgements cost; nothing is taken from another run."""
    answers, scores = [], []
    for sample in samples:
        usage = Usage(input=300, output=chance.randrange(40, 90))
        answer = Generation(
            chance.choice(ANSWERS), usage=usage, cost_usd=0.001, latency_s=chance.random(), model="m-2026"
        )
        answers.append(GenerationRow(sample.id, 0, key("g", run, sample.id), sample.digest, answer))
        judged = (
            Score(
                chance.random(),
                explanation=chance.choice(REASONINGS),
                usage=usage,
                calls=1,
                cost_usd=0.001,
                model="j-2026",
            )
            for _ in range(2)
        )
        made = (Score(float(chance.random() < 0.8)), Score(chance.random(), stats=chance.choice(STATISTICS)), *judged)
        for metric, score in zip(METRICS, made, strict=True):
            scores.append(ScoreRow(sample.id, 0, metric, key(metric, run, sample.id), score))
    return answers, scores


def key(*parts: object) -> str:
    return sha256(repr(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Cost:
    """What some work took: wall seconds, CPU seconds of the server's process, bytes of its log."""

    wall_s: float
    server_s: float
    wal: int


class Bench:
    """A ledger, and the means to ask its server what it does."""

    def __init__(self, url: str) -> None:
        self.ledger = open_ledger(url)
        self.url = url
        self.samples = samples_of(LARGE)
        self.written = self.runs = 0
        self._sources: list[str] = []
        self._copied: dict[str, str] = {}
        self._backend = self.ask("SELECT pg_backend_pid()", writing=True)

    def ask(self, sql: str, *, writing: bool = False) -> Any:
        database = self.ledger._database
        transact = database.write if writing else database.read
        return transact("measuring", lambda c: c.exec_driver_sql(sql).scalar())

    def cost(self, work: Callable[[], object]) -> Cost:
        wal = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
        wall, cpu, before = time.perf_counter(), self._cpu(), self.ask(wal)
        work()
        return Cost(time.perf_counter() - wall, self._cpu() - cpu, self.ask(wal) - before)

    def _cpu(self) -> float:
        stat = Path(f"/proc/{self._backend}/stat").read_text().rpartition(") ")[2].split()
        return (int(stat[11]) + int(stat[12])) / _PAGE

    def a_run(self, size: int = RUN) -> Run:
        """One finished run; what is written has been made before the clock of a commit runs."""
        run = self._started(size)
        chance = random.Random(run.id)  # noqa: S311
        for first in range(0, size, COMMIT):
            part = self.samples[first : first + COMMIT]
            answers, scores = rows(run.id, part, chance)
            self.ledger.record(run.id, part, answers, scores, run.started_at)
            self.written += len(scores)
        return self.ledger.finish(run.id, RunStatus.FINISHED, run.started_at)

    def _started(self, size: int) -> Run:
        self.runs += 1
        manifest = Manifest({"suite": "bot", "slices": ["topic"]}, {"name": "d"}, {"model": "m"}, FACTS)
        return self.ledger.start("bot", manifest, size, START + timedelta(minutes=self.runs), 7, {})

    def until(self, scores: int) -> None:
        """Runs by the ledger's own path, and from `OWN` scores on runs that the server copies from those."""
        while self.written < scores:
            if self.written < OWN:
                self.a_run()
            else:
                self._a_copy()

    def key(self, kind: str, run: str, sample: str) -> str:
        """The key of a row, also of one that was copied."""
        if run not in self._copied:
            return key(kind, run, sample)
        return sha256(f"{run}{key(kind, self._copied[run], sample)}".encode()).hexdigest()

    def _a_copy(self) -> None:
        """The rows of an earlier run under the name of a new one, with keys of their own."""
        database = self.ledger._database
        if not self._sources:
            self._sources = [run.id for run in self.ledger.runs("bot", limit=1_000) if run.total == RUN]
        source, run = self._sources[self.runs % len(self._sources)], self._started(RUN)

        def work(connection: sa.Connection) -> None:
            for table in ("generation", "score"):
                names = [column["name"] for column in sa.inspect(connection).get_columns(table)]
                new = {"run_id": ":run", "key": "encode(sha256(convert_to(:run || key, 'UTF8')), 'hex')"}
                taken = ", ".join(new.get(name, name) for name in names)
                sql = f"INSERT INTO {table} ({', '.join(names)}) SELECT {taken} FROM {table} WHERE run_id = :source"  # noqa: S608
                connection.execute(sa.text(sql), {"run": run.id, "source": source})

        database.write("copying a run", work)
        self.written += RUN * len(METRICS)
        self._copied[run.id] = source
        self.ledger.finish(run.id, RunStatus.FINISHED, run.started_at)


def growth(bench: Bench, scores: int) -> None:
    """What the next run costs to write when so many are there."""
    print("\n| scores there | rows a second, wall | server CPU, µs a row | WAL, bytes a score | GB | checkpoints |")
    print("|---:|---:|---:|---:|---:|---:|", flush=True)
    for mark in sorted({mark for mark in MARKS if mark < scores} | {scores}):
        bench.until(mark)
        there = bench.written
        cost = bench.cost(bench.a_run)
        each = RUN * (len(METRICS) + 1)  # the answers are rows too
        size = bench.ask("SELECT pg_database_size(current_database())")
        print(
            f"| {there:,} | {each / cost.wall_s:,.0f} | {1e6 * cost.server_s / each:.0f} "
            f"| {cost.wal / RUN / len(METRICS):,.0f} | {size / 1e9:.2f} | {_checkpoints(bench)} |",
            flush=True,
        )


def _checkpoints(bench: Bench) -> str:
    """By time and because the log was full, since the server started."""
    if bench.ask("SELECT to_regclass('pg_catalog.pg_stat_checkpointer')"):
        return str(bench.ask("SELECT num_timed || ' + ' || num_requested FROM pg_stat_checkpointer"))
    return str(bench.ask("SELECT checkpoints_timed || ' + ' || checkpoints_req FROM pg_stat_bgwriter"))


def sizes(bench: Bench) -> None:
    """What each table and index weighs, a score and a row of its own."""
    print("\n| relation | MB | bytes a score | bytes a row |\n|---|---:|---:|---:|")
    for table in ("score", "generation", "sample"):
        count = bench.ask(f"SELECT count(*) FROM {table}")  # noqa: S608  # ours
        named = {table: f"pg_table_size('{table}')"}
        indexes = bench.ledger._database.read("asking", lambda c, t=table: sa.inspect(c).get_indexes(t))
        names = [f"pk_{table}", *(index["name"] for index in indexes)]
        named |= {name: f"pg_relation_size('{name}')" for name in names if name}
        for name, what in named.items():
            size = bench.ask(f"SELECT {what}")
            print(f"| `{name}` | {size / 1e6:,.0f} | {size / bench.written:.1f} | {size / count:.1f} |", flush=True)


def lookups(bench: Bench, large: Run) -> None:
    """What is asked most, by median and slowest; first what nobody has asked before."""
    ledger, chance = bench.ledger, random.Random(1)  # noqa: S311
    old = [run.id for run in ledger.runs("bot", limit=1_000) if run.total == RUN]

    def keys(kind: str) -> list[str]:
        return [bench.key(kind, chance.choice(old), f"s{chance.randrange(RUN):06}") for _ in range(100)]

    asked: dict[str, tuple[int, Callable[[], object]]] = {
        "100 answers by key, each of any run": (30, lambda: ledger.find_generations(keys("g"))),
        "100 judgements by key, each of any run": (30, lambda: ledger.find_scores(keys("faithful"))),
        "the newest 100 runs": (10, lambda: ledger.runs(limit=100)),
        "accounts of a run of 10,000": (10, lambda: ledger.accounting(chance.choice(old))),
        "what a run of 10,000 spent": (10, lambda: ledger.spent(chance.choice(old))),
        "50 results of it, from the middle": (
            10,
            lambda: ledger.results(chance.choice(old), limit=50, offset=RUN // 2),
        ),
        "a text looked for in it": (5, lambda: ledger.results(chance.choice(old), limit=50, search="no such text")),
        "scores of a metric over 100,000, with slices": (3, lambda: ledger.sample_columns(large.id, "faithful")),
        "accounts of a run of 100,000": (3, lambda: ledger.accounting(large.id)),
        "how much 100,000 have (a run goes on)": (3, lambda: ledger.done_count(large.id, METRICS)),
        "runs to continue": (3, ledger.unfinished_runs),
        "what the ledger holds (haetae cache)": (1, ledger.held),
        "what reuse has saved (haetae cache)": (1, ledger.saved),
    }
    print("\n| what is asked | times | first | median | slowest |\n|---|---:|---:|---:|---:|")
    for what, (times, ask) in asked.items():
        took = [_seconds(ask) for _ in range(times)]
        told = (took[0], sorted(took)[times // 2], max(took))
        print(f"| {what} | {times} | {' | '.join(f'{1000 * one:,.1f} ms' for one in told)} |", flush=True)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def commits(bench: Bench) -> None:
    """A commit of five samples, as a run makes them that waits for its endpoint."""
    run = bench.ledger.start("small", Manifest({"suite": "small"}, {}, {}, FACTS), RUN, START, 7, {})
    chance, took = random.Random(2), []  # noqa: S311

    def work() -> None:
        for first in range(0, 2_500, 5):
            part = bench.samples[first : first + 5]
            made = rows(run.id, part, chance)
            took.append(_seconds(lambda part=part, made=made: bench.ledger.record(run.id, part, *made, START)))

    cost = bench.cost(work)
    bench.ledger.finish(run.id, RunStatus.FINISHED, START)
    took.sort()
    p50, p99 = took[len(took) // 2], took[int(0.99 * len(took))]
    print(
        f"\n500 commits of 5 samples (25 rows): p50 {1000 * p50:.1f} ms, p99 {1000 * p99:.1f} ms, "
        f"server CPU {1000 * cost.server_s / 500:.2f} ms and WAL {cost.wal / 500:,.0f} bytes each."
    )
    time.sleep(1)  # statistics arrive a little later
    dead = "SELECT string_agg(relname || ' ' || n_dead_tup, ', ' ORDER BY relname) FROM pg_stat_all_tables"
    told = bench.ask(f"{dead} WHERE relname IN ('pg_class', 'pg_attribute', 'run')")
    print(f"dead rows: {told}", flush=True)


def pruned(bench: Bench, large: Run) -> None:
    """The large run is deleted while two readers look at others."""
    bench.a_run()  # newer, so that the large one may go
    ended, slowest, reads = threading.Event(), [0.0, 0.0], [0, 0]

    def look(place: int) -> None:
        with open_ledger(bench.url, readonly=True) as ledger:
            while not ended.is_set():
                run = ledger.runs("bot", limit=5)[-1]
                took = _seconds(lambda run=run: (ledger.accounting(run.id), ledger.results(run.id, limit=50)))
                slowest[place], reads[place] = max(slowest[place], took), reads[place] + 1

    readers = [threading.Thread(target=look, args=(place,)) for place in range(2)]
    for reader in readers:
        reader.start()
    deleted: dict[str, int] = {}
    cost = bench.cost(lambda: deleted.update(bench.ledger.prune([large.id])))
    ended.set()
    for reader in readers:
        reader.join()
    gone = sum(deleted.values())
    print(
        f"\nA run of {large.total:,} samples pruned: {gone:,} rows in {cost.wall_s:.1f} s (server CPU "
        f"{cost.server_s:.1f} s, WAL {cost.wal / gone:,.0f} bytes a row); {sum(reads)} reads beside it, the slowest "
        f"{1000 * max(slowest):,.0f} ms."
    )
    dead = "SELECT string_agg(relname || ' ' || n_dead_tup, ', ') FROM pg_stat_user_tables WHERE n_dead_tup > 1000"
    print(f"dead rows before any vacuum: {bench.ask(dead)}")
    for table in ("score", "generation"):
        begun = time.perf_counter()
        bench.ledger._database.alone("vacuuming", f"VACUUM {table}")
        print(f"VACUUM {table}: {time.perf_counter() - begun:.1f} s", flush=True)


def without_indexes(bench: Bench) -> None:
    """What a run costs to write with less and less beside its rows. Nothing is put back."""
    print("\n| written without | server CPU, µs a row | WAL, bytes a score |\n|---|---:|---:|")
    steps = {
        "nothing less": "SELECT 1",
        "`ix_score_run_id_metric_reason`": "DROP INDEX ix_score_run_id_metric_reason",
        "and `ix_generation_run_id_position_repeat`": "DROP INDEX ix_generation_run_id_position_repeat",
        "and `ix_score_key`, `ix_generation_key`": "DROP INDEX ix_score_key, ix_generation_key",
        "and the foreign keys of `score` and `generation`": "ALTER TABLE score DROP CONSTRAINT fk_score_run_id; "
        "ALTER TABLE generation DROP CONSTRAINT fk_generation_run_id, DROP CONSTRAINT fk_generation_sample_digest",
    }
    for what, sql in steps.items():
        bench.ledger._database.write("dropping", lambda c, sql=sql: c.exec_driver_sql(sql))
        cost = bench.cost(bench.a_run)
        each = RUN * (len(METRICS) + 1)
        print(f"| {what} | {1e6 * cost.server_s / each:.1f} | {cost.wal / RUN / len(METRICS):,.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postgres", default=os.environ.get("HAETAE_TEST_POSTGRES"))
    parser.add_argument("--scores", type=int, default=10_000_000)
    options = parser.parse_args()
    if not options.postgres:
        sys.exit("name a server: --postgres postgresql://postgres@127.0.0.1:5432")
    with a_database(options.postgres) as url:
        bench = Bench(url)
        growth(bench, options.scores - LARGE * len(METRICS))
        large = bench.a_run(LARGE)
        bench.ledger._database.alone("vacuuming", "VACUUM ANALYZE")
        for measure in (sizes, commits):
            measure(bench)
        lookups(bench, large)
        pruned(bench, large)
        without_indexes(bench)
        bench.ledger.close()


if __name__ == "__main__":
    main()
