"""Files of human labels: JSON lines, checked against the run whose answers they are of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from haetae.catalog.explain import found, nearest
from haetae.catalog.jsonl import read_jsonl
from haetae.catalog.rows import BadRow
from haetae.core.canonical import Json
from haetae.core.ledger import Annotation
from haetae.core.metric import MetricFacts
from haetae.errors import DatasetError, Problem

RATER = "human"
"""Who labelled, where the file does not say."""
MAX_PROBLEMS = 20
_FIELDS = frozenset({"id", "metric", "score", "rater", "sample"})

Answered = Mapping[tuple[str, int], bool]
"""Of every (sample id, repeat) of a run, whether it was answered."""


def read_labels(path: str | Path, metrics: Mapping[str, MetricFacts], answered: Answered) -> list[Annotation]:
    """Read `{"id", "metric", "score", "rater": "human", "sample": 0}` a line; `sample` numbers the repeats.

    Raises DatasetError naming file, line and field: an unknown sample, metric or field, a sample without
    an answer, a score that is no number on the metric's scale, one rater's second label of one answer,
    a file without a label. At most twenty problems are told at once.
    """
    file, problems = str(path), list[Problem]()
    lines: dict[tuple[str, str, str, int], int] = {}
    labels = []
    for line, row in read_jsonl(Path(path), file):
        faults = row.faults if isinstance(row, BadRow) else list(_faults(row, metrics, answered))
        if not faults:
            label = _label(row)
            key = (label.sample_id, label.metric, label.rater, label.repeat)
            first = lines.setdefault(key, line)
            if first == line:
                labels.append(label)
            else:
                faults = [("", f"{label.rater} has labelled {label.metric} of {label.sample_id!r} in line {first}")]
        problems += [Problem(message, file, line, field=field or None) for field, message in faults]
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        raise DatasetError(problems[:MAX_PROBLEMS])
    if not labels:
        raise DatasetError(Problem("holds no label", file))
    return labels


def _label(row: Json) -> Annotation:
    return Annotation(
        str(row["id"]), row["metric"], row.get("rater", RATER), float(row["score"]), repeat=row.get("sample", 0)
    )


def _faults(row: Json, metrics: Mapping[str, MetricFacts], answered: Answered) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it) of one row; nothing of a sound one."""
    if not isinstance(row, dict):
        yield "", f"expected a JSON object, got {found(row)}"
        return
    yield from _sample_faults(row, answered)
    metric, score = row.get("metric"), row.get("score")
    if not isinstance(metric, str) or metric not in metrics:
        near = nearest(metric, metrics) if isinstance(metric, str) else ""
        yield "metric", f"expected a metric of the run ({', '.join(metrics)}), got {found(metric)}{near}"
    if isinstance(score, bool) or not isinstance(score, int | float):
        yield "score", f"expected a number, got {found(score)}{'; write 1 or 0' if isinstance(score, bool) else ''}"
    elif isinstance(metric, str) and metric in metrics and not _is_on(metrics[metric], score):
        yield "score", f"{score} is outside the scale of {metric}, {_scale(metrics[metric])}"
    rater = row.get("rater", RATER)
    if not isinstance(rater, str) or not rater.strip():
        yield "rater", f"expected a name, got {found(rater)}"
    for name in row.keys() - _FIELDS:
        yield name[:80], f"unknown field{nearest(name, _FIELDS)}"


def _sample_faults(row: dict[str, Json], answered: Answered) -> Iterator[tuple[str, str]]:
    sample, repeat = row.get("id"), row.get("sample", 0)
    if type(sample) is not int and not isinstance(sample, str):  # `7` and `"7"` are one id
        yield "id", f"expected the id of a sample, got {found(sample)}"
    elif type(repeat) is not int:
        yield "sample", f"expected the number of a repeat, got {found(repeat)}"
    elif (str(sample), repeat) not in answered:
        known = (str(sample), 0) in answered
        yield (
            ("sample", f"the run has no repeat {repeat} of it")
            if known
            else ("id", f"the run has no sample {sample!r}")
        )
    elif not answered[str(sample), repeat]:
        yield "id", f"the run has no answer to sample {sample!r}"


def _is_on(facts: MetricFacts, score: float) -> bool:
    """Whether a score is on the scale; a whole number too large for a float is on none."""
    try:
        value = float(score)
    except OverflowError:
        return False
    if not math.isfinite(value):  # 1e999 is JSON
        return False
    return (facts.low is None or value >= facts.low) and (facts.high is None or value <= facts.high)


def _scale(facts: MetricFacts) -> str:
    if facts.low is None and facts.high is None:
        return "numbers of double precision"
    if facts.high is None:
        return f"{facts.low:g} or more"
    return f"{facts.high:g} or less" if facts.low is None else f"{facts.low:g} to {facts.high:g}"
