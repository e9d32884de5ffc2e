"""A ledger on Postgres that goes away: before a run, and for a while in the middle of one."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import sqlalchemy as sa
from outage import Outage, Weather
from outage_worlds import SAMPLES, Done, Project, project, until

_AWAY_S = 10.0
_OUTAGES: tuple[Weather, ...] = ("dead", "slow", "black hole", "unreachable")
_LIMITS = "limits: { in_flight: 2 }\n"


def postgres_table(folder: Path, server: str) -> None:
    """Prints both tables."""
    print("\n| Postgres from the start | exit | until it ends, s | what is said\n|---|---|---|---|")
    for weather in _OUTAGES[:1] + _OUTAGES[2:]:
        with _database(server) as (url, port), Outage(port) as way:
            way.becomes(weather)
            done = _on(folder / f"at-once-{weather}", url, way).haetae("run", "suite.yaml", "--quiet")
            print(f"| {weather} | {done.code} | {done.seconds:.1f} | {done.err.strip()[-160:]} |", flush=True)
    print(f"\n| away for {_AWAY_S:g} s in mid-run | run, s | goes on after, s | exit | answers | twice | lost |")
    print("|---|---|---|---|---|---|---|")
    for weather in ("there", *_OUTAGES):
        with _database(server) as (url, port), Outage(port) as way:
            done, on_s = _interrupted(_on(folder / f"amid-{weather}", url, way), url, way, weather)
            with psycopg.connect(url) as ledger:
                rows = ledger.execute("SELECT sample_id, repeat FROM generation").fetchall()
            lost, twice = SAMPLES - len({*rows}), len(rows) - len({*rows})
            print(
                f"| {weather} | {done.seconds:.1f} | {on_s:.1f} | {done.code} | {len(rows)} | {twice} | {lost} |",
                flush=True,
            )


def _on(folder: Path, url: str, way: Outage) -> Project:
    behind = sa.make_url(url).set(port=way.port).render_as_string(hide_password=False)
    return project(folder, "asked", _LIMITS, asks=True, HAETAE_LEDGER=behind)


def _interrupted(told: Project, url: str, way: Outage, weather: Weather) -> tuple[Done, float]:
    """A run in whose middle the weather changes and changes back; and how soon after that an answer was kept."""
    started = time.perf_counter()
    running = told.started("run", "suite.yaml", "--quiet")
    until(lambda: _answers(url) >= SAMPLES // 5, 60)
    way.becomes(weather)
    time.sleep(_AWAY_S)
    kept = _answers(url)
    way.becomes("there")
    back = time.perf_counter()
    until(lambda: _answers(url) > kept or running.poll() is not None, 120)
    on_s = time.perf_counter() - back
    out, err = running.communicate()
    return Done(time.perf_counter() - started, running.returncode, out, err), on_s


def _answers(url: str) -> int:
    with psycopg.connect(url) as ledger:
        try:
            return int(ledger.execute("SELECT count(*) FROM generation").fetchone()[0])  # type: ignore[index]
        except psycopg.errors.UndefinedTable:
            return 0


@contextmanager
def _database(server: str) -> Iterator[tuple[str, int]]:
    """The URL of an empty database, and the port of its server."""
    name = f"outage_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"{server}/{name}", sa.make_url(server).port or 5432
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
