"""The suites of a project that have a schedule, found in files and folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from haetae.catalog.suite_file import LoadedSuite, load_suite
from haetae.errors import ConfigError, Problem
from haetae.workbench.schedules.due import NO_SCHEDULE
from haetae.workbench.suite_files import suite_files


def scheduled(places: Iterable[str | Path], env: Mapping[str, str]) -> tuple[Sequence[LoadedSuite], Sequence[Problem]]:
    """Those of `scheduled_if_any`. Raises ConfigError where there is neither a suite nor a mistake."""
    paths = [Path(place) for place in places]
    found, problems = scheduled_if_any(paths, env)
    if not found and not problems:
        raise ConfigError(nothing_scheduled(paths))
    return found, problems


def nothing_scheduled(places: Iterable[str | Path]) -> str:
    """What is said where no suite has a schedule."""
    return f"no suite with a schedule in {', '.join(map(str, places)) or 'nothing'}"


def scheduled_if_any(
    places: Iterable[str | Path], env: Mapping[str, str]
) -> tuple[Sequence[LoadedSuite], Sequence[Problem]]:
    """Every suite with a schedule among files, and in folders and what lies below them, sorted by name; and every
    mistake of the others: a file that is wrong, one that is named and has no schedule, a second suite of one name.
    """
    problems: list[Problem] = []
    found: dict[str, LoadedSuite] = {}
    for path, named in suite_files([Path(place) for place in places]):
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
    return [found[name] for name in sorted(found)], problems
