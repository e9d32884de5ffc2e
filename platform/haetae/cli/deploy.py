"""deploy: the suites of a project as deployments of a Prefect server, for workers of a pool."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

import click

from haetae.cli.printing import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from haetae.flows.planning import Night


@click.command("deploy")
@click.argument("places", nargs=-1, type=click.Path(exists=True), metavar="[SUITE|FOLDER]...")
@click.option("--pool", default="haetae", show_default=True, metavar="NAME", help="The work pool; made if need be.")
@click.option("--type", "kind", metavar="TYPE", help="Its type where it has to be made: process (default), docker, ...")
@click.option("--project", metavar="NAME", help="Of evaluate/NAME and the others; default: this folder's name.")
@click.option("--folder", metavar="PATH", help="Where the workers find this folder; default: where it is here.")
@click.option("--keep-days", type=click.IntRange(1), metavar="N", help="Runs that tidy keeps; default: all of them.")
@click.option("--take-over", is_flag=True, help="Also deployments of another folder or project: this one has moved.")
@click.option("--write", metavar="FILE", help="Write it all as a prefect.yaml, and ask no server.")
def deploy_command(
    places: Sequence[str],
    pool: str,
    kind: str | None,
    project: str | None,
    folder: str | None,
    keep_days: int | None,
    take_over: bool,
    write: str | None,
) -> None:
    """Put the suites in files and folders (default: this one) on the Prefect server that PREFECT_API_URL names.

    Each suite with a schedule becomes a deployment nightly/SUITE, which runs again when an alias that it names moves;
    evaluate, shard, gate, watch, deliver and tidy are there once for the project, also where no suite has a schedule,
    which is said. Deploying again brings them up to date; a
    suite that has no schedule any more is paused. The ledger is brought to this version first. Workers run them:
    haetae schedule work --pool haetae

    A worker goes to this folder first (--folder where it lies elsewhere on its machine); its own environment says
    where the ledger is (HAETAE_HOME, HAETAE_LEDGER), and has the keys.
    """
    from haetae import load_settings
    from haetae.errors import ConfigError, MissingExtra

    try:
        from haetae.flows import planning, prefect_file
        from haetae.flows.server import server
    except ModuleNotFoundError as exc:
        raise MissingExtra("prefect", "prefect") from exc
    here = Path.cwd()
    name, where = here.name if project is None else project, str(here) if folder is None else folder
    _check_names(name, where, pool)
    nights = _nights(places or ["."], here)
    plan = planning.planned(nights, name, keep_days)
    if write is not None:
        try:
            Path(write).write_text(prefect_file.prefect_file(plan, name, where, pool), "utf-8")
        except OSError as exc:
            raise ConfigError(f"{write} cannot be written: {exc.strerror}") from exc
        said = [f"{write}: {len(plan)} deployments; apply them with: prefect --no-prompt deploy --all"]
        click.echo(plain("\n".join([*said, *_without_nights(nights, places)])))
        return
    if server() is None:
        raise ConfigError(
            "no Prefect server is named: start one with prefect server start and set "
            "PREFECT_API_URL=http://127.0.0.1:4200/api; to write a prefect.yaml without one: haetae deploy --write"
        )
    from haetae.flows.deploying import deploy
    from haetae.flows.owning import Owner
    from haetae.store.sql import open_ledger

    open_ledger(load_settings().ledger).close()  # workers that find it old would all bring it to this version at once
    inside = [os.path.relpath(place, here) for place in places or ["."]]
    said = [*deploy(plan, Owner(where, name), inside, pool, kind, take_over=take_over)]
    click.echo(plain("\n".join([*said, *_without_nights(nights, places)])))


def _without_nights(nights: Sequence[Night], places: Sequence[str]) -> Sequence[str]:
    """What is said where no suite has a schedule: all but nights is there, and waits for the first one."""
    from haetae.workbench.schedules.due import A_SCHEDULE
    from haetae.workbench.schedules.scheduled import nothing_scheduled

    if nights:
        return []
    nothing = nothing_scheduled(places or ["."])
    return [f"{nothing}: no night is deployed. Add one to a suite, and deploy again: {A_SCHEDULE}"]


def _check_names(project: str, folder: str, pool: str) -> None:
    """Raises ConfigError for what the server or the workers could not take, before anything is made."""
    from haetae.errors import ConfigError, Problem
    from haetae.flows.allowed_names import name_fault, pool_fault

    found = {"--project": name_fault(project), "--pool": pool_fault(pool)}
    if not (PurePosixPath(folder).is_absolute() or PureWindowsPath(folder).is_absolute()):
        found["--folder"] = f"{folder!r} says nothing to a worker that starts elsewhere: expected a path from the root"
    if problems := [Problem(fault, field=option) for option, fault in found.items() if fault]:
        raise ConfigError(problems)


def _nights(places: Sequence[str], here: Path) -> list[Night]:
    """The suites that have a schedule. Raises ConfigError with every mistake, and for one outside this folder."""
    from haetae import load_settings
    from haetae.errors import ConfigError, Problem
    from haetae.flows.allowed_names import name_fault
    from haetae.flows.planning import Alias, Night
    from haetae.workbench.aliases import aliases_of
    from haetae.workbench.schedules.scheduled import scheduled_if_any

    found, problems = scheduled_if_any(places, load_settings().env)
    outside = [loaded.path for loaded in found if not loaded.path.resolve().is_relative_to(here.resolve())]
    said = f"it lies outside {here}, from where workers read the suites: start haetae deploy in a folder above both"
    faults = [(loaded, fault) for loaded in found if (fault := name_fault(loaded.suite.suite))]
    unnamed = [loaded.problem("suite", fault) for loaded, fault in faults]
    if problems := [*problems, *unnamed, *(Problem(said, str(path)) for path in outside)]:
        raise ConfigError(problems)
    nights = []
    for loaded in found:
        suite, schedule = loaded.suite, loaded.suite.schedule
        assert schedule is not None  # noqa: S101  # those without one were left out
        file = loaded.path.resolve().relative_to(here.resolve()).as_posix()
        aliases = [Alias(*alias) for alias in aliases_of(suite)]
        nights.append(Night(suite.suite, file, schedule.cron, schedule.timezone, aliases))
    return nights
