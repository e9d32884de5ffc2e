"""Importing a module of one suite, in a process that may know many: each has the modules of its own folders.

A process that serves two suites, each with a `metrics.py` beside it, would else give both the functions of one.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

_places: set[str] = set()
"""Where modules of all suites so far were looked for."""
_ours: set[str] = set()
"""The modules that were imported here."""
_alone = threading.RLock()
"""Where modules are looked for, and which there are, is the whole process's: one suite's at a time."""


def import_from(places: Sequence[str], name: str) -> ModuleType:
    """Import a module, looked for in these places, then where Python looks; never in those of other suites.

    Modules that lie in a place of both suites are imported once, unless one of them may hold a namesake of the other's.
    Raises ImportError, also where another module has the name in this process; and whatever the module raises.
    """
    with _alone:
        return _import_from(places, name)


def _import_from(places: Sequence[str], name: str) -> ModuleType:
    others = _places.difference(places)
    left = [place for place in sys.path if place in others]
    sys.path[:] = [*places, *(place for place in sys.path if place not in places and place not in others)]
    _places.update(places)
    spec_of = _finder(places)
    _forget(spec_of)
    before = set(sys.modules)
    try:
        found = importlib.import_module(name)
    finally:
        _ours.update(new for new in list(sys.modules) if new not in before and _file(new) is not None and spec_of(new))
        sys.path.extend(left)  # functions of other suites import when they are called
    spec, file = spec_of(name), _file(name.partition(".")[0])
    if spec is not None and file is not None and not _is_of(file, spec):
        raise ImportError(f"in this process it is {file}, and not {spec.origin}: give one of them another name")
    return found


def _finder(places: Sequence[str]) -> Callable[[str], ModuleSpec | None]:
    """Where in these places a module, or the package that it belongs to, is."""
    found = functools.cache(lambda top: PathFinder.find_spec(top, places))
    return lambda name: found(name.partition(".")[0])


def _forget(spec_of: Callable[[str], ModuleSpec | None]) -> None:
    """Forget what another suite imported and this one would find elsewhere, or not at all."""
    known = [(name, file) for name in _ours if name in sys.modules and (file := _file(name)) is not None]
    elsewhere = [name for name, file in known if (spec := spec_of(name)) is None or not _is_of(file, spec)]
    if any(spec_of(name) is not None for name in elsewhere):
        elsewhere = [name for name, _ in known]  # what both share may have imported the namesake
    for name in elsewhere:
        del sys.modules[name]


def _file(name: str) -> Path | None:
    file = getattr(sys.modules.get(name), "__file__", None)
    return None if file is None else Path(file)


def _is_of(file: Path, spec: ModuleSpec) -> bool:
    """Whether a file is that of a module or, where it is a package, lies in it."""
    found = [place for place in (spec.origin, *(spec.submodule_search_locations or ())) if place]
    return not found or any(file.resolve().is_relative_to(Path(place).resolve()) for place in found)
