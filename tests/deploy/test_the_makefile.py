"""The Makefile looks at Python before it installs anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

ROOT = Path(__file__).parents[2]
FAKE = """#!/bin/sh
if [ "$1" = -c ]; then exec REAL -c 'import sys; sys.version_info = VERSION; exec(sys.argv[1])' "$2"; fi
echo "$@" >> "$CALLS"
"""
"""A Python of another version, which records every other use of it."""


def made(folder: Path, version: tuple[int, ...]) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Make a virtual environment with a Python that says it has this version; and the record of its uses."""
    python, calls = folder / "python3", folder / "calls"
    python.write_text(FAKE.replace("REAL", sys.executable).replace("VERSION", repr(version)))
    python.chmod(0o755)
    command = [
        str(which("make")),
        "-C",
        str(ROOT),
        f"VENV={folder / 'venv'}",
        f"PYTHON={python}",
        f"{folder / 'venv'}/bin/python",
    ]
    env = {"PATH": str(folder), "CALLS": str(calls)}  # without uv
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False), calls


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 14, 0), (2, 7, 18)], ids=str)
def test_another_python_is_refused_with_what_to_do(version: tuple[int, ...], tmp_path: Path) -> None:
    done, calls = made(tmp_path, version)
    told = f"is Python {version[0]}.{version[1]}; haetae needs 3.11 to 3.13. Name one: make demo PYTHON=python3.12"
    assert done.returncode == 2
    assert told in done.stderr
    assert not calls.exists()


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 13, 9)], ids=str)
def test_a_python_that_fits_makes_the_environment(version: tuple[int, ...], tmp_path: Path) -> None:
    done, calls = made(tmp_path, version)
    assert done.returncode == 0, done.stderr
    assert calls.read_text() == f"-m venv {tmp_path / 'venv'}\n"


def test_what_the_makefile_asks_for_is_what_the_package_asks_for() -> None:
    assert 'requires-python = ">=3.11,<3.14"' in (ROOT / "pyproject.toml").read_text("utf-8")
