"""Scores gathered into columns, whatever file they come from, and checked against one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from haetae.core.canonical import Json, dumps, loads
from haetae.core.score_columns import ScoreColumns
from haetae.core.tool_score import ToolScore
from haetae.errors import DatasetError, NoSamplesError, Problem

BATCH = 8192
"""Rows taken at once."""
MAX_PROBLEMS = 20
NO_TAGS = "{}"
LARGEST = 1e100
"""Largest score in size: the sum of a million squares of it is still a number."""

Codes = NDArray[np.int32]


class _Names(dict[Any, int]):
    """What occurs, each with its number in the order of appearance."""

    def __missing__(self, name: Any) -> int:
        self[name] = number = len(self)
        return number

    def codes(self, names: Sequence[Any]) -> Codes:
        if names.count(names[0]) == len(names):  # a column that a file does not use, or one metric after another
            return np.full(len(names), self[names[0]], np.int32)
        return np.fromiter(map(self.__getitem__, names), np.int32, len(names))


def collect(rows: Iterable[ToolScore], file: str) -> ScoreColumns:
    """Gather the rows of any reader; `file` is its name in messages.

    Raises DatasetError naming the lines of a score over 1e100 in size, one that stands twice and a sample
    of two clusters, and NoSamplesError for a file without a score.
    """
    gathering, waiting = Gathering(file), iter(rows)
    while batch := list(islice(waiting, BATCH)):
        gathering.add_rows(batch)
    return gathering.columns()


class Gathering:
    """Columns that grow batch by batch: a few bytes a row, and each text once."""

    def __init__(self, file: str) -> None:
        self.ids, self.metrics, self.clusters = _Names(), _Names(), _Names()
        self._file = file
        self._tags, self._reasons = _Names(), _Names()
        self._parts: list[tuple[NDArray[Any], ...]] = []

    def add_rows(self, rows: Sequence[ToolScore]) -> None:
        """Take a batch of rows."""
        self.add(
            [row.id for row in rows],
            [row.metric for row in rows],
            [row.score for row in rows],
            [row.sample for row in rows],
            [row.cluster for row in rows],
            [dumps(dict(row.tags)) for row in rows],
            [row.reason for row in rows],
            [row.line for row in rows],
        )

    def add(
        self,
        ids: Sequence[str],
        metrics: Sequence[str],
        scores: Sequence[float | None],
        repeats: Sequence[int],
        clusters: Sequence[str | None],
        tags: Sequence[str],
        reasons: Sequence[str],
        lines: Sequence[int],
    ) -> None:
        """Take a batch as columns of one length; `tags` as canonical JSON."""
        self._parts.append(
            (
                self.ids.codes(ids),
                self.metrics.codes(metrics),
                self.clusters.codes(clusters),
                self._tags.codes(tags),
                self._reasons.codes(reasons),
                np.array(scores, np.float64),  # None becomes NaN
                np.array(repeats, np.int32),
                np.arange(lines.start, lines.stop, dtype=np.int32)
                if isinstance(lines, range)
                else np.array(lines, np.int32),
            )
        )

    def columns(self) -> ScoreColumns:
        """All that was gathered, once it is sound: see `collect`."""
        if not self._parts:
            raise NoSamplesError(Problem("holds no score; expected one JSON object a line", self._file))
        arrays = [np.concatenate(parts) for parts in zip(*self._parts, strict=True)]
        self._parts.clear()
        tags: list[Json] = [loads(text) for text in self._tags]
        names = (tuple(self.ids), tuple(self.metrics), tuple(self.clusters), tuple(tags), tuple(self._reasons))
        found = ScoreColumns(self._file, *names, *arrays)
        problems = [
            problem for check in (_too_large, _twice, _two_clusters) for problem in islice(check(found), MAX_PROBLEMS)
        ]
        if problems:
            raise DatasetError(problems[:MAX_PROBLEMS])
        return found


def _too_large(found: ScoreColumns) -> Iterator[Problem]:
    """A score whose square is no number any more: no mean and no variance could be told."""
    for row in np.flatnonzero(np.abs(found.scores) > LARGEST):
        yield Problem(
            f"{found.scores[row]:g} is beyond what can be summed; a score is at most {LARGEST:g} in size",
            found.file,
            int(found.lines[row]) or None,
            field="score",
        )


def _twice(found: ScoreColumns) -> Iterator[Problem]:
    """A (metric, id, repeat) that came before: two scores of one answer, of which none is the right one."""
    numbers, repeats = np.unique(found.repeats, return_inverse=True)
    key = (found.metric_codes.astype(np.int64) * len(found.ids) + found.id_codes) * len(numbers) + repeats
    order = np.argsort(key, kind="stable")
    for place in np.flatnonzero(np.diff(key[order]) == 0):
        first, again = order[place], order[place + 1]
        what = f"the score of {found.metrics[found.metric_codes[again]]} for {found.ids[found.id_codes[again]]!r}"
        message = f"{what}, sample {found.repeats[again]}, {_places(found, first, again)}; number repeats with sample"
        yield Problem(message, found.file, int(found.lines[again]) or None)


def _two_clusters(found: ScoreColumns) -> Iterator[Problem]:
    """An id that is in another cluster than where it stood first."""
    first = np.zeros(len(found.ids), np.intp)
    first[found.id_codes[::-1]] = np.arange(len(found.id_codes))[::-1]
    own = found.cluster_codes[first[found.id_codes]]
    for row in np.flatnonzero(own != found.cluster_codes):
        there, here = (found.clusters[code] or "none" for code in (own[row], found.cluster_codes[row]))
        told = f"{found.ids[found.id_codes[row]]!r} is in the cluster {here} here and in {there}"
        where = found.lines[first[found.id_codes[row]]]
        yield Problem(
            f"{told} on line {where}; a sample has one" if where else f"{told} elsewhere; a sample has one",
            found.file,
            int(found.lines[row]) or None,
            field="cluster",
        )


def _places(found: ScoreColumns, first: int, again: int) -> str:
    if not found.lines[again]:
        return "stands twice"
    return f"stands twice, on lines {found.lines[first]} and {found.lines[again]}"
