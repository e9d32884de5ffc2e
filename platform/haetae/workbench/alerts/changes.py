"""What has changed of a suite since people were last told of it: one message for each change, none for a night more.

Two things say that a metric fell. The gate's verdict of one night errs as often as its alpha says, each night; an alarm
of the watch over the nights comes a night or two later, and errs as seldom as the installation's budget a month.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from haetae.core.alert import AlertKind, LastTold
from haetae.core.run import Run, RunStatus
from haetae.core.verdict import Comparison, Verdict
from haetae.engine.budget import is_used_up
from haetae.workbench.interrupted import by_a_signal
from haetae.workbench.report import Report


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `columns` are those that fell, or of which that ended."""

    kind: AlertKind
    columns: tuple[str, ...] = ()


def alerts_people(run: Run) -> bool:
    """Whether people are told of a run: of one by its schedule, and of one for which that was asked. Who runs a suite
    or a gate by hand, or in a job of CI, waits for what it says."""
    return "due" in run.tags or "alert" in run.tags


def kinds_of(named: Collection[str] | None) -> frozenset[AlertKind]:
    """The kinds that a suite names; all where it names none."""
    return frozenset(AlertKind) if named is None else frozenset(map(AlertKind, named))


def changes(
    known: LastTold, report: Report, kinds: Collection[AlertKind] = frozenset(AlertKind)
) -> tuple[LastTold, tuple[Change, ...]]:
    """What people know once they are told of a run, and what they are told of it: changes of these kinds.

    An inconclusive verdict says neither that something fell nor that it is well again. Nothing is said of a run that
    somebody interrupted, as it goes on later, nor of one that is older than what people know.
    """
    run = report.run
    if run.number < known.run or by_a_signal(run):
        return known, ()
    missed = bool(run.tags.get("missed")) and run.number > known.run and not known.overdue
    found = [Change(AlertKind.MISSED)] if missed and AlertKind.MISSED in kinds else []
    now = replace(known, run=run.number)
    if run.status is RunStatus.STOPPED and is_used_up(run.note):
        now = replace(now, overdue=False, stopped=known.stopped or AlertKind.BUDGET in kinds)
        found += [Change(AlertKind.BUDGET)] if now.stopped and not known.stopped else []
    elif _says_nothing(report):
        now = replace(now, overdue=False, stopped=False, silent=known.silent or AlertKind.NO_VERDICT in kinds)
        found += [Change(AlertKind.NO_VERDICT)] if now.silent and not known.silent else []
    else:
        now, told = _of_verdict(now, known, report, kinds)
        found += told
    return now, tuple(found)


def _says_nothing(report: Report) -> bool:
    """Whether a run did not end, has no verdict, or nothing to make one of."""
    if report.run.status is not RunStatus.FINISHED or report.verdict is Verdict.NO_VERDICT:
        return True
    return report.verdict is None and report.is_scoreless


def _of_verdict(
    now: LastTold, known: LastTold, report: Report, kinds: Collection[AlertKind]
) -> tuple[LastTold, list[Change]]:
    if report.verdict is not Verdict.INCONCLUSIVE:
        now = replace(now, silent=False, stopped=False, overdue=False)
    now, fell = _of_gate(now, known, report, kinds)
    now, alarmed = _of_watch(now, known, report, kinds)
    found = [Change(AlertKind.REGRESSION, fell)] if fell else []
    found += [Change(AlertKind.ALARM, alarmed)] if alarmed else []
    if now.is_well and not known.is_well and AlertKind.RECOVERY in kinds:
        found.append(Change(AlertKind.RECOVERY, tuple(dict.fromkeys((*known.fallen, *known.alarmed)))))
    return now, found


def _of_gate(
    now: LastTold, known: LastTold, report: Report, kinds: Collection[AlertKind]
) -> tuple[LastTold, tuple[str, ...]]:
    """The columns whose regression people know, and those of which they are told now."""
    if report.verdict is Verdict.INCONCLUSIVE:
        return now, ()
    if report.verdict is not Verdict.REGRESSION or report.comparison is None:
        return replace(now, fallen=()), ()
    if AlertKind.REGRESSION not in kinds:
        return now, ()
    new = [column for column in _fallen(report.comparison) if not known.knows(column)]
    return now.with_fallen(new), tuple(column for column in new if column.partition(" [")[0] not in known.alarmed)


def _of_watch(
    now: LastTold, known: LastTold, report: Report, kinds: Collection[AlertKind]
) -> tuple[LastTold, tuple[str, ...]]:
    """The metrics of which people know that an alarm stands, and those of which they are told now.

    The gate and the watch find the same drop on one night or a few apart: whoever was first tells it. One alarm more of
    a metric whose alarm stands is a further drop.
    """
    if report.alarms is None:
        return now, ()
    standing = {watched.metric for watched in report.alarms if watched.stands}
    stay = [metric for metric in known.alarmed if metric in standing]
    raised = dict.fromkeys(watched.metric for watched in report.sounded if AlertKind.ALARM in kinds)
    again = report.run.number == known.run  # the same run, reported once more
    new = [m for m in raised if (m in known.alarmed and not again) or (m not in known.alarmed and m not in now.fallen)]
    return replace(now, alarmed=tuple(dict.fromkeys((*stay, *raised)))), tuple(new)


def _fallen(said: Comparison) -> list[str]:
    """The columns that regressed, a metric before its slices; of a metric that fell as a whole, no slice."""
    columns = [(d.metric, d.slice) for d in said.differences if d.verdict is Verdict.REGRESSION]
    whole = {metric for metric, part in columns if not part}
    found = [f"{metric} [{part}]" if part else metric for metric, part in columns if not part or metric not in whole]
    return found or [said.suite]
