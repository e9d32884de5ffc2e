"""The port of a tracker: who is told about runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from haetae.core.canonical import Json
from haetae.core.ledger import SampleResult, Version
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


class Mirror(Protocol):
    """A tracker that also keeps registered models and prompts."""

    def mirror(self, version: Version) -> str: ...

    def resolve(self, kind: str, name: str, selector: str | int | None) -> tuple[str, Json]:
        """The number of the version that is meant there now, and its content."""
        ...
