"""A gate's verdict as GitHub annotations: workflow commands that mark lines of the suite file."""

from __future__ import annotations

from collections.abc import Iterator

from haetae.core.verdict import Verdict
from haetae.errors import Problem
from haetae.workbench.by_metric import judged_in
from haetae.workbench.ci.escaping import in_command, in_property
from haetae.workbench.ci.said import WHOLE, Said


def workflow_commands(said: Said) -> list[str]:
    """The commands, a line each, regressions first: GitHub shows ten errors and ten warnings of a step.

    One `error` for each metric that regressed, one `warning` for each without a pass otherwise, for a
    significant rise, for more errors than the baseline has, for a judge that moved; an `error` at each
    mistake of a wrong input. Each stands at the line that gates the metric.
    """
    if said.problems:
        return [_command("error", p.file or "", p.line or 1, said.title, _where(p)) for p in said.problems]
    if not said.facts:
        return [_command("notice" if said.skipped else "error", said.file, 1, said.title, said.comparison.reason)]
    return sorted([*_verdicts(said), *_warnings(said)], key=lambda command: command.startswith("::warning"))


def silenced(text: str, token: str) -> str:
    """Text that GitHub shows and does not obey, whatever its lines begin with; `token` is a fresh secret."""
    return f"::stop-commands::{token}\n{text}\n::{token}::"


def _verdicts(said: Said) -> Iterator[str]:
    for metric in said.facts:
        verdict, text = judged_in(said.comparison, said.facts, metric)
        if verdict is not Verdict.PASS:
            level = "error" if verdict is Verdict.REGRESSION else "warning"
            yield _at(said, metric, level, f"{verdict.value}: {metric}", text)


def _warnings(said: Said) -> Iterator[str]:
    told = {judged_in(said.comparison, said.facts, metric)[1] for metric in said.facts}
    for warning in said.comparison.warnings:
        metric = next((name for name in said.facts if warning.startswith((f"{name}:", f"{name}["))), WHOLE)
        if warning not in told:
            yield _at(said, metric, "warning", f"warning: {metric}", warning)


def _at(said: Said, metric: str, level: str, title: str, text: str) -> str:
    return _command(level, said.file, said.lines.get(metric, 1), f"{said.title}: {title}", text)


def _where(problem: Problem) -> str:
    return f"{problem.field}: {problem.message}" if problem.field else problem.message


def _command(level: str, file: str, line: int, title: str, text: str) -> str:
    place = f"file={in_property(file)},line={line}," if file else ""
    return f"::{level} {place}title={in_property(title)}::{in_command(text)}"
