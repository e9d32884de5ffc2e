"""The port of a tracker: who is told about runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from haetae.core.canonical import Json
from haetae.core.ledger import SampleResult
from haetae.core.reference import Kind
from haetae.core.registry import Version
from haetae.core.run import Accounting, Run, Spent
from haetae.core.verdict import Comparison, Estimate


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything a tracker is told of one run. Secrets are already redacted."""

    run: Run
    estimates: Sequence[Estimate]
    comparison: Comparison | None
    accounting: Sequence[Accounting]
    spent: Spent
    results: Sequence[SampleResult]
    versions: Sequence[Version]
    suite_text: str


class Tracker(Protocol):
    """Takes one record of a run. `key` makes a second delivery of the same record a no-op."""

    name: str

    def deliver(self, record: RunRecord, key: str) -> str:
        """A receipt: where the record is to be found there. Raises TrackerError when it cannot be taken now."""
        ...


@dataclass(frozen=True, slots=True)
class TheirName:
    """A model or prompt in a tracker's registry: its name there and here, its versions there with the digest of ours
    that each is marked with, oldest first, and where its aliases point."""

    there: str
    ours: str
    versions: Mapping[str, str | None]
    aliases: Mapping[str, str]


class Mirror(Protocol):
    """A tracker that also keeps registered models and prompts."""

    def mirror(self, version: Version) -> str:
        """Where the version is to be found there; it is made where it is not there yet. No alias moves."""
        ...

    def names(self, kind: Kind) -> Iterable[TheirName]:
        """What is registered there."""
        ...

    def read(self, kind: Kind, there: str, number: str) -> Json:
        """The content of a version there. Raises RegistryError where it is none of ours."""
        ...

    def push(self, version: Version) -> tuple[str, str]:
        """Its name and number there; it is made where it is not there yet. Raises RegistryError where it cannot be."""
        ...

    def mark(self, there: str, number: str, version: Version) -> None:
        """Note there which version here it is."""
        ...

    def takes_alias(self, alias: str) -> bool:
        """Whether an alias may have this name there."""
        ...

    def point(self, kind: Kind, there: str, alias: str, number: str) -> None:
        """Move an alias there."""
        ...

    def resolve(self, kind: str, name: str, selector: str | int | None) -> tuple[str, Json]:
        """The number of the version that is meant there now, and its content."""
        ...
