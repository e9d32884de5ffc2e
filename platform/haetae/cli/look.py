"""list, show, export, sync, dashboard."""

from __future__ import annotations

import logging
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import click
from click.exceptions import Exit

from haetae.cli.printing import Plain, plain, print_json, print_report, print_table

if TYPE_CHECKING:
    from haetae import Workbench
    from haetae.core.registry import AliasMove
    from haetae.core.run import Run

_START = {kind + "s": f"haetae register {kind} FILE" for kind in ("model", "prompt", "dataset")}
_START |= {"moves": "haetae alias model NAME@1 production", "baselines": "haetae promote RUN"}
_LISTED = ["suites", "runs", "models", "prompts", "datasets", "moves", "baselines"]
_MOST = 10_000
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.command("list")
@click.argument("what", type=click.Choice(_LISTED), default="suites")
@click.option("--suite", help="Only runs of this suite.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, _MOST), help="How many runs or moves.")
@_json
def list_command(what: str, suite: str | None, limit: int, as_json: bool) -> None:
    """List suites, runs, models, prompts or datasets; moves of aliases and baselines, with who made them and why."""
    from haetae import Workbench
    from haetae.core.reference import Kind

    rows: list[tuple[str, ...]]
    header: tuple[str, ...]
    there_are_more = False
    with Workbench() as bench:
        if what in ("suites", "runs"):
            names = bench.ledger.suites() if what == "suites" else [None]
            runs = [run for name in names for run in bench.ledger.runs(name or suite, 1 if name else limit + 1)]
            there_are_more = what == "runs" and len(runs) > limit
            header = ("run", "status", "verdict", "started (UTC)", "dataset")
            rows = [_run_row(bench, run, as_json) for run in (runs[:limit] if there_are_more else runs)]
        elif what == "moves":
            header = ("alias", "from", "to", "by", "at (UTC)", "verdicts", "reason")
            rows = [_move_row(move) for move in bench.moves(limit=limit)]
        elif what == "baselines":
            header = ("suite", "baseline", "run", "since (UTC)", "reason")
            promotions = bench.ledger.promotions(suite, limit=limit)
            rows = [(p.suite, p.baseline, p.run_id, f"{p.at:%Y-%m-%d %H:%M}", p.reason or "") for p in promotions]
        else:
            header = ("version", "aliases", "digest", "registered (UTC)", "")
            rows = [
                (v.reference, " ".join(v.aliases), v.digest[:12], f"{v.created_at:%Y-%m-%d %H:%M}", "")
                for v in bench.versions(cast(Kind, what.removesuffix("s")))
            ]
    if as_json:
        print_json([dict(zip(header, row, strict=True)) for row in rows])
    elif rows:
        print_table(header, rows)
        if there_are_more:
            click.echo(f"and more: haetae list runs --limit {min(2 * limit, _MOST)}")
    else:
        click.echo(f"no {what} yet; start with: {_START.get(what, 'haetae init')}")


def _move_row(move: AliasMove) -> tuple[str, ...]:
    verdicts = ", ".join(f"{run} {verdict}" for run, verdict in move.verdicts.items())
    before, at = str(move.before or ""), f"{move.moved_at:%Y-%m-%d %H:%M}"
    return f"{move.kind} {move.name}@{move.alias}", before, str(move.number), move.by, at, verdicts, move.reason or ""


def _run_row(bench: Workbench, run: Run, as_json: bool) -> tuple[str, str, str, str, str]:
    from haetae.workbench.resuming import KILLED, status_of

    said = bench.ledger.comparison(run.id)
    verdict, status = said.verdict.value if said else "none", status_of(run, bench.ledger)
    if status == KILLED and not as_json:
        status += f" (haetae resume {run.id})"
    return run.id, status, verdict, f"{run.started_at:%Y-%m-%d %H:%M}", run.manifest.dataset["name"]


@click.command("show")
@click.argument("reference")
@click.option("--kind", type=click.Choice(["run", "model", "prompt", "dataset"]), default="run", show_default=True)
@_json
def show_command(reference: str, kind: str, as_json: bool) -> None:
    """Show run REFERENCE (support-bot.12), or with --kind a registered version."""
    from haetae import Workbench

    with Workbench() as bench:
        if kind == "run":
            print_report(bench.report(reference), as_json)
            return
        from haetae.core.reference import Kind

        version = bench.version(cast(Kind, kind), reference)
    print_json({"reference": version.reference, "digest": version.digest, "content": version.content})


@click.command("export")
@click.argument("run")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False), help="The file to write; default standard output.")
def export_command(run: str, form: Literal["jsonl", "csv"], out: str | None) -> None:
    """Write the samples, answers and scores of RUN. On a terminal what would change it is escaped."""
    from haetae import Workbench

    with Workbench() as bench:
        if out is None:
            kind = Plain if sys.stdout.isatty() else TextIOWrapper
            stream = kind(sys.stdout.buffer, encoding="utf-8", errors="backslashreplace", newline="")
            try:
                bench.export(run, form, stream)
            finally:
                stream.detach()  # flushes, and leaves standard output open
            return
        partial = Path(f"{out}.partial")
        with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as written:
            bench.export(run, form, written)
        partial.replace(out)
    click.echo(f"{run} written to {out}")


@click.command("sync")
@click.argument("what", type=click.Choice(["runs", "registry"]), default="runs")
@click.option("--deadline", default=120.0, show_default=True, help="Seconds to wait for the trackers.")
@_json
def sync_command(what: str, deadline: float, as_json: bool) -> None:
    """Deliver to the trackers what they have missed of runs (the default); each event is delivered once.

    Or let the registry and MLflow's follow each other: versions of models and prompts, and their aliases, both ways.

    Exit codes: 0 nothing is waiting any more, 3 something is, or MLflow could not be looked through.
    """
    from haetae import Workbench

    if what == "registry":
        _sync_registry(deadline, as_json)

    logging.getLogger("haetae.outbox").addHandler(logging.NullHandler())  # what it warns of is printed below
    with Workbench() as bench:
        lines = bench.sync(deadline)
        waiting = bench.waiting()
    if as_json:
        print_json(lines)
    else:
        others = f"{waiting} wait for another process, which has begun or died; ask again in some minutes"
        click.echo(plain("\n".join(lines)) or (others if waiting else "nothing is waiting"))
    raise Exit(3 if waiting else 0)


def _sync_registry(deadline: float, as_json: bool) -> None:
    from haetae import Workbench
    from haetae.cli.moved import tell

    with Workbench() as bench:
        synced = bench.sync_registry(deadline)
        tell(bench, synced.moves)
    if as_json:
        print_json({"moves": [move.as_json() for move in synced.moves], "lines": list(synced.lines)})
    else:
        click.echo(plain("\n".join(synced.lines)) or "nothing to do")
    raise Exit(0 if synced.whole else 3)


@click.command("dashboard")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Other than loopback: with HAETAE_DASHBOARD_LOGIN."
)
@click.option("--port", default=8501, show_default=True, type=click.IntRange(0, 65535))
def dashboard_command(host: str, port: int) -> None:
    """Start the dashboard on this machine; stop it with Ctrl-C."""
    from haetae.errors import MissingExtra

    try:
        from haetae.dashboards.asgi import serve
    except ModuleNotFoundError as exc:
        raise MissingExtra("streamlit", "dashboard") from exc
    serve(host=host, port=port)
