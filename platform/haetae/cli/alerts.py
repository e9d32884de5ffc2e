"""alerts list, alerts test, alerts check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from haetae.cli.printing import plain, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from haetae.core.alert import AddressTold, RaisedAlert
    from haetae.core.canonical import Json

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group("alerts")
def alerts_command() -> None:
    """What people were told, whether their addresses work, and suites that nobody runs any more.

    \b
        HAETAE_ALERTS="slack://… mailtos://…"   whom, as URLs of Apprise; it is kept nowhere
        HAETAE_ALERTS_ALLOW="10.1.0.0/16"       what may be reached although it is not public
        HAETAE_LINK="https://haetae.example"    the dashboard, for links

    Scheduled runs tell: of a regression, of an alarm of the watch over the nights, of their end, of no verdict, of
    times that were missed, of a budget that was reached; one message for each change. So do runs with haetae run
    --alert.
    """


@alerts_command.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="So many, newest first.")
@_json
def list_command(limit: int, as_json: bool) -> None:
    """What was raised, who was told, and who was not and why."""
    from haetae import Workbench

    with Workbench(readonly=True) as bench:
        found = bench.ledger.alerts(limit)
    if as_json:
        print_json([_document(one) for one in found])
        return
    rows = [
        (f"{one.raised_at:%Y-%m-%d %H:%M}", one.alert.title, one.alert.run_id or "", _said(told))
        for one in found
        for told in (one.told or (None,))
    ]
    print_table(("raised (UTC)", "alert", "run", "told"), rows)


@alerts_command.command("test")
def test_command() -> None:
    """Send a message to every address of HAETAE_ALERTS, and say which took it.

    Exit codes: 0 where all did, 3 where one did not.
    """
    from haetae import Workbench, load_settings
    from haetae.errors import ConfigError

    settings, failed = load_settings(), 0
    if not settings.alerts:
        raise ConfigError("HAETAE_ALERTS names no address; set it to URLs of Apprise, as slack://… or mailtos://…")
    with Workbench(settings) as bench:
        for name, why in bench.test_alerts():
            click.echo(plain(f"{name}: told" if why is None else f"{name}: not told: {why}"))
            failed += why is not None
    raise Exit(3 if failed else 0)


@alerts_command.command("check")
@click.argument("places", nargs=-1, type=click.Path(exists=True), metavar="[SUITE|FOLDER]...")
@_json
def check_command(places: Sequence[str], as_json: bool) -> None:
    """Tell people of the suites in files and folders (default: this one) that are due and that nobody runs.

    To be started every hour, by something else than what starts haetae schedule. Each outage is one message, and its
    end is one. Exit codes: 0 where all are served, 3 where one is not, 2 for wrong input.
    """
    from haetae import Workbench

    with Workbench() as bench:
        found = bench.overdue(*(places or (".",)))
    if as_json:
        print_json([one.as_json() for one in found])
    else:
        click.echo(plain("\n".join(one.text for one in found) or "all schedules are served"))
    raise Exit(3 if found else 0)


def _said(told: AddressTold | None) -> str:
    if told is None:
        return "nobody yet"
    if told.delivered_at is not None:
        return f"{told.address}: {told.delivered_at:%Y-%m-%d %H:%M}"
    why = f": {told.last_error}" if told.last_error else ""
    return f"{told.address}: not yet, {told.tries} tried{why}"


def _document(one: RaisedAlert) -> Json:
    told = [
        {
            "address": each.address,
            "tries": each.tries,
            "delivered_at": None if each.delivered_at is None else each.delivered_at.isoformat(),
            "last_error": each.last_error,
        }
        for each in one.told
    ]
    alert = one.alert
    raised = {"kind": alert.kind.value, "suite": alert.suite, "run": alert.run_id, "title": alert.title}
    return {**raised, "text": alert.text, "raised_at": one.raised_at.isoformat(), "told": told}
