"""What metrics take for granted, looked for before the first call: a mistyped label would make a plausible number."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from haetae.catalog.dataset_file import DatasetFile
from haetae.catalog.explain import nearest
from haetae.catalog.suite_file import LoadedSuite
from haetae.core.canonical import Json, dumps
from haetae.core.expected import Labelled, is_label
from haetae.core.metric import Metric
from haetae.core.sample import Sample
from haetae.core.target import Target
from haetae.errors import ConfigError, Problem

_MOST_KEPT = 1_000
"""How many different values of a label are counted: it may be another text in each of millions of rows."""
_MOST_TOLD = 8
_MOST_SHOWN = 60
_READS_OTHERWISE = re.compile(r"true|false|[-+]?[0-9]+")


def check_expected(loaded: LoadedSuite, metrics: Mapping[str, Metric], target: Target, dataset: DatasetFile) -> None:
    """Raises ConfigError at the field: a stage that no answer can have, a label that no sample has."""
    problems = [*_stage_faults(loaded, metrics, target), *_label_faults(loaded, metrics, dataset)]
    if problems:
        raise ConfigError(problems)


def _stage_faults(loaded: LoadedSuite, metrics: Mapping[str, Metric], target: Target) -> Iterator[Problem]:
    known = target.stages
    if known is None:  # a function tells with each answer
        return
    file = loaded.suite.target.guard or loaded.suite.target.outputs
    there = f"has the stages {', '.join(known)}" if known else "has no stages"
    for name, metric in metrics.items():
        for parameter, stage in metric.facts.expected.stages.items():
            if stage is not None and stage not in known:
                said = f"no stage is called {stage}: {file or 'an answer of the model'} {there}{nearest(stage, known)}"
                yield loaded.problem(_field(loaded, name, parameter), said)


def _label_faults(loaded: LoadedSuite, metrics: Mapping[str, Metric], dataset: DatasetFile) -> Iterator[Problem]:
    expected = {name: one for name, metric in metrics.items() if (one := metric.facts.expected.labels) is not None}
    missing = _not_found(expected, dataset.whole()) if expected else {}
    for name, (values, keys) in missing.items():
        labels = expected[name]
        if not values:
            there = f"has {labels.key} in its metadata; found {_told(keys)}"
            parameter, near = "label", nearest(labels.key, keys)
        elif labels.needs_positive or len(values) > 1:
            there = f"has {labels.key} = {_shown(labels.positive)}; found {_told(values)}"
            parameter, near = "positive", nearest(_shown(labels.positive), values)
        else:
            continue
        field = _field(loaded, name, parameter)
        hint = near if near or field.endswith(f".{parameter}") else f"; name another with {parameter}:"
        yield loaded.problem(field, f"no sample of {dataset.path.name} {there}{hint}")


def _not_found(
    expected: Mapping[str, Labelled], samples: Iterable[Sample]
) -> dict[str, tuple[Counter[str], Counter[str]]]:
    """The metrics whose positive value no sample has, with the values of their key and all keys that there are.

    Nothing more is read once all are found: in most files after a few rows.
    """
    missing = {name: (Counter[str](), Counter[str]()) for name in expected}
    for sample in samples:
        for name, (values, keys) in list(missing.items()):
            value = sample.metadata.get(expected[name].key)
            if value is not None and is_label(value, expected[name].positive):
                del missing[name]
                continue
            if value is not None:
                _count(values, _shown(value))
            for key in sample.metadata:
                _count(keys, key)
        if not missing:
            break
    return missing


def _count(counts: Counter[str], text: str) -> None:
    if text in counts or len(counts) < _MOST_KEPT:
        counts[text] += 1


def _shown(value: Json) -> str:
    """A value of a label for people; a text that reads like a number or like true is quoted."""
    text = value if isinstance(value, str) else dumps(value)
    if isinstance(value, str) and _READS_OTHERWISE.fullmatch(value):
        text = dumps(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"


def _told(counts: Counter[str]) -> str:
    """`harmful 3, harmless 2`, the most frequent first."""
    told = ", ".join(f"{text} {count}" for text, count in counts.most_common(_MOST_TOLD))
    return told + (", …" if len(counts) > _MOST_TOLD else "") if told else "none"


def _field(loaded: LoadedSuite, metric: str, parameter: str) -> str:
    """Where the suite says it: at the parameter; the value of the kind itself, and a default, at the kind."""
    spec = loaded.suite.metrics[metric]
    if isinstance(spec, str):
        return f"metrics.{metric}"
    return f"metrics.{metric}.{parameter if parameter in spec else next(iter(spec))}"
