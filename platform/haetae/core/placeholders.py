"""Placeholders: `${NAME}` stands for an environment variable; `$${` is a literal `${`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACEHOLDER = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def variables(text: str) -> tuple[str, ...]:
    """The names that a text asks for, in order."""
    return tuple(match[1] for match in _PLACEHOLDER.finditer(text) if match[1])


def is_placeholder(text: str) -> bool:
    """Whether a text is one placeholder and nothing else."""
    match = _PLACEHOLDER.fullmatch(text)
    return match is not None and match[1] is not None


def without_placeholders(text: str) -> str:
    """What a text says itself, its placeholders left out."""
    return _PLACEHOLDER.sub("", text)


def fill(text: str, env: Mapping[str, str]) -> str:
    """The text with its variables filled in; what a variable holds is not read again.

    Raises KeyError for a variable that is not set: ask `variables` first to name all of them.
    """
    return _PLACEHOLDER.sub(lambda match: env[match[1]] if match[1] else "${", text)
