"""Alerts in words: a title, a text for chats, and the report in Markdown for mail. What others wrote is inert."""

from __future__ import annotations

from collections.abc import Sequence

from haetae.core.alert import Alert, AlertKind
from haetae.core.secrets import redact
from haetae.workbench.alerts.changes import Change
from haetae.workbench.by_metric import concluded
from haetae.workbench.ci.escaping import in_chat, in_markdown
from haetae.workbench.ci.markdown import markdown
from haetae.workbench.ci.said import no_verdict, said_of_report
from haetae.workbench.report import Report, comparison_lines
from haetae.workbench.words import counted

_TITLES = {
    AlertKind.REGRESSION: "✗ Regression",
    AlertKind.RECOVERY: "✓ Recovered",
    AlertKind.NO_VERDICT: "– No verdict",
    AlertKind.MISSED: "– Schedule missed",
    AlertKind.BUDGET: "– Budget reached",
    AlertKind.ALARM: "✗ Fell over the nights",
}
_FELL = (AlertKind.REGRESSION, AlertKind.ALARM)
_NAMED, _LINES = 3, 25
"""Columns that a title names; lines of a report that a chat is shown."""


def alert_of(change: Change, report: Report, secrets: tuple[str, ...] = ()) -> Alert:
    """The message of a change that a run made known; `secrets` are masked wherever they stand."""
    run = report.run
    whole = concluded(report)
    fallen = f": {_named(change.columns)}" if change.kind in _FELL else ""
    lines = [*_first(change, report), *comparison_lines(whole, run.manifest.metrics)[:_LINES], "", report.spent_line]
    lines.append(f"haetae show {run.id}")
    again = f"haetae show {run.id}"
    said = said_of_report(report, again) if report.comparison else no_verdict(run.suite, whole.reason, again)
    body = "\n\n".join([*(in_markdown(line) for line in _first(change, report)), markdown(said)])
    key = ":".join([run.id, change.kind.value, *change.columns])
    title = f"{_TITLES[change.kind]}: {run.suite}{fallen}"
    return _inert(key, change.kind, run.suite, run.id, title, lines, body, secrets)


def alert_of_schedule(suite: str, kind: AlertKind, since: str, why: str) -> Alert:
    """The message that nobody serves a suite's schedule any more, or that somebody does again, since a time."""
    title = f"{_TITLES[kind]}: {suite}"
    return _inert(f"{suite}:schedule:{kind.value}:{since}", kind, suite, None, title, [why], in_markdown(why), ())


def _inert(
    key: str,
    kind: AlertKind,
    suite: str,
    run_id: str | None,
    title: str,
    lines: Sequence[str],
    body: str,
    secrets: tuple[str, ...],
) -> Alert:
    text = "\n".join(in_chat(redact(line, secrets)) for line in lines)
    return Alert(key, kind, suite, run_id, in_chat(redact(title, secrets), 200), text, redact(body, secrets))


def _first(change: Change, report: Report) -> list[str]:
    """What a reader needs before the report."""
    run = report.run
    if change.kind is AlertKind.MISSED:
        return [run.tags.get("missed", "")]
    if change.kind is AlertKind.BUDGET:
        return [run.note or ""]
    if change.kind is AlertKind.RECOVERY:
        ended = [f"{_named(change.columns)} had fallen; that is over."] if change.columns else []
        return [*ended, *filter(None, [run.tags.get("missed")])]
    if change.kind in _FELL:
        metrics = {column.partition(" [")[0] for column in change.columns}
        return [f"monitor: {watched.sentence}" for watched in report.sounded if watched.metric in metrics]
    return []


def _named(columns: Sequence[str]) -> str:
    more = [f"{counted(len(columns) - _NAMED, 'more column')}"] if len(columns) > _NAMED else []
    return ", ".join([*columns[:_NAMED], *more])
