"""The suites that use a model or prompt under an alias, and where in their files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from haetae.catalog.guard_file import load_guard
from haetae.catalog.suite_file import LoadedSuite, load_suite
from haetae.core.canonical import Json
from haetae.core.reference import Kind, Reference
from haetae.errors import ConfigError, Problem
from haetae.workbench.suite_files import suite_files

_OF_OTHERS = {"model": ("target.prompt", "dataset"), "prompt": ("target.model", "judge", "embeddings", "dataset")}
"""Fields of a suite in which a name means something of another kind."""


@dataclass(frozen=True)
class Use:
    """A suite that names a reference, and the dotted fields in which it does."""

    loaded: LoadedSuite
    fields: tuple[str, ...]


def suites_using(places: Sequence[Path], env: Mapping[str, str], kind: Kind, reference: Reference) -> Sequence[Use]:
    """The suites among files, and in folders and what lies below them, in which the reference stands, also as MLflow's.

    Raises ConfigError with every mistake of their files: what cannot be read may use it.
    """
    named = re.compile(rf"(?<![\w.@-]){re.escape(str(reference))}(?![\w.-])")
    problems: list[Problem] = []
    found: list[Use] = []
    for path, _ in suite_files(places):
        try:
            loaded = load_suite(path, env)
            written = [*_texts(loaded.suite.as_json(), ""), *_texts(_guard(loaded), "target.guard")]
        except ConfigError as exc:
            problems += exc.problems
            continue
        except OSError as exc:
            problems.append(Problem(f"cannot be read: {exc.strerror}", str(path)))
            continue
        fields = [field for field, text in written if field not in _OF_OTHERS[kind] and named.search(text)]
        if fields:
            found.append(Use(loaded, tuple(dict.fromkeys(fields))))
    if problems:
        raise ConfigError(problems)
    return found


def _guard(loaded: LoadedSuite) -> Json:
    file = loaded.suite.target.guard
    if file is None:
        return None
    return load_guard(loaded.locate("target.guard", file), loaded.root).spec.model_dump(mode="json", exclude_none=True)


def _texts(value: Json, field: str) -> Iterator[tuple[str, str]]:
    """Every text of a document, with its dotted field."""
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, f"{field}.{name}" if field else name)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, field)
