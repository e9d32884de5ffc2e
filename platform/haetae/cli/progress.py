"""Progress: a bar when a person is watching, plain lines when not, nothing when asked to be quiet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from haetae.engine.watch import Progress, Watcher

_LINES = 10
"""How many plain lines a run prints at most."""


@contextmanager
def watching(quiet: bool) -> Iterator[Watcher | None]:
    """The watcher for one run, on standard error."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as watcher:
            yield watcher
    else:
        yield _lines()


def _lines() -> Watcher:
    shown = -1

    def watch(progress: Progress) -> None:
        nonlocal shown
        step = _LINES * progress.done // max(1, progress.total)
        if step > shown:
            shown = step
            click.echo(f"{progress.done}/{progress.total} {_details(progress)}", err=True)

    return watch


@contextmanager
def _bar() -> Iterator[Watcher]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[details]}"), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("samples", details="")

        def watch(progress: Progress) -> None:
            bar.update(task, completed=progress.done, total=progress.total, details=_details(progress))

        yield watch


def _details(progress: Progress) -> str:
    rate = progress.done / progress.elapsed_s if progress.elapsed_s > 0 else 0.0
    cost = "" if progress.cost_usd is None else f", ${progress.cost_usd:.4f}"
    reused = f", {progress.reused} reused" if progress.reused else ""
    return f"{rate:.0f}/s, {progress.failed} failed, {progress.unscored} unscored{reused}{cost}"
