"""A guard file becomes a GuardSpec, with the places of its fields kept for whatever is found later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from haetae.catalog.files import locate, read_text, shown
from haetae.catalog.places import Places
from haetae.catalog.spec_file import validated
from haetae.catalog.yaml_file import read_yaml
from haetae.core.guard_spec import GuardSpec
from haetae.errors import ConfigError, Problem


@dataclass(frozen=True)
class LoadedGuard:
    """A guard, the file it came from, and the project that its other files lie in."""

    spec: GuardSpec
    path: Path
    root: Path
    places: Places

    def problem(self, field: str, message: str) -> Problem:
        """A problem at a dotted field of the file (`stages.2.model`)."""
        return self.places.problem(field, message)

    def locate(self, text: str) -> Path:
        """The real path of a file that the guard names, relative to its own folder. Raises ConfigError."""
        return locate(text, folder=self.path.parent, root=self.root)

    def lines(self, text: str) -> tuple[str, ...]:
        """The lines of such a file, without blank ones and those that begin with `#`. Raises ConfigError."""
        path = self.locate(text)
        file = shown(path, self.root)
        lines = [line.strip() for line in read_text(path, file).splitlines()]
        kept = tuple(line for line in lines if line and not line.startswith("#"))
        if not kept:
            raise ConfigError(Problem("there is no line in it that says something", file=file))
        return kept


def load_guard(path: Path, root: Path) -> LoadedGuard:
    """Read and check a guard file. Raises ConfigError with every mistake of the file, sorted by line."""
    document = read_yaml(path, shown(path, root))
    spec = validated(GuardSpec, document.value, document.places, document.problems)
    return LoadedGuard(spec, path, root, document.places)
