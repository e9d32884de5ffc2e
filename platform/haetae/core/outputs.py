"""Outputs: what one system has answered already, for others to be compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from haetae.core.canonical import digest


@dataclass(frozen=True)
class Outputs:
    """The recorded answers of one system by sample id. A blank answer is none and is left out."""

    name: str
    answers: Mapping[str, str]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all ids and answers."""
        return digest(dict(self.answers))
