"""The suite files among files, and in folders and what lies below them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from haetae.catalog.yaml_file import keys_at_the_top

_SUFFIXES = frozenset({".yaml", ".yml"})
_BROKEN = re.compile(r"^\W*suite\W*:", re.MULTILINE)
"""What looks like a suite in a file that is no YAML."""
_LOOKED_AT = 1_000_000
"""Bytes of a file that is looked into; a suite file may be no longer."""


def suite_files(places: Sequence[Path]) -> Iterable[tuple[Path, bool]]:
    """Each file once, and whether it was named; a folder with a `suite.yaml` in it is looked through like any other."""
    seen: set[Path] = set()
    for place in places:
        inside = sorted(_below(place)) if place.is_dir() else [place]
        for path in inside:
            if (real := path.resolve()) not in seen:
                seen.add(real)
                yield path, path == place


def _below(folder: Path) -> Iterable[Path]:
    """The suites; and the folders that cannot be looked into, since nobody can tell what they hold."""
    entered: set[Path] = set()
    closed: list[OSError] = []
    for at, folders, files in os.walk(folder, onerror=closed.append, followlinks=True):
        if (real := Path(at).resolve()) in entered:
            folders.clear()  # a link led here again
            continue
        entered.add(real)
        folders[:] = [name for name in folders if not name.startswith(".") and name not in {"node_modules", "venv"}]
        for name in files:
            path = Path(at, name)
            if path.suffix.lower() in _SUFFIXES and not name.startswith(".") and _is_suite(path):
                yield path
    yield from (Path(exc.filename) for exc in closed if not isinstance(exc, FileNotFoundError))


def _is_suite(path: Path) -> bool:
    """Whether `suite` is a key of its mapping; where nobody can tell, it is one: reading it says what is wrong."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            text = file.read(_LOOKED_AT).decode("utf-8-sig", "replace")
    except OSError:
        return True
    if "suite" not in text and "\\" not in text:  # with a backslash, letters may be written as their numbers
        return False
    try:
        return "suite" in keys_at_the_top(text)
    except yaml.YAMLError:
        return _BROKEN.search(text) is not None
