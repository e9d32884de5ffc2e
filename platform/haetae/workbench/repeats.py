"""How far the repeats of one sample differ: what the same question, asked again, would have scored."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from haetae.core.ledger import Ledger
from haetae.core.run import Run

if TYPE_CHECKING:
    from haetae.workbench.judges.spread import Spread


def repeats_of(ledger: Ledger, run: Run) -> Mapping[str, Spread]:
    """The spread of each metric within a sample's repeats; empty for a run that asks every sample once.

    It is measured whatever the decoding is: temperature 0 is no promise that a model answers the same.
    """
    if run.manifest.suite["target"].get("repeats", 1) == 1:
        return {}
    from haetae.workbench.judges.spread import spread  # with numpy, which only such a run needs

    found = {}
    for name, facts in run.manifest.metrics.items():
        table = ledger.table(run.id, name)
        groups: dict[str, list[float]] = defaultdict(list)
        for sample, value in zip(table.sample_ids, table.values.tolist(), strict=True):
            if not math.isnan(value):
                groups[sample].append(value)
        within = spread(list(groups.values()), facts)
        if within is not None:
            found[name] = within
    return found
