"""check, run, compare."""

from __future__ import annotations

import click
from click.exceptions import Exit

from haetae.cli.events import events_option, forbid_two_documents, writing_events
from haetae.cli.instead import instead_options
from haetae.cli.printing import plain, print_json, print_report
from haetae.cli.progress import watching
from haetae.cli.work import Shards

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_quiet = click.option("--quiet", is_flag=True, help="No progress.")
_suite = click.argument("suite", type=click.Path(dir_okay=True))
_strict = click.option("--strict", is_flag=True, help="Exit 3 also when the verdict is inconclusive.")


@click.command("check")
@_suite
@_json
@click.option("--drop", type=click.FloatRange(0, 1, min_open=True), help="A drop to find: 0.03 is 3 points of 100.")
@instead_options
def check_command(suite: str, as_json: bool, drop: float | None, model: str | None, prompt: str | None) -> None:
    """Check SUITE and all it names, and say what a run would cost and could see. Nothing is called."""
    from haetae import Workbench

    with Workbench() as bench:
        plan = bench.check(suite, wanted_drop=drop, model=model, prompt=prompt)
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
@click.option("--no-track", is_flag=True, help="Tell no tracker, and nobody else.")
@click.option("--alert", is_flag=True, help="Tell people of what changed, as of a scheduled run.")
@click.option("--shards", type=Shards(), help="Cut it into N parts; others work on them too, with haetae work.")
@instead_options
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
    alert: bool,
    shards: int | None,
    model: str | None,
    prompt: str | None,
    events_to: str | None,
) -> None:
    """Run SUITE: generate, score, commit, estimate, compare with the baseline, tell the trackers.

    A run that was interrupted or killed is continued by the same command.

    Exit codes: 0 pass, inconclusive, or a suite without a gate; 1 regression; 2 wrong input; 3 no verdict, a run
    that did not finish, or one in which nothing could be scored.
    """
    from haetae import Workbench

    forbid_two_documents(events_to, as_json)
    if shards is not None and resume is not None:
        raise click.UsageError(f"--resume and --shards exclude each other: haetae resume {resume} goes on with any run")
    with writing_events(events_to) as events:
        with Workbench() as bench, watching(quiet, events) as watcher:
            tags = {"alert": "asked for"} if alert else None
            if shards is None:
                report = bench.run(
                    suite,
                    fresh=fresh,
                    resume=resume,
                    skip_bad=skip_bad,
                    watcher=watcher,
                    tags=tags,
                    track=not no_track,
                    model=model,
                    prompt=prompt,
                )
            else:
                cut, more = shards or None, {"model": model, "prompt": prompt}
                shared = bench.share(suite, shards=cut, fresh=fresh, skip_bad=skip_bad, tags=tags, **more)
                where = "here, in another process" if bench.ledger.is_of_one_machine else "on other machines, or here"
                click.echo(f"{shared.id} is shared; {where}: haetae work {shared.id}", err=True)
                report = bench.resume(shared.id, watcher=watcher, track=not no_track)
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
