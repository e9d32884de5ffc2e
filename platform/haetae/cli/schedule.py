"""schedule preview, schedule run, schedule serve, schedule work."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from haetae.cli.printing import plain, print_json
from haetae.cli.progress import watching

if TYPE_CHECKING:
    from collections.abc import Sequence

    from haetae import Settings
    from haetae.catalog.suite_file import LoadedSuite
    from haetae.errors import Problem

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_places = click.argument("places", nargs=-1, type=click.Path(exists=True), metavar="[SUITE|FOLDER]...")


@click.group("schedule")
def schedule_command() -> None:
    """Suites by their `schedule:` when they are due, what is due now, and a process that serves them.

    \b
        schedule: { cron: "0 6 * * *", timezone: Asia/Seoul, missed: once }

    Where the clock is put forward, a time that is left out comes at the first minute after; where it is put back, a
    time that comes twice is served once. What was due while nothing could run is run once (`missed: once`) or left
    out (`missed: skip`). Where a model in this process or recorded outputs and all metrics are sure to give the same
    answers and scores again, and nothing has changed, nothing is run. Two scheduled runs of a suite never overlap; none
    starts while one by hand goes on, and none by hand while a scheduled one does.
    """


@schedule_command.command("preview")
@_places
@click.option("--count", default=5, show_default=True, type=click.IntRange(1, 1_000), help="Times of each suite.")
@click.option("--after", type=click.DateTime(), help="From this time on, in UTC; default now.")
@_json
def preview_command(places: Sequence[str], count: int, after: datetime | None, as_json: bool) -> None:
    """When the suites in files and folders (default: this one) are due next, by their own clocks and in UTC."""
    from haetae.workbench.schedules.due import both_zones, preview

    now = datetime.now(UTC) if after is None else after.replace(tzinfo=UTC)
    suites = [(loaded.suite.suite, loaded.suite.schedule) for loaded in _all_right(places)[0]]
    found = preview([(name, schedule) for name, schedule in suites if schedule is not None], now, count)
    if as_json:
        print_json([{"suite": suite, "at": at.isoformat(), "timezone": s.timezone} for at, suite, s in found])
        return
    if not found:
        click.echo(f"nothing comes due between {now:%Y-%m-%d %H:%M} UTC and the end of the year 9999")
    width = max((len(suite) for _, suite, _ in found), default=0)
    for at, suite, schedule in found:
        click.echo(plain(f"{suite:{width}}  {both_zones(at, schedule)}"))


@schedule_command.command("run")
@_places
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--no-track", is_flag=True, help="Tell no tracker.")
@_json
def due_command(places: Sequence[str], quiet: bool, no_track: bool, as_json: bool) -> None:
    """Run what is due now of the suites in files and folders (default: this one), one after the other, and end.

    For cron, systemd timers and anything else that starts a command every few minutes; it may be started more often or
    less, and on several machines at once. What failed for wrong input, and a run that was stopped by an endpoint that
    is away, is tried again by the next call: until it is due again, and for a day at most.

    Exit codes: the worst of the runs (2 wrong input, 1 regression, 3 no verdict), 0 where all passed or nothing was
    due. What is unchanged has that of the run that stands for it.
    """
    from haetae import HaetaeError, Report, Workbench
    from haetae.errors import ConfigError
    from haetae.workbench.interrupted import by_a_signal
    from haetae.workbench.schedules.due import NotDue

    suites, settings, problems = _scheduled(places)
    codes, documents = [], []
    if problems:  # the other suites have their turn all the same
        click.echo(plain(f"haetae: {ConfigError(problems)}"), err=True)
        codes.append(ConfigError.exit_code)
    with Workbench(settings) as bench, watching(quiet, None) as watcher:
        for loaded in suites:
            try:
                said = bench.run_due(loaded.path, watcher=watcher, track=not no_track)
            except HaetaeError as exc:  # the next suite has its turn all the same
                click.echo(plain(f"haetae: {loaded.suite.suite}: {exc}"), err=True)
                codes.append(exc.exit_code)
                continue
            documents.append(said.as_json())
            if not as_json:
                click.echo(plain(said.text))
            if not isinstance(said, NotDue):
                codes.append(said.exit_code)
            if isinstance(said, Report) and by_a_signal(said.run):
                break
    if as_json:
        print_json(documents)
    raise Exit(min((code for code in codes if code), key=_WORST.index, default=0))


_WORST = (2, 1, 3)


@schedule_command.command("serve")
@_places
@click.option("--at-once", default=1, show_default=True, type=click.IntRange(1, 64), help="Suites run at one time.")
@click.option("--take-over", is_flag=True, help="Also what another process serves; that one ends.")
def serve_command(places: Sequence[str], at_once: int, take_over: bool) -> None:
    """Serve the suites in files and folders (default: this one) from a Prefect server until Ctrl-C.

    Each is a deployment `nightly/SUITE (served)` on the server that PREFECT_API_URL names, with its runs, reports and
    next times; those of haetae deploy stay as they are. What was missed while nothing served is run at the start, as
    the suite declares. A server that is away is waited for. One process serves a suite, and a second one is refused.
    """
    from haetae import Workbench
    from haetae.errors import MissingExtra
    from haetae.workbench.schedules.turn import standing

    try:
        from haetae.flows import serving
    except ModuleNotFoundError as exc:
        raise MissingExtra("prefect", "prefect") from exc
    suites, settings = _all_right(places)
    server = _server("without one, start haetae schedule run every few minutes")
    serving.reach()
    served = []  # only now: what came due while the server was waited for is missed as well
    with Workbench(settings) as bench:
        for loaded in suites:
            name, schedule = loaded.suite.suite, loaded.suite.schedule
            assert schedule is not None  # noqa: S101  # those without one were left out
            known = bench.ledger.turn(name) is not None
            found = standing(bench.ledger, loaded, settings.home, settings.env).due if known else None
            waiting = None if found is None else found.at
            served.append(serving.Served(name, str(loaded.path), schedule.cron, schedule.timezone, waiting))
    begun = f"serving {', '.join(each.suite for each in served)} from {server}; stop with Ctrl-C"
    serving.serve(served, at_once, lambda: click.echo(plain(begun)), take_over=take_over)


@schedule_command.command("work")
@click.option("--pool", default="haetae", show_default=True, metavar="NAME", help="The work pool, of type process.")
@click.option("--at-once", type=click.IntRange(1, 64), help="Flow runs at one time; default as many as there are.")
@click.option("--healthcheck", is_flag=True, help="Answer GET /health on PREFECT_WORKER_WEBSERVER_PORT (8080).")
def work_command(pool: str, at_once: int | None, healthcheck: bool) -> None:
    """Run what haetae deploy has put on the Prefect server, as a worker of a pool, until Ctrl-C.

    As prefect worker start does; told to stop, it lets runs under way keep what they have done and say so. A server
    that is away is waited for; a pool that is not there is refused.
    """
    from haetae.errors import MissingExtra

    os.environ.setdefault("PREFECT_WORKER_WEBSERVER_HOST", "127.0.0.1")  # Prefect's own default is every address
    try:
        from haetae.flows import pool_worker
    except ModuleNotFoundError as exc:
        raise MissingExtra("prefect", "prefect") from exc
    begun = f"working for {pool} of {_server('haetae deploy has put the suites there')}; stop with Ctrl-C"
    pool_worker.work(pool, at_once, healthcheck, lambda: click.echo(plain(begun)))


def _server(otherwise: str) -> str:
    """The address of the Prefect server. Raises ConfigError where none is named."""
    from haetae.errors import ConfigError
    from haetae.flows.server import server

    address: str | None = server()
    if address is None:
        raise ConfigError(
            "no Prefect server is named: start one with prefect server start and set "
            f"PREFECT_API_URL=http://127.0.0.1:4200/api; {otherwise}"
        )
    return address


def _scheduled(places: Sequence[str]) -> tuple[Sequence[LoadedSuite], Settings, Sequence[Problem]]:
    from haetae import load_settings
    from haetae.workbench.schedules.scheduled import scheduled

    settings = load_settings()
    found, problems = scheduled(places or ["."], settings.env)
    return found, settings, problems


def _all_right(places: Sequence[str]) -> tuple[Sequence[LoadedSuite], Settings]:
    """Raises ConfigError with every mistake."""
    from haetae.errors import ConfigError

    found, settings, problems = _scheduled(places)
    if problems:
        raise ConfigError(problems)
    return found, settings
