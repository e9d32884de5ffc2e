"""The watch over a plain file of scores of many runs, of any tool: no suite and no ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from haetae.catalog.explain import nearest
from haetae.catalog.scores.history import read_history
from haetae.core.metric import MetricFacts
from haetae.core.score_columns import ScoreColumns
from haetae.core.table import ScoreTable
from haetae.errors import ConfigError
from haetae.stats.monitor import Night, monitor
from haetae.workbench.scores.tables import chosen_slices, tables_of, tags_of
from haetae.workbench.watch import COVERAGE, Watch, Watched, sentence

Stream = tuple[str, str]
"""(suite, metric)"""


def watch_file(path: str | Path, budget: float, lower_is_better: Collection[str] = ()) -> Watch:
    """The alarms over the runs of a history file (`catalog.scores.history`), suite by suite, oldest first.

    Every (suite, metric) of two runs or more is watched, and all of them share `budget` false alarms a
    month. Slices are the tags of a suite's first run. A metric whose every score lies within 0 to 1 is told
    in points of 100, any other in its own units. Raises DatasetError for a file that cannot be read,
    and ConfigError for a metric in `lower_is_better` that it does not have.
    """
    history = read_history(Path(path), str(path))
    known = {metric for runs in history.values() for run in runs.values() for metric in run.metrics}
    for name in sorted(set(lower_is_better) - known):
        raise ConfigError(f"no metric {name!r} in {path}{nearest(name, known)}; there are {', '.join(sorted(known))}")
    streams: dict[Stream, list[Night]] = {}
    for suite, runs in history.items():
        for metric, nights in _nights(runs, lower_is_better).items():
            streams[suite, metric] = nights
    watchable = [stream for stream, nights in streams.items() if len(nights) > 1]
    found = []
    for suite, metric in watchable:
        nights, newest = streams[suite, metric], list(history[suite])[-1]
        for alarm in monitor(nights, budget=budget, streams=len(watchable)):
            text = sentence(suite, metric, alarm, nights[0].table.facts)
            found.append(Watched(suite, metric, alarm, alarm.detected_at == newest, text))
    counts = {suite: len(runs) for suite, runs in history.items()}
    notes = tuple(f"{suite}: one run alone; two are the least to watch" for suite in history if counts[suite] < 2)
    return Watch(tuple(found), counts, budget, tuple(_blind(history, streams)), notes)


def _nights(runs: Mapping[str, ScoreColumns], lower_is_better: Collection[str]) -> dict[str, list[Night]]:
    """By metric its nights, oldest first."""
    first = next(iter(runs.values()))
    slices, _ = chosen_slices(first, tags_of(first), None)
    wider = {name for columns in runs.values() for name in _wider_than_one(columns)}
    found: dict[str, list[Night]] = {}
    for run, columns in runs.items():
        facts = {
            name: MetricFacts(name, "", *_scale(name in wider), higher_is_better=name not in lower_is_better)
            for name in columns.metrics
        }
        for metric, table in tables_of(columns, facts, slices).items():
            found.setdefault(metric, []).append(Night(run, table))
    return found


def _scale(wider: bool) -> tuple[float | None, float | None]:
    return (None, None) if wider else (0.0, 1.0)


def _wider_than_one(columns: ScoreColumns) -> Iterator[str]:
    """Metrics with a score outside 0 to 1."""
    outside = (columns.scores < 0) | (columns.scores > 1)
    for code in np.unique(columns.metric_codes[outside]):
        yield columns.metrics[code]


def _blind(history: Mapping[str, Mapping[str, ScoreColumns]], streams: Mapping[Stream, list[Night]]) -> Iterator[str]:
    """What the newest runs lack: silence about it must not be taken for quiet."""
    for (suite, metric), nights in streams.items():
        newest, last = list(history[suite])[-1], nights[-1]
        rows, scored = len(last.table.values), int(np.isfinite(last.table.values).sum())
        if last.run != newest:
            yield f"{metric} of {suite}: not in the newest run, {newest}; last in {last.run}"
        elif scored < COVERAGE * rows:
            yield f"{metric} of {suite}: {newest} has {scored} of {rows} scores"
        elif len(nights) > 1:
            yield from (f"{metric} of {suite}: {why}" for why in _unwatched(nights))


def _unwatched(nights: Sequence[Night]) -> Iterator[str]:
    """How the samples of the newest night differ from those that are watched: what the first night scored."""
    first, watched = next((night.run, ids) for night in nights if (ids := _scored(night.table)))
    newest, there = nights[-1].run, _scored(nights[-1].table)
    if len(watched) < 2:
        yield f"{first} has one sample; two are the least to watch"
    elif len(watched & there) < COVERAGE * len(watched):
        yield f"{newest} has scores of {len(watched & there)} of the {len(watched)} samples that {first} began with"
    elif len(watched & there) < COVERAGE * len(there):
        more = len(there - watched)
        yield f"{first} has no score of {more} of the {len(there)} samples of {newest}: they are not watched"


def _scored(table: ScoreTable) -> set[str]:
    return {table.sample_ids[row] for row in np.flatnonzero(np.isfinite(table.values)).tolist()}
