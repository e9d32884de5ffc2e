"""`haetae demo`: a month of nightly runs, played in minutes on the embedded server; then the dashboard."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import click

from haetae.demo.server import DemoServer
from haetae.demo.story import URL, Story
from haetae.demo.telling import introduction
from haetae.errors import MissingExtra
from haetae.settings import Settings, load_settings
from haetae.workbench.bench import Workbench


@dataclass
class NightClock:
    """Tells the date of the night being played; durations are the machine's own."""

    night: datetime
    _base: float = 0.0

    def now(self) -> datetime:
        """The night, moving on as the machine's clock does."""
        return self.night + timedelta(seconds=time.monotonic() - self._base)

    def monotonic(self) -> float:
        """The machine's own."""
        return time.monotonic()

    def turn(self, night: datetime) -> None:
        """Another night begins."""
        self.night, self._base = night, time.monotonic()


def play(folder: Path | None, nights: int, port: int | None) -> None:
    """Play the month, or what is left of it, print a line a run, then serve the dashboard.

    `port` is the dashboard's, another free one where it is taken; None serves none. Raises MissingExtra
    before anything is played when there is no dashboard to serve.
    """
    settings = load_settings()
    home = (folder or settings.home / "demo").absolute()
    address = None
    if port is not None:
        if find_spec("streamlit") is None:
            raise MissingExtra("streamlit", "dashboard")
        port = _available(port)
        address = f"http://127.0.0.1:{port}"
    with _serving() as server:
        env = {**settings.env, URL: server.base_url}
        settings = Settings(
            home=home, ledger=f"sqlite:///{home / 'ledger.db'}", mlflow=f"sqlite:///{home / 'mlflow.db'}", env=env
        )
        clock = NightClock(datetime.now(UTC))
        with Workbench(settings, clock=clock) as bench:
            story = Story(bench, clock, server, nights)
            click.echo(introduction(nights, home, address))
            with _stopping() as stop:
                story.play(stop)
    if port is not None:
        from haetae.dashboards.asgi import serve

        click.echo(f"\nThe dashboard listens on {address} until you press Ctrl-C.")
        serve(port=port, ledger_url=settings.ledger)


def _available(port: int) -> int:
    """The port, or a free one where it cannot be had."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """The event that Ctrl-C sets meanwhile."""
    stop = threading.Event()

    def ask(*_: object) -> None:
        click.echo("  (stopping after this run)")
        stop.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _serving() -> Iterator[DemoServer]:
    """The demonstration server in a thread with an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="haetae-demo-server", daemon=True)
    thread.start()
    server = DemoServer()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
