"""Servers that are dead, slow, black holes or unreachable while suites run: time added, what waits, what is lost.

    python tests/bench/outage_bench.py [--only mlflow,wandb,postgres,prefect] [--postgres URL]

Starts a real MLflow and a real Prefect server; URL is a Postgres server without a database name, whose user may create
one. Each is put behind a proxy that changes the weather. Prints Markdown. Nothing here is an assertion: the tests have
those, and a shared machine is too noisy for times.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "fakes"))
from outage import Outage, Weather
from outage_postgres import postgres_table
from outage_prefect import prefect_table
from outage_worlds import Done, Project, asked, mlflow_server, project

_WEATHERS: tuple[Weather, ...] = ("there", "dead", "slow", "black hole", "unreachable")
_SILENT_AFTER = 6
_HEAD = """| {} | trackers took, s | then gone in, s | exit | same scores | waits after | then sync | there afterwards |
|---|---|---|---|---|---|---|---|"""
Ran = tuple[Done, float, float]


def scores(done: Project) -> Any:
    """What the ledger says of a run, in numbers."""
    (run,) = json.loads(done.haetae("list", "runs", "--json").out)
    return json.loads(done.haetae("show", run["run"], "--json").out)["estimates"]


def waiting(told: Project) -> int:
    from haetae.store.sql import open_ledger

    with open_ledger(f"sqlite:///{told.folder}/home/ledger.db", readonly=True) as ledger:
        return len(ledger.pending())


def ran_in(way: Outage, weather: Weather, after: int, told: Project) -> Ran:
    """A run with the weather as it is said; afterwards it is fine again."""
    way.becomes(weather, after)
    ran = told.run()
    way.becomes("there")
    print(ran[0].err, end="", file=sys.stderr, flush=True)
    return ran


def row(name: str, ran: Ran, told: Project, expected: Any, sync: dict[str, str], found: Any) -> str:
    left = waiting(told)
    first, second = told.haetae("sync", **sync), told.haetae("sync", **sync)
    said = f"{first.code} in {first.seconds:.1f} s, then {second.out.strip()}"
    same = "yes" if scores(told) == expected else "NO"
    done, telling_s, leaving_s = ran
    run = f"{telling_s:.1f} | {leaving_s:.1f} | {done.code}"
    return f"| {name} | {run} | {same} | {left} | {said} | {found()} |"


def mlflow_table(folder: Path, expected: Any) -> None:
    (folder / "server").mkdir(parents=True)
    print(_HEAD.format("MLflow"))
    with mlflow_server(folder / "server") as port, Outage(port) as way:
        api = f"http://127.0.0.1:{port}/api/2.0/mlflow"

        def runs_of(suite: str) -> str:
            experiment = asked(f"{api}/experiments/get-by-name?experiment_name=haetae/{suite}")["experiment"]
            found = asked(f"{api}/runs/search", {"experiment_ids": [experiment["experiment_id"]]}).get("runs", [])
            return f"{len(found)} run, {', '.join(one['info']['status'] for one in found)}"

        cases: list[tuple[str, Weather, int]] = [(weather, weather, 0) for weather in _WEATHERS]
        cases.append((f"silent after {_SILENT_AFTER} replies", "black hole", _SILENT_AFTER))
        for name, weather, after in cases:
            suite = name.replace(" ", "-")
            told = project(folder / suite, suite, "track: [mlflow]\n", HAETAE_MLFLOW=f"http://127.0.0.1:{way.port}")
            ran = ran_in(way, weather, after, told)
            print(row(name, ran, told, expected, {}, lambda suite=suite: runs_of(suite)), flush=True)


class _NoWandb(BaseHTTPRequestHandler):
    """Something that answers where W&B should be: a server of it cannot be had without its makers."""

    def do_GET(self) -> None:  # the library's name
        self.send_error(404)

    do_POST = do_GET  # noqa: N815  # likewise

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def wandb_table(folder: Path, expected: Any) -> None:
    """Online towards an address that is no W&B; what waited is then written offline, where it can be counted."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _NoWandb)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(_HEAD.format("W&B"))
    with Outage(server.server_port) as way:
        cases: list[tuple[str, str, Weather, str]] = [
            ("offline", "offline", "black hole", "k" * 40),
            ("online, no key", "online", "there", ""),
            *((f"online, {weather}", "online", weather, "k" * 40) for weather in _WEATHERS),
        ]
        for number, (name, mode, weather, key) in enumerate(cases):
            env = {"HAETAE_WANDB_MODE": mode, "WANDB_API_KEY": key, "WANDB_BASE_URL": f"http://127.0.0.1:{way.port}"}
            told = project(folder / str(number), "told", "track: [wandb]\n", NETRC="/nowhere", **env)
            ran = ran_in(way, weather, 0, told)
            ours = told.folder / "home" / "wandb" / "wandb"
            ended = {"HAETAE_WANDB_MODE": "offline"}

            def folders(ours: Path = ours) -> str:
                return f"{len(list(ours.glob('offline-run-*')))} offline folder"

            print(row(name, ran, told, expected, ended, folders), flush=True)
    server.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="mlflow,wandb,postgres,prefect")
    parser.add_argument("--postgres", help="the URL of a server")
    options = parser.parse_args()
    wanted = options.only.split(",")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
        folder = Path(made)
        if {"mlflow", "wandb"} & {*wanted}:
            alone = project(folder / "alone", "alone")
            print(f"Without a tracker a run takes {alone.run()[0].seconds:.1f} s.\n")
            expected = scores(alone)
        if "mlflow" in wanted:
            mlflow_table(folder / "mlflow", expected)
        if "wandb" in wanted:
            wandb_table(folder / "wandb", expected)
        if "postgres" in wanted and options.postgres:
            postgres_table(folder / "postgres", options.postgres)
        if "prefect" in wanted:
            prefect_table(folder / "prefect")


if __name__ == "__main__":
    main()
