"""check, run, compare, promote."""

from __future__ import annotations

import click
from click.exceptions import Exit

from haetae.cli.events import events_option, forbid_two_documents, writing_events
from haetae.cli.printing import plain, print_json, print_report
from haetae.cli.progress import watching

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_quiet = click.option("--quiet", is_flag=True, help="No progress.")
_suite = click.argument("suite", type=click.Path(dir_okay=True))
_strict = click.option("--strict", is_flag=True, help="Exit 3 also when the verdict is inconclusive.")


@click.command("check")
@_suite
@_json
@click.option("--drop", type=click.FloatRange(0, 1, min_open=True), help="A drop to find: 0.03 is 3 points of 100.")
def check_command(suite: str, as_json: bool, drop: float | None) -> None:
    """Check SUITE and all it names, and say what a run would cost and could see. Nothing is called."""
    from haetae import Workbench

    with Workbench() as bench:
        plan = bench.check(suite, wanted_drop=drop)
    if as_json:
        print_json(plan.as_json())
    else:
        click.echo(plain(plan.text))


@click.command("run")
@_suite
@_json
@_quiet
@_strict
@click.option("--fresh", is_flag=True, help="Ask everything again; reuse no earlier answer.")
@click.option("--resume", metavar="RUN", help="Continue this run; refused when anything has changed since.")
@click.option("--skip-bad", is_flag=True, help="Leave out samples that cannot be read, and say which.")
@click.option("--no-track", is_flag=True, help="Tell no tracker.")
@events_option
def run_command(
    suite: str,
    as_json: bool,
    quiet: bool,
    strict: bool,
    fresh: bool,
    resume: str | None,
    skip_bad: bool,
    no_track: bool,
    events_to: str | None,
) -> None:
    """Run SUITE: generate, score, commit, estimate, compare with the baseline, tell the trackers.

    A run that was interrupted or killed is continued by the same command.

    Exit codes: 0 pass, inconclusive, or a suite without a gate; 1 regression; 2 wrong input; 3 no verdict, a run
    that did not finish, or one in which nothing could be scored.
    """
    from haetae import Workbench

    forbid_two_documents(events_to, as_json)
    with writing_events(events_to) as events:
        with Workbench() as bench, watching(quiet, events) as watcher:
            report = bench.run(
                suite, fresh=fresh, resume=resume, skip_bad=skip_bad, watcher=watcher, track=not no_track
            )
        code = report.exit_code_when(strict)
        if events is not None:
            events.ended(report, code)
        print_report(report, as_json)
    raise Exit(code)


@click.command("compare")
@click.argument("candidate")
@click.argument("baseline", required=False)
@_json
@_strict
@click.option("--common", is_flag=True, help="Compare the common samples of runs that differ where they must not.")
def compare_command(candidate: str, baseline: str | None, as_json: bool, strict: bool, common: bool) -> None:
    """Compare run CANDIDATE with run BASELINE, default the promoted one."""
    from haetae import Workbench
    from haetae.workbench.report import comparison_lines, exit_code

    with Workbench() as bench:
        comparison = bench.compare(candidate, baseline, common=common)
        run = bench.ledger.run(candidate)
    if as_json:
        print_json(comparison.as_json())
    else:
        click.echo(plain("\n".join(comparison_lines(comparison, run.manifest.metrics))))
    raise Exit(exit_code(comparison.verdict, strict))


@click.command("promote")
@click.argument("run")
@click.option("--baseline", default="production", show_default=True, help="Which named baseline to move.")
def promote_command(run: str, baseline: str) -> None:
    """Make RUN the baseline of its suite."""
    from haetae import Workbench

    with Workbench() as bench:
        promoted = bench.promote(run, baseline)
    click.echo(f"{promoted.id} is now the baseline {baseline!r} of {promoted.suite}")
