"""resume."""

from __future__ import annotations

import click
from click.exceptions import Exit

from haetae.cli.events import events_option, forbid_two_documents, writing_events
from haetae.cli.printing import plain, print_report
from haetae.cli.progress import watching


@click.command("resume")
@click.argument("run", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--strict", is_flag=True, help="Exit 3 also when the verdict is inconclusive.")
@click.option("--no-track", is_flag=True, help="Tell no tracker.")
@events_option
def resume_command(
    run: str | None, as_json: bool, quiet: bool, strict: bool, no_track: bool, events_to: str | None
) -> None:
    """Continue RUN, from the suite file that it was started from; what it has is not asked again.

    Without RUN: the newest run that did not finish and that nobody works on; when there are several, all are
    listed. Refused when anything has changed since that fixes the numbers.

    Exit codes: those of haetae run; 2 when there is nothing to continue.
    """
    from haetae import Workbench
    from haetae.workbench.resuming import lines, newest

    forbid_two_documents(events_to, as_json)
    with writing_events(events_to) as events:
        with Workbench() as bench, watching(quiet, events) as watcher:
            if run is None:
                unfinished = bench.ledger.unfinished_runs()
                run = newest(unfinished).id
                if len(unfinished) > 1:
                    listed = "\n".join(["runs that did not finish:", *lines(unfinished), f"going on with {run}"])
                    click.echo(plain(listed), err=True)
            report = bench.resume(run, watcher=watcher, track=not no_track)
        code = report.exit_code_when(strict)
        if events is not None:
            events.ended(report, code)
        print_report(report, as_json)
    raise Exit(code)
