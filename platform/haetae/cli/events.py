"""--json-events: what happens in a run as JSON lines, for machines; docs/events.md lists the fields."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TextIO

import click
from click.exceptions import Exit

from haetae.cli.json_to import STDOUT
from haetae.core.canonical import Json, dumps, loads
from haetae.core.clock import Clock, SystemClock
from haetae.core.secrets import redact_json
from haetae.engine.watch import EndpointState, Progress
from haetae.errors import ConfigError
from haetae.workbench.report import Report, rounded

VERSION = 1
"""Of the events: raised when a field goes or changes its meaning, not when one is added."""
_APART_S = 1.0
"""Seconds between two events of progress, at least."""
_RATE = " a minute"
"""How what holds calls back ends where it is a rate: it does so between any two calls, which is no event."""
_LATER_S = 0.1
"""A wait that ends by so much later than the one before it is another one."""


class Events:
    """Writes events as they happen, each line at once. Nobody needs to read them: a pipe that closes, a disk that
    is full, end the events and not the run."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream: TextIO | None = stream
        self._clock = clock
        self._run: dict[str, Json] = {"run": None, "suite": None}
        self._told_at: float | None = None
        self._untold: Progress | None = None
        self._limits: dict[str, int] = {}
        self._waits: dict[str, float] = {}
        self._is_stopping = False

    def __call__(self, progress: Progress) -> None:
        """Tell what is new."""
        if self._run["run"] is None:
            self._run = {"run": progress.run, "suite": progress.suite}
            self._limits = dict(progress.first_limits)
            limits = [{"endpoint": place, "limit": limit} for place, limit in self._limits.items()]
            self._write("run_started", total=progress.total, done=progress.before, endpoints=limits)
        for failed in progress.failures:
            self._write(
                "sample_failed",
                sample=failed.sample_id,
                repeat=failed.repeat,
                reason=failed.reason,
                message=failed.message,
                attempts=failed.attempts,
            )
        for endpoint in progress.endpoints:
            self._endpoint(endpoint, progress.elapsed_s)
        if progress.stopping is not None and not self._is_stopping:
            self._is_stopping = True
            self._write("stopping", why=progress.stopping, in_flight=progress.in_flight)
        self._untold = progress
        if self._told_at is None or progress.elapsed_s - self._told_at >= _APART_S:
            self._progress()

    def ended(self, report: Report, exit_code: int) -> None:
        """The last events of a run that has a report."""
        said = report.as_json()
        self._progress()
        self._run = {"run": said["run"], "suite": said["suite"]}
        for note in report.notes:
            self._write("warning", message=note)
        fields = {name: said[name] for name in ("status", "note", "verdict", "accounting", "spent")}
        self._write("run_ended", **fields, error=None, exit_code=exit_code)

    def failed(self, error: BaseException, exit_code: int) -> None:
        """The last event of a command that an error ended."""
        self._progress()
        fields = dict.fromkeys(("status", "note", "verdict", "accounting", "spent"))
        told = str(error) if hasattr(error, "exit_code") else f"{type(error).__name__}: {error}"
        self._write("run_ended", **fields, error=told.rstrip(": "), exit_code=exit_code)

    def _endpoint(self, state: EndpointState, elapsed_s: float) -> None:
        before = self._limits.get(state.place)
        self._limits[state.place] = state.limit
        if before is not None and before != state.limit:
            self._write("limit_changed", endpoint=state.place, before=before, limit=state.limit)
        until = elapsed_s + state.wait_s
        held = state.wait_s > 0 and not state.why.endswith(_RATE)
        if held and until > self._waits.get(state.place, 0.0) + _LATER_S:
            self._waits[state.place] = until
            self._write("endpoint_waits", endpoint=state.place, wait_s=round(state.wait_s, 3), why=state.why)

    def _progress(self) -> None:
        progress, self._untold = self._untold, None
        if progress is None:
            return
        self._told_at = progress.elapsed_s
        endpoints = [
            {
                "endpoint": e.place,
                "in_flight": e.in_flight,
                "limit": e.limit,
                "waiting": e.waiting,
                "wait_s": round(e.wait_s, 3),
                "why": e.why,
            }
            for e in progress.endpoints
        ]
        counts = ("done", "total", "failed", "unscored", "reused", "calls", "retried", "in_flight")
        self._write(
            "progress",
            **{name: getattr(progress, name) for name in counts},
            cost_usd=rounded(progress.cost_usd),
            budget_left={name: rounded(left) for name, left in progress.budget_left.items()},
            elapsed_s=round(progress.elapsed_s, 3),
            per_s=None if progress.per_s is None else round(progress.per_s, 3),
            left_s=None if progress.left_s is None else round(progress.left_s, 3),
            endpoints=endpoints,
        )

    def _write(self, kind: str, **fields: Json) -> None:
        if self._stream is None:
            return
        event = {"type": kind, "version": VERSION, "at": self._clock.now().isoformat(), **self._run, **fields}
        try:
            self._stream.write(_printable(dumps(redact_json(event))) + "\n")
            self._stream.flush()
        except (OSError, ValueError) as exc:
            self._let_go(exc)

    def _let_go(self, why: Exception) -> None:
        """Write no more. What the stream still holds goes nowhere, so that closing it says nothing again."""
        stream, self._stream = self._stream, None
        with suppress(OSError, ValueError):
            assert stream is not None  # noqa: S101  # it was being written to
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        with suppress(OSError):
            click.echo(f"haetae: events are no longer written: {why}", err=True)


def _printable(document: str) -> str:
    """The same JSON, which turns no terminal's direction or colours: what does not print is escaped as JSON does."""
    if document.isprintable():
        return document
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in document)


def _checked(context: click.Context, parameter: click.Parameter, file: str | None) -> str | None:
    """The file's name ends in .jsonl, unless it is a pipe; nothing but earlier events is written over."""
    if file in (None, STDOUT):
        return file
    path = Path(str(file))
    if path.exists() and not path.is_file() and not path.is_dir():
        return file
    if path.suffix != ".jsonl":
        raise click.BadParameter(f"{file!r} does not end in .jsonl")
    if path.exists() and not _is_ours(path):
        raise click.BadParameter(f"{file!r} exists and holds no events of haetae; name another file")
    return file


def _is_ours(path: Path) -> bool:
    """Whether a file holds events, or nothing."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        line = stream.readline(100_000)
    try:
        first = loads(line) if line else {"type": "", "version": VERSION, "at": ""}
    except ValueError:
        return False
    return isinstance(first, Mapping) and {"type", "version", "at"} <= first.keys()


events_option = click.option(
    "--json-events",
    "events_to",
    metavar="FILE.jsonl",
    callback=_checked,
    help="Write what happens as JSON lines while it runs; - for standard output, the report then goes to standard "
    "error.",
)


def _without_waiting(file: str, flags: int) -> int:
    """Open a file, or a pipe that has a reader: one that may never come is not waited for."""
    try:
        opened = os.open(file, flags | os.O_NONBLOCK, 0o666)
    except OSError as exc:
        if exc.errno == errno.ENXIO:
            raise ConfigError(f"--json-events {file}: nobody reads from this pipe; start its reader first") from exc
        raise
    os.set_blocking(opened, True)
    return opened


@contextmanager
def writing_events(events_to: str | None) -> Iterator[Events | None]:
    """The events of one command, None for none. An error is told as the last event and goes on to its exit code.

    While events go to standard output, whatever else is printed there goes to standard error.
    """
    if events_to is None:
        yield None
        return
    with ExitStack() as stack:
        if events_to == STDOUT:
            stream = sys.stdout
            stack.enter_context(redirect_stdout(sys.stderr))
        else:
            Path(events_to).parent.mkdir(parents=True, exist_ok=True)
            stream = stack.enter_context(open(events_to, "w", encoding="utf-8", opener=_without_waiting))
        events = Events(stream, SystemClock())
        try:
            yield events
        except Exit:
            raise
        except BaseException as exc:
            events.failed(exc, getattr(exc, "exit_code", 3))
            raise


def forbid_two_documents(events_to: str | None, *others: bool) -> None:
    """Raises a usage error where standard output would hold the events and another document."""
    if events_to == STDOUT and any(others):
        raise click.UsageError("--json-events - has standard output to itself: write one of the two to a file")
