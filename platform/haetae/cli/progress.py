"""Progress: a bar when a person is watching, a few plain lines when not, nothing when asked to be quiet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from haetae.cli.events import Events
from haetae.cli.printing import plain
from haetae.engine.watch import EndpointState, Progress, Watcher

_LINES = 10
"""A plain line is printed at each tenth of the samples,"""
_SILENT_S = 30.0
"""and after as many seconds without one."""
_REDRAWN = 4
"""How often a second the bar is drawn."""


@contextmanager
def watching(quiet: bool, events: Events | None = None) -> Iterator[Watcher | None]:
    """The watcher for one run: what people see, on standard error, and the events that were asked for."""
    if quiet:
        yield events
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield _both(_unbroken(bar), events)
    else:
        yield _both(_unbroken(_lines()), events)


def _both(shown: Watcher, events: Events | None) -> Watcher:
    def watch(progress: Progress) -> None:
        shown(progress)
        if events is not None:
            events(progress)

    return watch


def _unbroken(watcher: Watcher) -> Watcher:
    """The same, which does not end the run when nobody reads standard error any more."""

    def watch(progress: Progress) -> None:
        with suppress(OSError, ValueError):
            watcher(progress)

    return watch


def _lines() -> Watcher:
    shown, shown_at = -1, 0.0

    def watch(progress: Progress) -> None:
        nonlocal shown, shown_at
        step = _LINES * progress.done // max(1, progress.total)
        if step > shown or progress.elapsed_s - shown_at >= _SILENT_S:
            shown, shown_at = step, progress.elapsed_s
            click.echo(f"{progress.done}/{progress.total} {details(progress)}", err=True)

    return watch


@contextmanager
def _bar() -> Iterator[Watcher]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    said = TextColumn("{task.fields[details]}", markup=False, table_column=Column(ratio=1))
    columns = (BarColumn(bar_width=20), MofNCompleteColumn(), said)
    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=True, expand=True, refresh_per_second=_REDRAWN) as bar:
        task = bar.add_task("samples", details="")

        def watch(progress: Progress) -> None:
            bar.update(task, completed=progress.done, total=progress.total, details=details(progress))

        yield watch


def details(progress: Progress) -> str:
    """How a run stands, in words: `41/s, 64 of 64 in flight, 2 failed, 5 unscored, $0.0120, 0:22 left`."""
    rate = progress.per_s
    if rate is None:
        rate = progress.done / progress.elapsed_s if progress.elapsed_s > 0 else 0.0
    parts = [f"{rate:.0f}/s" if rate >= 10 or not rate else f"{rate:.1f}/s"]
    several = len(progress.endpoints) > 1
    parts += [_asked(endpoint, several) for endpoint in progress.endpoints]
    parts += [f"{progress.failed} failed", f"{progress.unscored} unscored"]
    parts += [f"{progress.reused} reused"] if progress.reused else []
    parts += [f"{progress.retried} retried"] if progress.retried else []
    parts += [] if progress.cost_usd is None else [f"${progress.cost_usd:.4f}"]
    parts += [
        f"${left:.4f} of the budget left" if name == "usd" else f"{left:.0f} {name} left"
        for name, left in progress.budget_left.items()
    ]
    parts.append(f"{_clock(progress.elapsed_s)} so far")
    parts += [] if progress.left_s is None else [f"{_clock(progress.left_s)} to go"]
    return ", ".join(parts)


def _asked(endpoint: EndpointState, named: bool) -> str:
    place = f" at {plain(endpoint.place)}" if named else ""
    waits = f" (asked to wait {endpoint.wait_s:.0f} s)" if endpoint.wait_s > 0 else ""
    return f"{endpoint.in_flight} of {endpoint.limit} in flight{place}{waits}"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
