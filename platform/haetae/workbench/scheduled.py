"""The suites of a project that have a schedule, found in files and folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from haetae.catalog.suite_file import LoadedSuite, load_suite
from haetae.errors import ConfigError, Problem
from haetae.workbench.due import NO_SCHEDULE

_SUITE = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?suite[\"']?\s*:", re.MULTILINE)
_SUFFIXES = frozenset({".yaml", ".yml"})
_LOOKED_AT = 64 * 1024
"""Bytes of a file in which `suite:` is looked for."""


def scheduled(places: Iterable[str | Path], env: Mapping[str, str]) -> tuple[Sequence[LoadedSuite], Sequence[Problem]]:
    """Every suite with a schedule among files, and in folders and what lies below them, sorted by name; and every
    mistake of the others: a file that is wrong, one that is named and has no schedule, a second suite of one name.

    Raises ConfigError where there is neither.
    """
    problems: list[Problem] = []
    found: dict[str, LoadedSuite] = {}
    paths = [Path(place) for place in places]
    for path, named in _files(paths):
        try:
            loaded = load_suite(path, env)
        except ConfigError as exc:
            problems += exc.problems
            continue
        except OSError as exc:
            problems.append(Problem(f"cannot be read: {exc.strerror}", str(path)))
            continue
        if loaded.suite.schedule is None:
            if named:
                problems.append(loaded.problem("suite", NO_SCHEDULE))
            continue
        before = found.setdefault(loaded.suite.suite, loaded)
        if before is not loaded:
            problems.append(loaded.problem("suite", f"{before.path.name} in {before.path.parent} has the same name"))
    if not found and not problems:
        raise ConfigError(f"no suite with a schedule in {', '.join(map(str, paths)) or 'nothing'}")
    return [found[name] for name in sorted(found)], problems


def _files(places: Sequence[Path]) -> Iterable[tuple[Path, bool]]:
    """Each file once, and whether it was named; a folder with a `suite.yaml` in it is looked through like any other."""
    seen: set[Path] = set()
    for place in places:
        inside = sorted(_below(place)) if place.is_dir() else [place]
        for path in inside:
            if (real := path.resolve()) not in seen:
                seen.add(real)
                yield path, path == place


def _below(folder: Path) -> Iterable[Path]:
    for at, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in {"node_modules", "venv"}]
        for name in files:
            path = Path(at, name)
            if path.suffix in _SUFFIXES and not name.startswith(".") and path.is_file() and _is_suite(path):
                yield path


def _is_suite(path: Path) -> bool:
    with path.open("rb") as file:
        return _SUITE.search(file.read(_LOOKED_AT)) is not None
