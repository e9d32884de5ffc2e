"""Where the suites that ship with the package lie: beside it in a wheel, at the root of a checkout."""

from __future__ import annotations

from pathlib import Path

from haetae.errors import ConfigError


def shipped(name: str) -> Path:
    """The folder of a shipped suite (`support-ko`, `docs-en`, `translate-ko-en`, `starter`)."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "datasets", package.parents[1] / "datasets"):
        if (folder / name).is_dir():
            return folder / name
    raise ConfigError(f"the shipped suite {name!r} is not installed beside {package}")
