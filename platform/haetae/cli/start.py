"""init, demo."""

from __future__ import annotations

import shutil
from pathlib import Path

import click


@click.command("init")
@click.argument("folder", type=click.Path(file_okay=False), default="haetae-suite")
def init_command(folder: str) -> None:
    """Make a first suite in FOLDER: recorded outputs, so that it runs without a key.

    `suite.schema.json` beside it lets an editor complete suite files and mark mistakes while one types.
    """
    from haetae.catalog.suite_schema import suite_schema
    from haetae.core.canonical import dumps
    from haetae.errors import ConfigError
    from haetae.workbench.shipped import shipped

    there = Path(folder)
    if there.exists() and any(there.iterdir()):
        raise ConfigError(f"{there} is not empty; name a new folder")
    shutil.copytree(shipped("starter"), there, dirs_exist_ok=True)
    (there / "suite.schema.json").write_text(dumps(suite_schema()), encoding="utf-8")
    click.echo(f"{there} is ready. Next:\n  haetae run {there / 'suite.yaml'}")


@click.command("demo")
@click.option("--nights", default=30, show_default=True, type=click.IntRange(2, 60), help="How many nights to play.")
@click.option("--folder", type=click.Path(file_okay=False), help="Where to keep it; default .haetae/demo.")
@click.option("--port", default=8501, show_default=True, type=click.IntRange(0, 65535), help="Of the dashboard.")
@click.option("--no-dashboard", is_flag=True, help="Play the month and stop.")
def demo_command(nights: int, folder: str | None, port: int, no_dashboard: bool) -> None:
    """Play a month of nightly runs of three suites on an embedded server: no key, no network."""
    from haetae.demo.month import play

    play(Path(folder) if folder else None, nights, None if no_dashboard else port)
