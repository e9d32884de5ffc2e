"""What a run would do, said before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from haetae.core.canonical import Json
from haetae.workbench.assemble import Assembly


@dataclass(frozen=True)
class Plan:
    """A checked suite: how many samples, which calls, which pinned versions."""

    suite: str
    dataset: str
    version: str
    samples: int
    repeats: int
    generations: int
    judged_metrics: tuple[str, ...]
    references: Mapping[str, str]

    def as_json(self) -> Json:
        """The plan for scripts."""
        return {
            "suite": self.suite,
            "dataset": self.dataset,
            "version": self.version,
            "samples": self.samples,
            "repeats": self.repeats,
            "generations": self.generations,
            "judged_metrics": list(self.judged_metrics),
            "references": dict(self.references),
        }

    @property
    def text(self) -> str:
        """The plan for people."""
        repeats = f" x {self.repeats} repeats" if self.repeats > 1 else ""
        lines = [
            f"{self.suite}: {self.dataset}, {self.samples} samples{repeats} ({self.version[:19]})",
            f"  {self.generations} generations; judged: {', '.join(self.judged_metrics) or 'nothing'}",
            *(f"  {written} = {pinned}" for written, pinned in self.references.items()),
        ]
        return "\n".join(lines)


def plan_of(assembly: Assembly) -> Plan:
    """The plan of an assembled suite."""
    data = assembly.manifest.dataset
    return Plan(
        suite=assembly.suite.suite,
        dataset=data["name"],
        version=data["version"],
        samples=data["count"],
        repeats=assembly.suite.target.repeats,
        generations=0 if assembly.target.free else assembly.total,
        judged_metrics=tuple(name for name, facts in assembly.manifest.metrics.items() if facts.judge is not None),
        references=assembly.manifest.references,
    )
