"""Which run to go on with, and where its suite lies: every run remembers the file that it was started from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from haetae.core.run import Run, RunStatus, Unfinished
from haetae.errors import ConfigError
from haetae.store.sql import SqlLedger
from haetae.workbench.instead import Instead

_FILE, _SKIPS, _GIVEN = "suite_file", "skip_bad", "rows_given"
_MOST_LISTED = 10
KILLED = "killed"
"""How a run stands that began, has no end, and that nobody works on."""


def origin(suite_file: Path, home: Path, skip_bad: bool, given: bool, instead: Instead) -> dict[str, str]:
    """The tags that say how a run was started. The file is told from the ledger's home: both may move together."""
    try:
        place = os.path.relpath(suite_file, home)
    except ValueError:  # on another drive
        place = str(suite_file)
    return {_FILE: place, **{name: "yes" for name, so in ((_SKIPS, skip_bad), (_GIVEN, given)) if so}, **instead.tags}


def way_on(run: Run) -> str:
    """How a run is continued: by a command, or by the program that gave it its rows."""
    if _GIVEN in run.tags:
        said = "".join(f', {field}="{text}"' for field, text in Instead.of_run(run).given.items())
        return f'bench.run("{Path(run.tags[_FILE]).name}", dataset=rows{said})'
    return f"haetae resume {run.id}"


def suite_of(run: Run, home: Path, by: str | None = None) -> Path:
    """The suite file that a run was started from. `by` is the command in which another file can be named.

    Raises ConfigError when the run or the disk does not have it.
    """
    if _GIVEN in run.tags:
        raise ConfigError(f"{run.id} was given its rows by a program, which alone can go on with it: {way_on(run)}")
    with_these = "".join(f" --{field} {text}" for field, text in Instead.of_run(run).given.items())
    told = f"name it: {by or f'haetae run SUITE --resume {run.id}{with_these}'}"
    if _FILE not in run.tags:
        raise ConfigError(f"{run.id} does not know which suite file it was started from; {told}")
    file = Path(os.path.normpath(home / run.tags[_FILE]))
    if not file.exists():
        raise ConfigError(f"{run.id} was started from {file} (seen from {home}), which is not there; {told}")
    return file


def skips_bad(run: Run) -> bool:
    """Whether the run was started with samples left out that cannot be read."""
    return _SKIPS in run.tags


def newest(unfinished: Sequence[Unfinished]) -> Run:
    """The newest run that did not finish and that nobody works on, and whose rows lie in a file where there is such a
    one. Raises ConfigError when there is none."""
    free = [one.run for one in unfinished if one.worked_on_by is None]
    if free:
        return min(free, key=lambda run: _GIVEN in run.tags)
    if not unfinished:
        raise ConfigError("there is no run to continue: every run is finished")
    raise ConfigError("\n".join(["there is no run to continue; these are being worked on:", *lines(unfinished)]))


def status_of(run: Run, ledger: SqlLedger) -> str:
    """Where a run stands, in a word; only of one that is said to be running the ledger is asked who works on it."""
    if run.status is not RunStatus.RUNNING:
        return run.status.value
    return next((_status(one) for one in ledger.unfinished_runs() if one.run.id == run.id), run.status.value)


def _status(one: Unfinished) -> str:
    abandoned = one.run.status is RunStatus.RUNNING and one.worked_on_by is None
    return KILLED if abandoned else one.run.status.value


def lines(unfinished: Sequence[Unfinished]) -> list[str]:
    """One line for each run that did not finish: how far it came, and who works on it."""
    listed = [
        f"  {one.run.id}  {_status(one)}, {one.answered:,} of {one.run.total:,} answered"
        + (f", worked on by {one.worked_on_by}" if one.worked_on_by else "")
        for one in unfinished[:_MOST_LISTED]
    ]
    more = len(unfinished) - _MOST_LISTED
    return [*listed, f"  and {more} older"] if more > 0 else listed
