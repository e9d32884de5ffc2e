"""Where the suites and rubrics that ship with the package lie: beside it in a wheel, at the root of a checkout."""

from __future__ import annotations

from pathlib import Path

from haetae.errors import ConfigError


def shipped(name: str) -> Path:
    """The folder of what ships: a suite (`support-ko`, `docs-en`, `translate-ko-en`, `agent`, `starter`), `rubrics`."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "datasets", package.parents[1] / "datasets"):
        if (folder / name).is_dir():
            return folder / name
    raise ConfigError(f"the shipped folder {name!r} is not installed beside {package}")


def shipped_rubrics() -> dict[str, Path]:
    """The rubrics that ship, by the name that a suite gives them: `helpfulness.ko` is rubrics/ko/helpfulness.md."""
    files = sorted(shipped("rubrics").glob("*/*.md"))
    return {f"{file.stem}.{file.parent.name}": file for file in files}


def shipped_rubric(name: str) -> Path | None:
    """The file of a shipped rubric, None for any other name."""
    return shipped_rubrics().get(name)
