"""Stages that no answer of a function had: whether there are such stages nobody knows, so nothing is said of them.

What a guard file or recorded outputs have is known before the first call; a function tells with each answer. There
a mistyped stage looks like one that no text came to, and the share of those that did would be a plausible 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from haetae.catalog.explain import nearest
from haetae.core import reasons
from haetae.core.ledger import Ledger
from haetae.core.metric import Metric
from haetae.core.target import Target
from haetae.workbench.export import pages


def withdraw_unseen(ledger: Ledger, run_id: str, target: Target, metrics: Mapping[str, Metric]) -> None:
    """Take back the scores of metrics that name a stage which no answer of the whole run had."""
    named = {name: set(metric.facts.expected.stages.values()) - {None} for name, metric in metrics.items()}
    wanted = set().union(*named.values())
    if target.stages is not None or not wanted:
        return
    seen: dict[str | None, None] = {}
    for result in pages(ledger, run_id):
        if result.generation is not None:
            seen |= {stage.name: None for stage in result.generation.result.stages}
        if wanted <= seen.keys():
            return
    there = [str(name) for name in seen]
    for name, stages in named.items():
        for stage in sorted(map(str, stages - seen.keys())):
            told = f"no answer of the run has a stage {stage!r}; there are {', '.join(there) or 'none'}"
            ledger.withdraw(run_id, name, reasons.NOT_MEASURED, told + nearest(stage, there))
