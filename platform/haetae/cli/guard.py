"""guard report: which stage of a guard earns its price."""

from __future__ import annotations

import click

from haetae.cli.printing import plain, print_json


@click.group("guard")
def guard_command() -> None:
    """Look at a guard stage by stage."""


@guard_command.command("report")
@click.argument("run")
@click.option("--label", help="The key of the samples' metadata that labels them; default as in the suite's metrics.")
@click.option("--positive", help="Its value for what should be blocked; default as in the suite's metrics.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def report_command(run: str, label: str | None, positive: str | None, as_json: bool) -> None:
    """Say of each stage of the guard of RUN what came to it, what it decided, what was right, and what it cost.

    Precision is the share of what a stage blocked that should be, recall the share of what came to it and
    should be blocked that it did block. Harm caught per dollar is of what no stage before had stopped: a stage
    that catches little and costs much does not earn its price.
    """
    from haetae import Workbench
    from haetae.workbench.guards import guard_report

    with Workbench() as bench:
        found = guard_report(bench.ledger, run, label, positive)
    if as_json:
        print_json(found.as_json())
    else:
        click.echo(plain(found.text))
