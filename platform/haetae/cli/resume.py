"""resume."""

from __future__ import annotations

import click
from click.exceptions import Exit

from haetae.cli.printing import plain, print_report
from haetae.cli.progress import watching


@click.command("resume")
@click.argument("run", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--strict", is_flag=True, help="Exit 3 also when the verdict is inconclusive.")
@click.option("--no-track", is_flag=True, help="Tell no tracker.")
def resume_command(run: str | None, as_json: bool, quiet: bool, strict: bool, no_track: bool) -> None:
    """Continue RUN, from the suite file that it was started from; what it has is not asked again.

    Without RUN: the newest run that did not finish and that nobody works on; when there are several, all are
    listed. Refused when anything has changed since that fixes the numbers.

    Exit codes: those of haetae run; 2 when there is nothing to continue.
    """
    from haetae import Workbench
    from haetae.workbench.resuming import lines, newest

    with Workbench() as bench:
        if run is None:
            unfinished = bench.ledger.unfinished_runs()
            run = newest(unfinished).id
            if len(unfinished) > 1:
                listed = "\n".join(["runs that did not finish:", *lines(unfinished), f"going on with {run}"])
                click.echo(plain(listed), err=True)
        with watching(quiet) as watcher:
            report = bench.resume(run, watcher=watcher, track=not no_track)
    print_report(report, as_json)
    raise Exit(report.exit_code_when(strict))
