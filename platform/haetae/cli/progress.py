"""Progress: a bar when a person is watching, a few plain lines when not, nothing when asked to be quiet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from haetae.cli.events import Events
from haetae.cli.printing import plain
from haetae.engine.watch import EndpointState, Progress, Watcher
from haetae.workbench.words import clock

_LINES = 10
"""A plain line is printed at each tenth of the samples, at most one a second,"""
_APART_S = 1.0
_SILENT_S = 30.0
"""and after as many seconds without one."""
_REDRAWN = 4
"""How often a second the bar is drawn."""


@contextmanager
def watching(quiet: bool, events: Events | None = None) -> Iterator[Watcher | None]:
    """The watcher for one run: what people see, on standard error, and the events that were asked for."""
    if quiet:
        yield events
    else:
        with _bar() if sys.stderr.isatty() else _lines() as shown:
            yield _both(_unbroken(shown), events)


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


@contextmanager
def _lines() -> Iterator[Watcher]:
    step, shown_at, said = -1, 0.0, False
    unshown: Progress | None = None

    def show(progress: Progress) -> None:
        click.echo(f"{_done(progress)}  {details(progress)}", err=True)

    def watch(progress: Progress) -> None:
        nonlocal step, shown_at, said, unshown
        if progress.stopping is not None and not said:
            said = True
            click.echo(stopping(progress), err=True)
        unshown = progress
        tenth = _LINES * progress.done // max(1, progress.total)
        after_s = progress.elapsed_s - shown_at
        if step < 0 or (tenth > step and after_s >= _APART_S) or after_s >= _SILENT_S:
            step, shown_at, unshown = tenth, progress.elapsed_s, None
            show(progress)

    yield watch
    if unshown is not None:
        with suppress(OSError, ValueError):
            show(unshown)


@contextmanager
def _bar() -> Iterator[Watcher]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    done = TextColumn("{task.fields[done]}", markup=False)
    said = TextColumn("{task.fields[details]}", markup=False, table_column=Column(ratio=1))
    columns = (BarColumn(bar_width=20), done, said)
    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=True, expand=True, refresh_per_second=_REDRAWN) as bar:
        task = bar.add_task("samples", total=None, done="", details="")
        was_said = False

        def watch(progress: Progress) -> None:
            nonlocal was_said
            if progress.stopping is not None and not was_said:
                was_said = True
                bar.console.print(stopping(progress), markup=False, highlight=False)
            told = details(progress)
            bar.update(task, completed=progress.done, total=progress.total, done=_done(progress), details=told)

        yield watch


def stopping(progress: Progress) -> str:
    """What the first Ctrl-C is answered: `stopping: 32 calls under way have 4 s to finish; Ctrl-C again breaks …`."""
    from haetae.workbench.interrupt import GRACE_S
    from haetae.workbench.interrupted import INTERRUPTED

    calls = progress.in_flight
    what = {0: "what is under way has", 1: "1 call under way has"}.get(calls, f"{calls:,} calls under way have")
    said = f"stopping: {what} {GRACE_S:g} s to finish"
    if progress.stopping != INTERRUPTED:
        return f"{plain(progress.stopping or '')}; {said}"
    return f"{said}; Ctrl-C again breaks {'them' if calls > 1 else 'it'} off"


def _done(progress: Progress) -> str:
    return f"{progress.done:,}/{progress.total:,}"


def details(progress: Progress) -> str:
    """How a run stands, in few words: `69/s  31 of 32 calls  2 failed  $0.043  0:10, 0:05 to go`."""
    rate = progress.per_s
    if rate is None:
        rate = progress.done / progress.elapsed_s if progress.elapsed_s > 0 else 0.0
    parts = [f"{rate:,.0f}/s" if rate >= 10 or not rate else f"{rate:.1f}/s"]
    several = len(progress.endpoints) > 1
    parts += [_asked(endpoint, several) for endpoint in progress.endpoints]
    counts = ("failed", "unscored", "reused", "retried")
    parts += [f"{count:,} {name}" for name in counts if (count := getattr(progress, name))]
    parts += [] if progress.cost_usd is None else [_dollars(progress.cost_usd)]
    parts += [
        f"{_dollars(left)} of the budget left" if name == "usd" else f"{left:,.0f} {name} left"
        for name, left in progress.budget_left.items()
    ]
    to_go = "" if progress.left_s is None else f", {clock(progress.left_s)} to go"
    parts.append(f"{clock(progress.elapsed_s)}{to_go}")
    return "  ".join(parts)


def _asked(endpoint: EndpointState, named: bool) -> str:
    place = f" at {plain(endpoint.place)}" if named else ""
    calls = f"{endpoint.in_flight:,} of {endpoint.limit:,} calls{place}"
    if not endpoint.waiting:
        return calls
    seconds = f" {endpoint.wait_s:.0f} s" if endpoint.wait_s >= 1 else ""
    why = f" ({plain(endpoint.why)})" if endpoint.why else ""
    return f"{calls}, {endpoint.waiting:,} wait{'s' if endpoint.waiting == 1 else ''}{seconds}{why}"


def _dollars(usd: float) -> str:
    return f"${usd:,.2f}" if usd >= 10 else f"${usd:.3f}" if usd >= 0.01 else f"${usd:.5f}"
