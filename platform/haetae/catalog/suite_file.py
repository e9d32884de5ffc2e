"""A suite file becomes a Suite, with the places of its fields kept for whatever is found later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from haetae.catalog.files import locate, project_root, shown
from haetae.catalog.interpolation import interpolate, literal_secrets
from haetae.catalog.places import Places
from haetae.catalog.spec_file import validated
from haetae.catalog.yaml_file import read_yaml
from haetae.core.secrets import redact
from haetae.core.suite import Suite
from haetae.errors import ConfigError, Problem


@dataclass(frozen=True)
class LoadedSuite:
    """A suite, the file it came from, and that file's text with secrets replaced by `***`.

    `secrets` are the values of the environment variables that the file used: redact them everywhere.
    """

    suite: Suite
    path: Path
    text: str
    places: Places
    secrets: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The project's folder, which no file of the suite may lie outside."""
        return project_root(self.path.parent)

    def problem(self, field: str, message: str) -> Problem:
        """A problem at a dotted field of the file (`metrics.polite.model`), secrets redacted."""
        return self.places.problem(field, redact(message, self.secrets))

    def locate(self, field: str, text: str) -> Path:
        """The real path of a file that a field names, relative to the suite's folder.

        Raises ConfigError at that field: missing, a directory, outside the project.
        """
        try:
            return locate(text, folder=self.path.parent, root=self.root)
        except ConfigError as exc:
            raise ConfigError([self.problem(field, problem.message) for problem in exc.problems]) from exc


def load_suite(path: Path, env: Mapping[str, str]) -> LoadedSuite:
    """Read and check a suite file; `env` fills its `${NAME}`.

    Raises ConfigError with every mistake of the file, sorted by line.
    """
    path = Path(path)
    file = shown(path.resolve())
    document = read_yaml(path, file)
    filled = interpolate(document.value, env, document.places)
    secrets = tuple(filled.used.values())
    earlier = [*document.problems, *literal_secrets(document.value, document.places), *filled.problems]
    suite = validated(Suite, filled.value, document.places, earlier, secrets)
    return LoadedSuite(suite, path.resolve(), redact(document.text, secrets), document.places, secrets)
