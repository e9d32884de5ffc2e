"""Registered models, prompts and datasets: versions, and aliases that move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from haetae.core.reference import Kind, Reference
from haetae.core.registry import AliasMove, Version
from haetae.workbench import registering
from haetae.workbench.face.parts import Parts

if TYPE_CHECKING:
    pass


class Registered(Parts):
    """The registry of models, prompts and datasets. A part of the `Workbench`."""

    def register(self, kind: Kind, file: str | Path, name: str | None = None) -> tuple[Version, bool]:
        """Register a model, prompt or dataset file; the same content is the same version."""
        name, content = registering.content_of(kind, Path(file), name, self.settings)
        return self.ledger.register(kind, name, content, self._clock.now())

    def alias(self, kind: Kind, reference: str, alias: str) -> Version:
        """Point an alias at a version, without a gate."""
        self.move(kind, reference, alias)
        return self.version(kind, reference)

    def move(self, kind: Kind, reference: str, alias: str) -> AliasMove | None:
        """Point an alias at a version, without a gate; None where it points there already."""
        version, now = self.version(kind, reference), self._clock.now()
        move = self.ledger.set_alias(kind, version.name, alias, version.number, now)
        if move is None and (stand := self.ledger.stands(kind, version.name).get(alias)):
            # said once more: where MLflow's stands elsewhere it follows, as if this one had moved
            self.ledger.keep_stand(kind, version.name, alias, replace(stand, ours=None), now)
        return move

    def moves(self, kind: Kind | None = None, name: str | None = None, limit: int = 100) -> Sequence[AliasMove]:
        """How aliases moved, by whom and why, newest first."""
        return self.ledger.moves(kind, name, limit)

    def versions(self, kind: Kind, name: str | None = None) -> Sequence[Version]:
        """What is registered, by name and number."""
        return self.ledger.versions(kind, name)

    def version(self, kind: Kind, reference: str) -> Version:
        """The version that a reference names now."""
        return self.ledger.find(kind, Reference.parse(reference))

    def diff(self, kind: Kind, before: str, after: str) -> str:
        """What differs between two versions, as a unified diff of their contents."""
        return registering.diff(self.version(kind, before), self.version(kind, after))
