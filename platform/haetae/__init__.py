"""Haetae tells a real regression from noise.

The face of the package: import from here and nowhere deeper. Names load when they are first used, so
that `import haetae` costs nothing.

    from haetae import Workbench

    with Workbench() as bench:
        report = bench.run("suite.yaml")
        print(report.verdict, report.text)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from haetae.core.generation import Failure, Generation
    from haetae.core.metric import Metric, MetricFacts
    from haetae.core.run import Run, RunStatus
    from haetae.core.sample import Sample
    from haetae.core.score import Score
    from haetae.core.verdict import Comparison, Difference, Estimate, Verdict
    from haetae.errors import HaetaeError
    from haetae.metrics.own.decorator import metric
    from haetae.settings import Settings, load_settings
    from haetae.workbench.bench import Workbench
    from haetae.workbench.report import Report

__version__ = "0.1.0"

_HOMES = {
    "Comparison": "haetae.core.verdict",
    "Difference": "haetae.core.verdict",
    "Estimate": "haetae.core.verdict",
    "Failure": "haetae.core.generation",
    "Generation": "haetae.core.generation",
    "HaetaeError": "haetae.errors",
    "Metric": "haetae.core.metric",
    "MetricFacts": "haetae.core.metric",
    "Report": "haetae.workbench.report",
    "Run": "haetae.core.run",
    "RunStatus": "haetae.core.run",
    "Sample": "haetae.core.sample",
    "Score": "haetae.core.score",
    "Settings": "haetae.settings",
    "Verdict": "haetae.core.verdict",
    "Workbench": "haetae.workbench.bench",
    "load_settings": "haetae.settings",
    "metric": "haetae.metrics.own.decorator",
}

__all__ = [
    "Comparison",
    "Difference",
    "Estimate",
    "Failure",
    "Generation",
    "HaetaeError",
    "Metric",
    "MetricFacts",
    "Report",
    "Run",
    "RunStatus",
    "Sample",
    "Score",
    "Settings",
    "Verdict",
    "Workbench",
    "load_settings",
    "metric",
]


if not TYPE_CHECKING:  # so that a type checker knows the names above and no others

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'haetae' has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
