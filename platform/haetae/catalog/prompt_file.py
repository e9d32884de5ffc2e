"""A prompt file becomes a Prompt: a text is one user message, a YAML file is a list of messages."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from haetae.catalog.files import locate, project_root, read_text, shown
from haetae.catalog.interpolation import literal_secrets
from haetae.catalog.spec_file import validated
from haetae.catalog.yaml_file import read_yaml
from haetae.core.secrets import looks_secret
from haetae.core.suite import Spec
from haetae.core.template import Prompt
from haetae.errors import ConfigError, Problem

TEXT_SUFFIXES = frozenset({".md", ".txt", ".j2"})
YAML_SUFFIXES = frozenset({".yaml", ".yml"})
_SHOWN = "this looks like a secret: if it is one, everybody who reads the prompt or its ledger has it; take it out"
_log = logging.getLogger(__name__)


class _Turn(Spec):
    role: Literal["system", "user", "assistant", "tool"]
    content: str


class _PromptFile(Spec):
    messages: Annotated[list[_Turn], Field(min_length=1)]


def load_prompt(path: Path, root: Path | None = None) -> Prompt:
    """The prompt in a .md, .txt, .j2, .yaml or .yml file, named like the file without its suffix.

    `root` is the project that the file must lie in; by default the one that its folder belongs to.
    What looks like a secret is warned of with its place, and stays: a prompt may speak of keys.
    Raises ConfigError: outside the project, missing, another suffix, a template that does not parse.
    """
    path = Path(path)
    root = root or project_root(path.parent)
    path = locate(path.absolute(), folder=root, root=root)
    file = shown(path, root)
    if path.suffix in TEXT_SUFFIXES:
        text = read_text(path, file)
        if not text.strip():
            raise ConfigError(Problem("the prompt is empty", file=file))
        _warn(Problem(_SHOWN, file, number) for number, line in enumerate(text.splitlines(), 1) if looks_secret(line))
        return _parsed(path.stem, text, file)
    if path.suffix not in YAML_SUFFIXES:
        kinds = ", ".join(sorted(TEXT_SUFFIXES | YAML_SUFFIXES))
        raise ConfigError(Problem(f"a prompt is one of {kinds}; got {path.suffix or 'no suffix'}", file=file))
    document = read_yaml(path, file)
    spec = validated(_PromptFile, document.value, document.places, document.problems)
    _warn(replace(found, message=_SHOWN) for found in literal_secrets(document.value, document.places))
    return _parsed(path.stem, [turn.model_dump() for turn in spec.messages], file)


def _warn(problems: Iterable[Problem]) -> None:
    for problem in problems:
        _log.warning("%s", problem)


def _parsed(name: str, content: str | list[dict[str, str]], file: str) -> Prompt:
    try:
        return Prompt.of(name, content, file)
    except ConfigError as exc:  # a prompt knows its name, a reader looks for a file
        raise ConfigError([Problem(p.message, file, p.line, p.column, p.field) for p in exc.problems]) from exc
