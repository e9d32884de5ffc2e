"""Runs what is due of a suite: of all who would one takes its turn, runs it, and says what came of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from haetae.catalog.suite_file import load_suite
from haetae.core.ledger import Ledger
from haetae.core.run import RunStatus
from haetae.core.turn import TakenTurn, Turn
from haetae.engine.watch import Watcher
from haetae.store.sql import SqlLedger
from haetae.workbench.interrupted import by_a_signal
from haetae.workbench.leasing import kept_turn
from haetae.workbench.report import Report
from haetae.workbench.resuming import way_on
from haetae.workbench.schedules.due import Due, NotDue, Unchanged, both_zones, next_due
from haetae.workbench.schedules.turn import Standing, standing

if TYPE_CHECKING:
    from haetae.workbench.face.evaluating import Evaluating

_TRIED_FOR = timedelta(days=1)
"""How long after its start a run whose endpoint is away is gone on with, where nothing comes due before."""


def run_due(
    bench: Evaluating,
    suite: Path,
    asked: datetime | None,
    demanded: datetime | None,
    watcher: Watcher | None,
    track: bool,
) -> Report | NotDue | Unchanged:
    """`run_due` of `haetae.workbench.bench.Workbench`."""
    at = standing(bench.ledger, load_suite(suite, bench.settings.env), bench.settings.home, bench.settings.env, asked)
    found = at.due if demanded is None else _with(min(demanded, at.now), at.due, at.turn)

    def not_due(why: str, *served: datetime, busy: bool = False) -> NotDue:
        why = "; ".join((why, *at.notes))
        return NotDue(at.suite, why, at.next_due(*served), at.schedule, at.asked, busy)

    if found is None:
        return not_due("nothing is due")
    when, tag = both_zones(found.at, at.schedule), {"due": found.at.isoformat()}
    if found.missed and (missed := found.note(at.schedule, at.now)):
        tag["missed"] = missed  # people are told of it with the run
    taken = bench.ledger.take_turn(at.suite, found.at, at.line, at.file)
    if taken.came is TakenTurn.SERVED:
        return not_due(f"what was due at {when} is served already", found.at)
    if taken.came is TakenTurn.BUSY:
        return not_due(f"it is being run by {taken.by}; what was due at {when} waits for that to end", busy=True)
    served = False
    try:
        with kept_turn(bench.ledger, at.suite):
            if at.schedule.missed == "skip" and found.is_late(at.now, at.grace):
                served = True
                return not_due(f"what was due at {when} was missed and is left out, as declared", found.at)
            if _is_done(bench.ledger, at.suite, found.at):  # who did it died before it could say so
                served = True
                return not_due(f"what was due at {when} is served already", found.at)
            _end_the_dead(bench.ledger, at, tag["due"])
            report = bench.run(suite, fresh=True, unless_unchanged=True, watcher=watcher, tags=tag, track=track)
            served = not (by_a_signal(report.run) or _goes_on(bench.ledger, report))
    finally:
        bench.ledger.end_turn(at.suite, served=served)
    if report.run.tags.get("due") != tag["due"]:
        said = tuple(filter(None, (_late(at, found, report.run.id), *at.notes)))
        return Unchanged(at.suite, report, found.at, at.next_due(found.at), at.schedule, said)
    said = tuple(filter(None, (found.note(at.schedule, at.now), _too_long(bench.ledger, at, found), *at.notes)))
    return replace(report, notes=(*said, *report.notes))


def leave_out(bench: Evaluating, suite: Path) -> NotDue:
    """`leave_out` of `haetae.workbench.bench.Workbench`."""
    at = standing(bench.ledger, load_suite(suite, bench.settings.env), bench.settings.home, bench.settings.env)
    why, found = "nothing is due", at.due
    if found is not None:
        taken = bench.ledger.take_turn(at.suite, found.at, at.line, at.file)
        if taken.came is TakenTurn.TAKEN:
            bench.ledger.end_turn(at.suite, served=True)
        left = f"is being run by {taken.by}" if taken.came is TakenTurn.BUSY else "is left out"
        why = f"what was due at {both_zones(found.at, at.schedule)} {left}"
    return NotDue(at.suite, why, at.next_due(), at.schedule)


def _with(demanded: datetime, found: Due | None, turn: Turn) -> Due | None:
    """What is due, where a run was demanded at a time whatever the schedule says: one of that time or later does."""
    if demanded <= turn.due_at or (found is not None and found.at >= demanded):
        return found
    return Due(demanded) if found is None else replace(found, at=demanded, begun=False)


def _goes_on(ledger: Ledger, report: Report) -> bool:
    """Whether the next call shall go on with a run: what stopped it may pass, and what was answered is kept."""
    return report.may_pass and ledger.now() - report.run.started_at < _TRIED_FOR


def _is_done(ledger: Ledger, suite: str, due_at: datetime) -> bool:
    """Whether a run of that time is finished and its report made."""
    runs = (run for run in ledger.runs(suite, limit=10) if run.tags.get("due") == due_at.isoformat())
    return any(run.status is RunStatus.FINISHED and ledger.estimates(run.id) for run in runs)


def _end_the_dead(ledger: SqlLedger, at: Standing, due: str) -> None:
    """Runs of other times whose process died are ended: this one stands for them. Whoever has the turn may do so."""
    for left in ledger.unfinished_runs():
        run, other = left.run, left.run.tags.get("due")
        died = run.suite == at.suite and run.status is RunStatus.RUNNING and left.worked_on_by is None
        if died and other not in (None, due) and not ledger.shards(run.id):
            why = f"its process died, and the run of what was due at {due} stands for it. Go on with it: {way_on(run)}"
            ledger.resume(run.id)
            ledger.finish(run.id, RunStatus.INTERRUPTED, at.now, why)


def _late(at: Standing, found: Due, stands: str) -> str | None:
    """What is said of a time of which no run was made, where it or others before it were missed."""
    if not found.missed:
        return found.note(at.schedule, at.now)
    return f"missed: nothing came of what was due at {found.listed(at.schedule)}; {stands} stands for all of it"


def _too_long(ledger: Ledger, at: Standing, found: Due) -> str | None:
    """What is said of a run that went on when its suite was due again."""
    again = next_due(at.schedule, max(found.at, at.now))
    if ledger.now() < again:
        return None
    return (
        f"too long: it was due again at {both_zones(again, at.schedule)}, before this run ended; of all that comes due "
        "during a run one run is made. Where that is every time, let it come due less often"
    )
