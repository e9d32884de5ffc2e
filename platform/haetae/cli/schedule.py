"""schedule preview, schedule run, schedule serve."""

from __future__ import annotations

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
    out (`missed: skip`). Two scheduled runs of a suite never overlap, and none starts while one by hand goes on.
    """


@schedule_command.command("preview")
@_places
@click.option("--count", default=5, show_default=True, type=click.IntRange(1, 1_000), help="Times of each suite.")
@click.option("--after", type=click.DateTime(), help="From this time on, in UTC; default now.")
@_json
def preview_command(places: Sequence[str], count: int, after: datetime | None, as_json: bool) -> None:
    """When the suites in files and folders (default: this one) are due next, by their own clocks and in UTC."""
    from haetae.workbench.due import both_zones, preview

    now = datetime.now(UTC) if after is None else after.replace(tzinfo=UTC)
    suites = [(loaded.suite.suite, loaded.suite.schedule) for loaded in _all_right(places)[0]]
    found = preview([(name, schedule) for name, schedule in suites if schedule is not None], now, count)
    if as_json:
        print_json([{"suite": suite, "at": at.isoformat(), "timezone": s.timezone} for at, suite, s in found])
        return
    width = max(len(suite) for _, suite, _ in found)
    click.echo(plain("\n".join(f"{suite:{width}}  {both_zones(at, schedule)}" for at, suite, schedule in found)))


@schedule_command.command("run")
@_places
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--no-track", is_flag=True, help="Tell no tracker.")
@_json
def due_command(places: Sequence[str], quiet: bool, no_track: bool, as_json: bool) -> None:
    """Run what is due now of the suites in files and folders (default: this one), one after the other, and end.

    For cron, systemd timers and anything else that starts a command every few minutes; it may be started more often,
    and on several machines at once. A run that failed for wrong input or its endpoint is tried again by the next call.

    Exit codes: the worst of the runs (2 wrong input, 1 regression, 3 no verdict), 0 where all passed or nothing was
    due.
    """
    from haetae import HaetaeError, Report, Workbench
    from haetae.errors import ConfigError
    from haetae.workbench.interrupt import by_a_signal

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
            if isinstance(said, Report):
                codes.append(said.exit_code)
                if by_a_signal(said.run):
                    break
    if as_json:
        print_json(documents)
    raise Exit(min((code for code in codes if code), key=_WORST.index, default=0))


_WORST = (2, 1, 3)


@schedule_command.command("serve")
@_places
@click.option("--at-once", default=1, show_default=True, type=click.IntRange(1, 64), help="Suites run at one time.")
def serve_command(places: Sequence[str], at_once: int) -> None:
    """Serve the suites in files and folders (default: this one) from a Prefect server until Ctrl-C.

    Each is a deployment `nightly/SUITE` on the server that PREFECT_API_URL names, with its runs, reports and next
    times. What was missed while nothing served is run at the start, as the suite declares.
    """
    from haetae import Workbench
    from haetae.errors import ConfigError, MissingExtra
    from haetae.workbench.due import due_of

    try:
        from haetae.flows import serving
    except ModuleNotFoundError as exc:
        raise MissingExtra("prefect", "prefect") from exc
    suites, settings = _all_right(places)
    if (server := serving.server()) is None:
        raise ConfigError(
            "no Prefect server is named: start one with prefect server start and set "
            "PREFECT_API_URL=http://127.0.0.1:4200/api; without one, start haetae schedule run every few minutes"
        )
    now, served = datetime.now(UTC), []
    with Workbench(settings) as bench:
        for loaded in suites:
            name, schedule = loaded.suite.suite, loaded.suite.schedule
            assert schedule is not None  # noqa: S101  # those without one were left out
            turn = bench.ledger.turn(name)
            found = None if turn is None else due_of(schedule, turn, now)
            waiting = None if found is None else found.at
            served.append(serving.Served(name, str(loaded.path), schedule.cron, schedule.timezone, waiting))
    click.echo(plain(f"serving {', '.join(each.suite for each in served)} from {server}; stop with Ctrl-C"))
    serving.serve(served, at_once)


def _scheduled(places: Sequence[str]) -> tuple[Sequence[LoadedSuite], Settings, Sequence[Problem]]:
    from haetae import load_settings
    from haetae.workbench.scheduled import scheduled

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
