"""Places: where in its file each field stands, so that every later mistake can name its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from haetae.errors import Problem

Path = tuple[str | int, ...]
"""The way to a field: keys of mappings and indexes of lists."""


def dotted(path: Sequence[str | int]) -> str:
    """`gate.metrics.rouge.max_drop`, `slices.0`."""
    return ".".join(str(part) for part in path)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Places:
    """The marks of a file's keys and values by dotted field, and how its scalars were spelled."""

    file: str
    keys: dict[str, Mark] = field(default_factory=dict)
    values: dict[str, Mark] = field(default_factory=dict)
    spelled: dict[str, str] = field(default_factory=dict)

    def problem(self, where: str, message: str, *, at_key: bool = False) -> Problem:
        """A problem at a dotted field; a field that is not in the file stands where its parent does."""
        mark = self.keys.get(where) if at_key else None
        near = where
        while mark is None and near:
            mark = self.values.get(near) or self.keys.get(near)
            near = near.rpartition(".")[0]
        mark = mark or self.values.get("") or Mark(1, 1)
        return Problem(message, self.file, mark.line, mark.column, where or None)
