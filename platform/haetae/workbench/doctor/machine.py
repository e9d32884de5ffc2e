"""This installation: Python, the optional packages, the metrics of a checkout, the zones that schedules name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

from haetae.settings import Settings
from haetae.store.health import Finding

PARTS = {
    "mlflow": "mlflow",
    "flask_wtf": "mlflow-auth",
    "wandb": "wandb",
    "prefect": "prefect",
    "streamlit": "dashboard",
    "psycopg": "postgres",
    "ragas": "rag",
    "evaluate": "evaluate",
    "kiwipiepy": "korean",
    "torch": "hf",
    "prefect_dask": "dask",
    "apprise": "alerts",
    "pyarrow": "parquet",
    "zstandard": "zstd",
    "opentelemetry_exporter_otlp_proto_http": "otel",
    "ir_measures": "retrieval",
    "nemoguardrails": "nemo",
}
"""Of each extra the package that it is there for; `inspect` is there for what `zstd` is."""
CHECKOUT = Path(__file__).resolve().parents[4]
"""Where an editable installation lies."""
_ZONES = ("Asia/Seoul", "Europe/London", "America/New_York")


def parts(_: Settings) -> Iterator[Finding]:
    """Python, and of each optional package whether it is there."""
    yield Finding("fine", f"Python {sys.version.split()[0]}, haetae {version('haetae')}")
    for package, extra in PARTS.items():
        try:
            yield Finding("fine", f"{package} {version(package)}")
        except PackageNotFoundError:
            needed = f"{package}; needed only with the extra {extra}: pip install -e '.[{extra}]'"
            yield Finding("missing", needed)


def metrics(_: Settings) -> Iterator[Finding]:
    """Whether the metrics that are installed are those of this checkout."""
    from haetae.catalog.metric_kinds import STALE, is_stale

    if is_stale(CHECKOUT):
        yield Finding("problem", STALE)


def zones(_: Settings) -> Iterator[Finding]:
    """Whether time zones are known here, and from where."""
    try:
        for zone in _ZONES:
            ZoneInfo(zone)
    except (ZoneInfoNotFoundError, OSError, ValueError) as exc:
        yield Finding("problem", f"time zones cannot be read ({exc}), which schedules name; run: pip install tzdata")
        return
    system = next((path for path in TZPATH if (Path(path) / _ZONES[0]).exists()), None)
    yield Finding("fine", f"time zones come from {system or 'the package tzdata ' + version('tzdata')}")
