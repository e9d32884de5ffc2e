"""Spans of a run, where a collector is configured; where none is, nothing is wrapped and nothing loads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace

from haetae.core.run import Run
from haetae.core.spans import Attribute, Span, Spans
from haetae.engine.spanned import SpannedTarget, spanned_metrics
from haetae.trackers.collector import open_spans
from haetae.workbench.assemble import Assembly

_LAST_S = 5.0
"""How long a run waits at its end for the collector to take the last spans."""


@dataclass
class Collected:
    """The spans of one run; `notes` are for its report."""

    spans: Spans | None
    notes: list[str] = field(default_factory=list)

    def around(self, assembly: Assembly) -> Assembly:
        """The same, whose generations and judgements make spans."""
        if self.spans is None:
            return assembly
        target, metrics = SpannedTarget(assembly.target, self.spans), spanned_metrics(assembly.metrics, self.spans)
        return replace(assembly, target=target, metrics=metrics)

    def of(self, run: Run) -> AbstractContextManager[Span | None]:
        """The span of the run, in which all others are."""
        if self.spans is None:
            return nullcontext()
        told: dict[str, Attribute] = {"haetae.run.id": run.id, "haetae.suite": run.suite, "haetae.run.total": run.total}
        return self.spans.span(f"run {run.suite}", told)


@contextmanager
def collecting(env: Mapping[str, str]) -> Iterator[Collected]:
    """Spans while the block runs; handed over at its end, for a few seconds at most."""
    spans, why_none = open_spans(env)
    collected = Collected(spans, [why_none] if why_none else [])
    try:
        yield collected
    finally:
        missed = spans.close(_LAST_S) if spans is not None else None
        collected.notes += [missed] if missed else []
