"""The registry: immutable numbered versions of models, prompts and datasets, and aliases that point at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Protocol

from haetae.core.canonical import Json
from haetae.core.reference import Kind, Reference


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable version of a registered model, prompt or dataset.

    `digest` is the SHA-256 of `content`; `aliases` are those that point here now.
    """

    kind: Kind
    name: str
    number: int
    digest: str
    content: Json
    created_at: datetime
    aliases: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.number}"


@dataclass(frozen=True, slots=True)
class AliasMove:
    """A move of an alias to version `number`, from version `before` (None: it is new).

    `by` says who moved it: `alias` a person's command, `promote` a gate that passed or was overruled, `mlflow`
    somebody there. `verdicts` are those of the runs that were gated for it, `reason` why they were overruled.
    """

    kind: Kind
    name: str
    alias: str
    number: int
    before: int | None
    by: str
    moved_at: datetime
    verdicts: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None

    @property
    def text(self) -> str:
        """`support-llm@production: 3 → 4`."""
        return f"{self.name}@{self.alias}: {self.before or 'none'} → {self.number}"

    def as_json(self) -> Json:
        """The move for scripts."""
        return {**asdict(self), "verdicts": dict(self.verdicts), "moved_at": self.moved_at.isoformat()}


@dataclass(frozen=True, slots=True)
class Stand:
    """Where an alias stood, here and in a tracker's registry, when both were last looked at; None is nowhere."""

    ours: int | None = None
    theirs: str | None = None


class Registry(Protocol):
    """Immutable numbered versions by content hash, and aliases that move by command only."""

    def register(self, kind: Kind, name: str, content: Json, at: datetime) -> tuple[Version, bool]:
        """The version with this content, and whether it is new: the same content is the same version."""
        ...

    def find(self, kind: Kind, reference: Reference) -> Version:
        """Raises RegistryError, naming what is there, when nothing fits."""
        ...

    def set_alias(
        self,
        kind: Kind,
        name: str,
        alias: str,
        number: int,
        at: datetime,
        *,
        by: str = "alias",
        verdicts: Mapping[str, str] | None = None,
        reason: str | None = None,
        still: Mapping[Reference, int | None] | None = None,
    ) -> AliasMove | None:
        """Point an alias at a version, and keep who did that and why; None where it points there already.

        With `still` only while each of these references of the name means this version (None: it has none). Raises
        RegistryError, and moves nothing, where one does not.
        """
        ...

    def moves(self, kind: Kind | None = None, name: str | None = None, limit: int = 100) -> Sequence[AliasMove]:
        """Moves of aliases, newest first."""
        ...

    def stands(self, kind: Kind, name: str) -> Mapping[str, Stand]:
        """Where the aliases of a name stood, here and in MLflow, when both were last looked at."""
        ...

    def keep_stand(self, kind: Kind, name: str, alias: str, stand: Stand, at: datetime) -> None: ...

    def versions(self, kind: Kind, name: str | None = None) -> Sequence[Version]: ...
