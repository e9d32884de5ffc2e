"""work."""

from __future__ import annotations

from typing import Any

import click
from click.exceptions import Exit

from haetae.cli.printing import plain, print_json
from haetae.cli.progress import watching


class Shards(click.ParamType[int]):
    """Into how many shards a run is cut: a number, or `auto`, which is 0 here."""

    name = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == "auto":
            return 0
        if not (str(value).isascii() and str(value).isdecimal()) or not 1 <= int(value) <= 1_000:
            self.fail(f"{value!r} is neither a number from 1 to 1000 nor auto", param, ctx)
        return int(value)


@click.command("work")
@click.argument("run", required=False)
@click.option("--suite", type=click.Path(exists=True), help="The suite's file, where it lies elsewhere here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--quiet", is_flag=True, help="No progress.")
def work_command(run: str | None, suite: str | None, as_json: bool, quiet: bool) -> None:
    """Work on RUN, which `haetae run SUITE --shards N` has started: shard after shard, until none is to be had.

    On as many machines as one likes, that share a ledger on Postgres; on this one by as many processes. Without RUN:
    the newest shared run that has a shard which did not end. Whoever started the run makes its report.

    Exit codes: 0 when there was nothing left to do; 2 when there is no such run, or when files differ here from what
    it was started with; 3 when this was interrupted, or an error or the budget ended the run.
    """
    from haetae import Workbench

    with Workbench() as bench, watching(quiet, None) as watcher:
        worked = bench.work(run, suite=suite, watcher=watcher)
    if as_json:
        print_json(worked.as_json())
    else:
        click.echo(plain(worked.text))
    raise Exit(0 if worked.why is None else 3)
