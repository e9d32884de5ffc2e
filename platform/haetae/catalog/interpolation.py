"""Filling `${NAME}` in a file's values from the environment, and refusing secrets written out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from haetae.catalog.places import Path, Places, dotted
from haetae.core.canonical import Json
from haetae.core.placeholders import fill, variables, without_placeholders
from haetae.core.secrets import is_secret_field, looks_secret
from haetae.errors import Problem


@dataclass(frozen=True)
class Filled:
    """A value with its variables filled in, what they held, and what was missing."""

    value: Json
    used: Mapping[str, str]
    problems: list[Problem]


def interpolate(value: Json, env: Mapping[str, str], places: Places) -> Filled:
    """Fill in every text. A filled value is always text. No problem repeats what a variable holds."""
    used: dict[str, str] = {}
    problems: list[Problem] = []

    def walk(node: Json, path: Path) -> Json:
        if isinstance(node, dict):
            return {key: walk(inner, (*path, key)) for key, inner in node.items()}
        if isinstance(node, list):
            return [walk(inner, (*path, index)) for index, inner in enumerate(node)]
        if not isinstance(node, str) or "${" not in node:
            return node
        names = variables(node)
        missing = [name for name in names if name not in env]
        problems.extend(places.problem(dotted(path), f"the environment variable {name} is not set") for name in missing)
        if missing:
            return node
        used.update((name, env[name]) for name in names)
        return fill(node, env)

    return Filled(walk(value, ()), used, problems)


def literal_secrets(value: Json, places: Places) -> list[Problem]:
    """A problem for each key, token or password that a file spells out instead of writing `${NAME}`.

    The names of metrics are names: a metric called `token` is no secret.
    """
    return [
        places.problem(dotted(path), "a literal secret is refused; write ${NAME} and set that environment variable")
        for path, text in _texts(value)
        if looks_secret(without_placeholders(text)) or (_is_secret_place(path) and text and not variables(text))
    ]


def _is_secret_place(path: Path) -> bool:
    named_metric = len(path) == 2 and path[0] == "metrics"
    return bool(path) and isinstance(path[-1], str) and is_secret_field(path[-1]) and not named_metric


def _texts(node: Json, path: Path = ()) -> Iterator[tuple[Path, str]]:
    if isinstance(node, dict):
        for key, inner in node.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(node, list):
        for index, inner in enumerate(node):
            yield from _texts(inner, (*path, index))
    elif isinstance(node, str):
        yield path, node
