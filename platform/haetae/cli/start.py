"""init, demo, doctor."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
from click.exceptions import Exit

_PARTS = {
    "mlflow": "mlflow",
    "wandb": "wandb",
    "prefect": "prefect",
    "streamlit": "dashboard",
    "psycopg": "postgres",
    "ragas": "rag",
    "evaluate": "evaluate",
    "kiwipiepy": "korean",
    "torch": "hf",
    "prefect_dask": "dask",
    "pyarrow": "parquet",
    "zstandard": "zstd",
    "opentelemetry_exporter_otlp_proto_http": "otel",
    "ir_measures": "retrieval",
    "nemoguardrails": "nemo",
}
"""Of each extra the package that it is there for; `inspect` is there for what `zstd` is."""

CHECKOUT = Path(__file__).resolve().parents[3]
"""Where an editable installation lies."""


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


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor_command(as_json: bool) -> None:
    """Check this installation: Python, parts, ledger, SQLite; says what to mend."""
    from haetae.cli.printing import print_json
    from haetae.settings import load_settings
    from haetae.store.health import findings

    found = findings(load_settings().ledger)
    said = [*_parts(), *_entry_points(), *((finding.level, finding.message) for finding in found)]
    if as_json:
        print_json([{"level": level, "message": message} for level, message in said])
    else:
        click.echo("\n".join(f"{level:8} {message}" for level, message in said))
    if any(level == "problem" for level, _ in said):
        raise Exit(3)


def _entry_points() -> Iterator[tuple[str, str]]:
    """(level, message) where the metrics that are installed are not those of this checkout."""
    from haetae.catalog.metric_kinds import STALE, is_stale

    if is_stale(CHECKOUT):
        yield "problem", STALE


def _parts() -> Iterator[tuple[str, str]]:
    """(level, message) of Python and of each optional package."""
    yield "fine", f"Python {sys.version.split()[0]}, haetae {version('haetae')}"
    for package, extra in _PARTS.items():
        try:
            yield "fine", f"{package} {version(package)}"
        except PackageNotFoundError:
            yield "missing", f"{package}; needed only with the extra {extra}: pip install -e '.[{extra}]'"
