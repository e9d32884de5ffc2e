"""What people said of a run in the ledger: kept from a file, and held beside its judge."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from pathlib import Path

from haetae.catalog.explain import nearest
from haetae.catalog.label_file import read_labels
from haetae.core.generation import Generation
from haetae.core.ledger import Ledger
from haetae.errors import ConfigError
from haetae.workbench.judges.agreeing import Agreeing, Ratings, agreements
from haetae.workbench.judges.correcting import CorrectedMetric, corrected


def annotate(ledger: Ledger, run_id: str, path: Path, at: datetime) -> int:
    """Keep the labels of a file; how many there were. All of them, or none where one is wrong."""
    run = ledger.run(run_id)
    answered = {answer: isinstance(row.result, Generation) for answer, (row, _) in ledger.done(run_id).items()}
    labels = read_labels(path, run.manifest.metrics, answered)
    return ledger.annotate(run_id, labels, at)


def correct_run(ledger: Ledger, run_id: str, metric: str | None = None) -> list[CorrectedMetric]:
    """Of each judged metric of a run, or of `metric`, what people would have said."""
    return [
        corrected(name, ledger.table(run_id, name), ledger.annotations(run_id, name))
        for name in _asked(ledger, run_id, metric)
    ]


def agreement_in_run(ledger: Ledger, run_id: str, metric: str | None = None) -> list[Agreeing]:
    """How far judge and people agree on each judged metric of a run, or on `metric`; nothing where nobody labelled."""
    found: list[Agreeing] = []
    facts = ledger.run(run_id).manifest.metrics
    for name in _asked(ledger, run_id, metric):
        people: dict[str, dict[tuple[str, int], float]] = defaultdict(dict)
        for label in ledger.ratings(run_id, name):
            people[label.rater][label.sample_id, label.repeat] = label.value
        if people:
            labelled = sorted({sample for ratings in people.values() for sample, _ in ratings})
            found += agreements(name, facts[name], _judged(ledger, run_id, name, labelled), people)
    return found


def _asked(ledger: Ledger, run_id: str, metric: str | None) -> list[str]:
    metrics = ledger.run(run_id).manifest.metrics
    judged = [name for name, facts in metrics.items() if facts.judge is not None]
    if metric is None:
        if not judged:
            raise ConfigError(f"{run_id} has no judged metric; it has {', '.join(metrics)}")
        return judged
    if metric not in metrics:
        raise ConfigError(f"{run_id} has no metric {metric!r}{nearest(metric, metrics)}; it has {', '.join(metrics)}")
    return [metric]


def _judged(ledger: Ledger, run_id: str, metric: str, samples: list[str]) -> Ratings:
    """The judge's scores of these samples by (sample id, repeat)."""
    scores = {
        (result.sample.id, result.repeat): result.scores[metric].score.value
        for result in ledger.results(run_id, sample_ids=samples)
        if metric in result.scores
    }
    return {answer: value for answer, value in scores.items() if value is not None}
