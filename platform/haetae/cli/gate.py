"""gate: run a suite and exit by its verdict."""

from __future__ import annotations

import click

from haetae.cli.printing import print_report
from haetae.cli.progress import watching


@click.command("gate")
@click.argument("suite", type=click.Path(dir_okay=True))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--strict", is_flag=True, help="Exit 3 also when the verdict is inconclusive.")
def gate_command(suite: str, as_json: bool, quiet: bool, strict: bool) -> None:
    """Run SUITE, reusing finished calls, and exit by its verdict: 0 pass, 1 regression, 3 no verdict.

    An inconclusive verdict exits 0 and says so; --strict makes it 3.
    """
    from haetae import Workbench

    with Workbench() as bench, watching(quiet) as watcher:
        report = bench.gate(suite, watcher=watcher)
    print_report(report, as_json)
    raise SystemExit(report.exit_code_when(strict))
