"""Human labels of the runs in a ledger, beside the judge's scores of the same answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from haetae.core.ledger import Ledger
from haetae.core.run import Run
from haetae.core.table import ScoreTable
from haetae.stats.labelled import LABELS, Labels

Sides = tuple[tuple[ScoreTable, ...], ScoreTable]
"""A metric's tables of the baseline's runs, and the candidate's."""


def labels_of(ledger: Ledger, metric: str, candidate: Run, pool: Sequence[Run], sides: Sides) -> Labels | None:
    """What people said of a metric on both sides of a comparison; None where nobody labelled either."""
    before, after = sides
    labelled = [
        labelled_table(table, ledger.annotations(run.id, metric))
        for run, table in zip((*pool, candidate), (*before, after), strict=True)
    ]
    if not any(np.isfinite(table.values).any() for table in labelled):
        return None
    return Labels(tuple(labelled[:-1]), labelled[-1])


def labelled_table(table: ScoreTable, labels: Mapping[tuple[str, int], float]) -> ScoreTable:
    """The same rows with the mean label of their sample (over its labelled repeats) as score, NaN where it has none."""
    by_sample = defaultdict(list)
    for (sample, _), value in labels.items():
        by_sample[sample].append(value)
    means = {sample: fmean(values) for sample, values in by_sample.items()}
    values = np.array([means.get(sample, np.nan) for sample in table.sample_ids], dtype=np.float64)
    return replace(table, values=values, stats=None, reasons=())


def may_be_corrected(ledger: Ledger, pool: Sequence[Run], metrics: Sequence[str]) -> bool:
    """Whether one of these metrics has labels enough on the baseline's side for a gate to ask for the candidate's."""
    labelled = ({sample for run in pool for sample, _ in ledger.annotations(run.id, metric)} for metric in metrics)
    return any(len(samples) >= LABELS for samples in labelled)
