"""Judge scores and human scores in plain files: joined row by row, strictly, then corrected or compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from haetae.catalog.explain import nearest
from haetae.catalog.label_file import RATER
from haetae.catalog.scores.gathering import MAX_PROBLEMS
from haetae.catalog.scores.raters import read_raters
from haetae.catalog.scores.source import scores_of
from haetae.core.score_columns import ScoreColumns
from haetae.errors import DatasetError, Problem
from haetae.workbench.judges.agreeing import Agreeing, Ratings, agreements
from haetae.workbench.judges.correcting import CorrectedMetric, corrected
from haetae.workbench.scores.rules import ScoreRules
from haetae.workbench.scores.tables import tables_of


class JudgeFiles:
    """A file of judge scores and one or more of human scores, joined by id, metric and sample.

    Human rows may name their `rater`; in several files a rater without a name is named by the file. The
    scale of a metric is that of `rules`. Raises DatasetError naming file and line: see `scores_of`,
    `read_raters` and `ScoreRules.check`; a human score that has no judge score beside it; one rater's
    second score of one answer.
    """

    def __init__(self, judge: str | Path, humans: Sequence[str | Path], rules: ScoreRules) -> None:
        self._rules = rules
        self._judge = scores_of(Path(judge))
        self._people = _people(humans)
        for _, columns in self._people:
            rules.check(self._judge, columns)
        problems = [*_unjudged(self._judge, self._people), *_twice(self._people)]
        if problems:
            raise DatasetError(problems[:MAX_PROBLEMS])

    def correct(self) -> list[CorrectedMetric]:
        """Of each metric of the judge's file what people would have said; raters are averaged per answer."""
        facts = {metric: self._rules.facts(metric) for metric in self._judge.metrics}
        tables = tables_of(self._judge, facts)
        return [corrected(metric, table, self._means(metric)) for metric, table in tables.items()]

    def agreement(self) -> list[Agreeing]:
        """How far judge and people agree on each metric that anyone scored by hand."""
        found: list[Agreeing] = []
        for metric in self._judge.metrics:
            people = self._ratings(metric)
            if people:
                facts = self._rules.facts(metric)
                found += agreements(metric, facts, _ratings(self._judge, metric), people)
        return found

    def _means(self, metric: str) -> dict[tuple[str, int], float]:
        given = defaultdict(list)
        for ratings in self._ratings(metric).values():
            for answer, score in ratings.items():
                given[answer].append(score)
        return {answer: fmean(scores) for answer, scores in given.items()}

    def _ratings(self, metric: str) -> dict[str, Ratings]:
        found: dict[str, Ratings] = {}
        for rater, columns in self._people:
            found[rater] = {**found.get(rater, {}), **_ratings(columns, metric)}
        return {rater: ratings for rater, ratings in found.items() if ratings}


def _people(files: Sequence[str | Path]) -> list[tuple[str, ScoreColumns]]:
    """(rater, scores) of every rater of every file."""
    return [
        (str(file) if rater == RATER and len(files) > 1 else rater, columns)
        for file in files
        for rater, columns in read_raters(Path(file), str(file)).items()
    ]


def _ratings(columns: ScoreColumns, metric: str) -> Ratings:
    """The scores of a metric by (id, repeat), unscored ones left out."""
    if metric not in columns.metrics:
        return {}
    mine = (columns.metric_codes == columns.metrics.index(metric)) & np.isfinite(columns.scores)
    rows = np.flatnonzero(mine).tolist()
    return {(columns.ids[columns.id_codes[row]], int(columns.repeats[row])): float(columns.scores[row]) for row in rows}


def _unjudged(judge: ScoreColumns, people: Sequence[tuple[str, ScoreColumns]]) -> Iterator[Problem]:
    """Human scores of what the judge's file does not name."""
    known = _answers(judge)
    for _, human in people:
        for answer, line in _answers(human).items():
            metric, sample, repeat = answer
            if metric not in judge.metrics:
                told = f"the judge's file has no metric {metric!r}{nearest(metric, judge.metrics)}"
                yield Problem(f"{told}; there are {', '.join(judge.metrics)}", human.file, line, field="metric")
            elif answer not in known:
                told = f"{judge.file} has no score of {metric} for {sample!r}, sample {repeat}"
                yield Problem(f"{told}: people label answers that the judge scored", human.file, line, field="id")


def _twice(people: Sequence[tuple[str, ScoreColumns]]) -> Iterator[Problem]:
    """A rater's second score of an answer, in another file."""
    first: dict[tuple[str, tuple[str, str, int]], str] = {}
    for rater, human in people:
        for answer, line in _answers(human).items():
            file = first.setdefault((rater, answer), human.file)
            if file != human.file:
                metric, sample, _ = answer
                yield Problem(f"{rater} has scored {metric} of {sample!r} in {file} as well", human.file, line)


def _answers(columns: ScoreColumns) -> Mapping[tuple[str, str, int], int | None]:
    """The line of each (metric, id, repeat)."""
    codes = zip(columns.metric_codes, columns.id_codes, columns.repeats, columns.lines, strict=True)
    return {
        (columns.metrics[metric], columns.ids[sample], int(repeat)): int(line) or None
        for metric, sample, repeat, line in codes
    }
