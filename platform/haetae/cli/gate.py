"""gate: run a suite, or read two score files, and exit by the verdict."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit

from haetae.cli.ci import Outlets, ci_options
from haetae.cli.events import Events, events_option, forbid_two_documents, writing_events
from haetae.cli.instead import instead_options
from haetae.cli.json_to import STDOUT, JsonCommand, check_json_to, json_option
from haetae.cli.progress import watching
from haetae.cli.score_gate import ScoreOptions, gate_score_files, score_options
from haetae.errors import ConfigError


@click.command("gate", cls=JsonCommand)
@click.argument("suite", type=click.Path(dir_okay=True), required=False)
@json_option
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--strict", is_flag=True, help="Exit 3 also when the verdict is inconclusive.")
@click.option(
    "--skip-without-secrets",
    is_flag=True,
    help="Exit 0 and say so where a pull request's job lacks the variables that the models need.",
)
@instead_options
@events_option
@score_options
@ci_options
def gate_command(
    suite: str | None,
    quiet: bool,
    strict: bool,
    skip_without_secrets: bool,
    model: str | None,
    prompt: str | None,
    events_to: str | None,
    outlets: Outlets,
    **scores: Any,
) -> None:
    """Run SUITE, reusing finished calls, and exit by its verdict: 0 pass, 1 regression, 3 no verdict.

    Or compare two score files of any tool, without a suite: --baseline-scores and --candidate-scores. A line
    of such a file is {"id", "metric", "score": number or null}, and if need be "sample" (the number of a
    repeat), "cluster", "tags": {"lang": "ko"} and "reason".

    An inconclusive verdict exits 0 and says so; --strict makes it 3.
    """
    options = ScoreOptions(**scores)
    check_json_to(outlets.json_to, suite, options.baseline_scores, options.candidate_scores)
    forbid_two_documents(events_to, STDOUT in (outlets.json_to, outlets.markdown), outlets.annotations)
    if suite is None and events_to is not None:
        raise click.UsageError("--json-events goes with a SUITE: nothing happens while score files are compared")
    if suite is None and (model or prompt):
        raise click.UsageError("--model and --prompt go with a SUITE: of score files nothing is asked")
    instead = {field: text for field, text in (("model", model), ("prompt", prompt)) if text is not None}
    title = suite or options.candidate_scores or "scores"
    with writing_events(events_to) as events, outlets.gating(title, options.command(suite, strict, instead)):
        if suite is None:
            if skip_without_secrets:
                raise click.UsageError("--skip-without-secrets goes with a SUITE: score files need no secret")
            code = gate_score_files(options, outlets, strict)
        else:
            options.forbid()
            again = options.command(suite, strict, instead)
            code = _gate_suite(suite, instead, again, quiet, strict, skip_without_secrets, events, outlets)
    raise Exit(code)


def _gate_suite(
    suite: str,
    instead: Mapping[str, str],
    again: str,
    quiet: bool,
    strict: bool,
    skip_without_secrets: bool,
    events: Events | None,
    outlets: Outlets,
) -> int:
    from haetae import Workbench
    from haetae.workbench.ci.places import gated_lines
    from haetae.workbench.ci.said import no_verdict, said_of_report

    try:
        with Workbench() as bench, watching(quiet, events) as watcher:
            report = bench.gate(suite, watcher=watcher, model=instead.get("model"), prompt=instead.get("prompt"))
            lines = gated_lines(Path(suite), bench.settings.env)
    except ConfigError as exc:
        missing = [problem.variable for problem in exc.problems if problem.variable]
        if not (skip_without_secrets and len(missing) == len(exc.problems) and _is_pull_request()):
            raise
        why = f"this pull request's job has no {', '.join(dict.fromkeys(missing))}: nothing was asked, nothing is said"
        said = replace(no_verdict(suite, why, again), skipped=True)
        if events is not None:
            events.failed(exc, 0)
        outlets.tell(said, f"SKIPPED  {why}", {"verdict": "skipped", "reason": why})
        return 0
    code = report.exit_code_when(strict)
    if events is not None:
        events.ended(report, code)
    outlets.tell(said_of_report(report, again, suite, lines), report.text, report.as_json())
    return code


def _is_pull_request() -> bool:
    """Whether a CI job checks a change of others, which may come from a fork: those get no secrets."""
    github, gitlab = os.environ.get("GITHUB_EVENT_NAME"), os.environ.get("CI_PIPELINE_SOURCE")
    return github == "pull_request" or gitlab == "merge_request_event"
